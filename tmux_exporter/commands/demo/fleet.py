"""The demo's sessions, windows and the agents in them, built with libtmux.

Session and window names follow Tmux-Orchestrator's guide.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.commands.demo import agent
from tmux_exporter.commands.demo.ending import marked
from tmux_exporter.commands.demo.home import Home, pause

if TYPE_CHECKING:
    import libtmux

PLAIN = "demo"
"""A program name that is no agent's."""

_SIZE = (160, 45)
_BUILD_SECONDS = 20.0
_POLL_SECONDS = 0.1
_DOWN_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedWindow:
    """A window with one played program. `declared` is its pane's `@agent`.

    With `again`, the role that the program plays when it has ended and is started again after a while.
    """

    window: str
    program: str
    role: str
    arguments: tuple[str, ...] = ()
    declared: str = ""
    again: str = ""


LEFT = {"vite": "listens", "mcp-server-fetch": "serves"}
"""Servers that outlive the window in which they were started: their programs, and what these play."""

# Minutes long enough for any demo, and so few that nothing is left of a scheduler an hour later.
FLEET: dict[str, tuple[PlayedWindow, ...]] = {
    "billing": (
        PlayedWindow(window="Claude-Agent", program="claude", role="works"),
        PlayedWindow(window="Shell", program=PLAIN, role="idles"),
        PlayedWindow(window="Uvicorn-API", program=PLAIN, role="serves"),
    ),
    "web-shop": (
        PlayedWindow(window="Claude-Frontend", program="claude", role="waits"),
        PlayedWindow(window="Codex-Backend", program="codex", role="leaks"),
        PlayedWindow(window="NextJS-Dev", program=PLAIN, role="serves"),
        PlayedWindow(
            window="Preview", program=PLAIN, role="leaves", arguments=tuple(map("=".join, LEFT.items()))
        ),
    ),
    "orchestrator": (
        PlayedWindow(window="Orchestrator", program="claude", role="orchestrates"),
        PlayedWindow(window="Project-Manager", program="aider", role="ends", again="idles"),
        PlayedWindow(window="Nightly-QA", program=PLAIN, role="works", declared="qa-bot"),
        PlayedWindow(
            window="Scheduler-Shell",
            program=PLAIN,
            role="schedules",
            arguments=("48=billing:0", "51=web-shop:1", "54=checkout-fix:0"),
        ),
    ),
}

GONE = agent.LOST
"""A session that is ended once schedulers for it are pending, in it and from elsewhere."""

_GONE_PARTS = (
    PlayedWindow(window="Claude-Agent", program=PLAIN, role="schedules", arguments=("57=checkout-fix:0",)),
)


def build(home: Home, clock: Clock) -> int:
    """Build the fleet on a new tmux server; that server's pid. Needs the demo's environment as our own."""
    import libtmux  # noqa: PLC0415 - heavy

    home.socket.parent.mkdir(mode=0o700)
    _link_programs(home)
    server = libtmux.Server(socket_path=str(home.socket), config_file=os.devnull)
    # The session to be ended comes first and goes last: its scheduler must be running by then.
    gone = _session(server, home, GONE, _GONE_PARTS)
    for name, parts in FLEET.items():
        _session(server, home, name, parts)
    _wait_for_schedulers(home, clock)
    gone.kill()
    (pid,) = server.cmd("display-message", "-p", "#{pid}").stdout
    return int(pid)


def sleeps() -> set[str]:
    """The seconds that each scheduler sleeps. All differ, so they identify the scheduler."""
    return {
        str(int(argument.split("=")[0]) * 60)
        for part in _all_parts()
        for argument in part.arguments
        if part.role == "schedules"
    }


def _all_parts() -> list[PlayedWindow]:
    return [*_GONE_PARTS, *(part for parts in FLEET.values() for part in parts)]


def _link_programs(home: Home) -> None:
    home.programs.mkdir()
    for program in {*(part.program for part in _all_parts()), *LEFT}:
        (home.programs / program).symlink_to(Path(agent.__file__).resolve())


def _session(
    server: "libtmux.Server", home: Home, name: str, parts: tuple[PlayedWindow, ...]
) -> "libtmux.Session":
    first, *others = parts
    width, height = _SIZE
    session = server.new_session(
        session_name=name,
        window_name=first.window,
        window_command=_command(home, first),
        start_directory=str(home.folder),
        x=width,
        y=height,
    )
    for part in others:
        window = session.new_window(
            window_name=part.window,
            window_shell=_command(home, part),
            start_directory=str(home.folder),
            attach=False,
        )
        if part.declared:
            window.cmd("set-option", "-p", "@agent", part.declared)
    return session


def _command(home: Home, part: PlayedWindow) -> str:
    """What tmux gives to a shell: our own words, quoted."""
    program = part.program
    if part.again:
        first, last = agent.played(home, program, part.role), agent.played(home, program, part.again)
        return f"{shlex.join(first)}; sleep {_DOWN_SECONDS}; {shlex.join(('exec', *last))}"
    return shlex.join(("exec", *agent.played(home, program, part.role, *part.arguments)))


def _wait_for_schedulers(home: Home, clock: Clock) -> None:
    deadline = clock.monotonic() + _BUILD_SECONDS
    while missing := sleeps() - {words[1] for words in marked(home).values() if words[:1] == ("sleep",)}:
        if clock.monotonic() > deadline:
            raise CannotSeeError(f"the demo's schedulers of {', '.join(sorted(missing))} s did not start")
        pause(_POLL_SECONDS)
