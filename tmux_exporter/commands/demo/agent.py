"""A played agent: behaves like a coding agent in one respect, costs little, and ends with the demo.

It is run by a link to this file that bears an agent's name, as `python FOLDER/bin/claude works`: that is how
agents written in a scripting language are recognised.
"""

import hashlib
import itertools
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from tmux_exporter.base.clock import SystemClock
from tmux_exporter.commands.demo.ending import end_all
from tmux_exporter.commands.demo.home import Home, Lock, marked_home, pause, say, wipe
from tmux_exporter.commands.demo.work import environ_of_exporter, operations, spend, write_session

LEAK_MIB = 200
"""Where the leak stops."""

LOST = "checkout-fix"
"""A session that has ended."""

UNTIL_IT_WAITS = 20
UNTIL_IT_ENDS = 100
UNTIL_IT_LEAVES = 10
"""Steps, of about a second."""

_MIB = 2**20
_LOOK_SECONDS = 1.0
_CPU_ROUNDS = 500_000
_FEW_ROUNDS = 10_000
"""Some milliseconds, as who draws that it waits for an answer uses all the time."""
_TOOL_SECONDS = 2
_STEPS = ("Read(src/invoice.py)", "Update(src/invoice.py)", "Bash(pytest -q tests/test_invoice.py)")
_NOTE = "Time for a check: what is done, what is next?"
_PERMISSION = """\
 Bash command

   git push --force-with-lease origin checkout-redesign

 Do you want to proceed?
 > 1. Yes
   2. Yes, and don't ask again for git push commands
   3. No, and tell Claude what to do differently (esc)
"""

Role = Iterator[float]
"""Does one step of work each time, and says how many seconds to rest until the next."""


def works(*_arguments: str) -> Role:
    """Burn CPU in bursts and run tools, which are processes of their own; Claude Code spends tokens."""
    tool: subprocess.Popen[bytes] | None = None
    home = marked_home(os.environ)
    spending: Iterator[None] = itertools.repeat(None)
    if os.path.basename(sys.argv[0]) == "claude":
        write_session(home, "busy")
        spending = spend(home, random.Random(2))  # noqa: S311 - the same demo each time
    while True:
        for step in _STEPS:
            say(f"* {step}")
            next(spending)
            _think(_CPU_ROUNDS)
            if tool is None or tool.poll() is not None:
                tool = subprocess.Popen(["sleep", str(_TOOL_SECONDS)], stdin=subprocess.DEVNULL)
            yield 1.0


def _think(rounds: int) -> None:
    hashlib.pbkdf2_hmac("sha256", b"demo", b"demo", rounds)


def idles(*_arguments: str) -> Role:
    """Wait for input."""
    say("> ")
    while True:
        yield _LOOK_SECONDS


def leaks(*_arguments: str) -> Role:
    """Use a little more memory with every step, up to a bound."""
    kept: list[bytes] = []
    while True:
        if len(kept) < LEAK_MIB:
            # Written to: memory that is only promised costs nothing and is not counted.
            kept.append(b"x" * _MIB)
            say(f"* indexed {len(kept) * 40} files")
        _think(_FEW_ROUNDS)
        yield 0.7


def waits(*_arguments: str) -> Role:
    """Work for a while, then wait for a permission, and write that to Claude Code's session file."""
    home = marked_home(os.environ)
    write_session(home, "busy")
    for _ in zip(range(UNTIL_IT_WAITS), spend(home, random.Random(3)), strict=False):  # noqa: S311 - as above
        say(f"* {_STEPS[0]}")
        _think(_FEW_ROUNDS)
        yield _LOOK_SECONDS
    write_session(home, "waiting", "permission prompt")
    say(_PERMISSION)
    while True:
        yield _LOOK_SECONDS


def ends(*_arguments: str) -> Role:
    """Wait, and end."""
    say("> ")
    for _ in range(UNTIL_IT_ENDS):
        yield _LOOK_SECONDS


def orchestrates(*_arguments: str) -> Role:
    """Run operations and tmux commands, and report each operation to the exporter."""
    home = marked_home(os.environ)
    os.environ.update(environ_of_exporter(home))
    for place, name in enumerate(operations(random.Random(1))):  # noqa: S311 - the same demo each time
        say(f"* {name}")
        # As orchestrators do: list windows, and sometimes ask for a session that is gone.
        words = ("list-windows", "-a") if place % 8 else ("has-session", "-t", LOST)
        subprocess.run(["tmux", "-S", str(home.socket), *words], capture_output=True, check=False)
        _think(_FEW_ROUNDS)
        yield _LOOK_SECONDS


def serves(*_arguments: str) -> Role:
    """Behave like a development server that does not listen."""
    say("ready in 412 ms, watching for changes")
    while True:
        yield _LOOK_SECONDS


def listens(*_arguments: str) -> Role:
    """Listen on a free loopback port, as a development server does."""
    with socket.create_server(("127.0.0.1", 0)):
        yield from serves()


def leaves(*arguments: str) -> Role:
    """Start servers in the background, each of `arguments` as PROGRAM=ROLE, and end without ending them."""
    home = marked_home(os.environ)
    for argument in arguments:
        program, role = argument.split("=", 1)
        say(f"$ nohup {program} &")
        _detach(*played(home, program, role))
    for _ in range(UNTIL_IT_LEAVES):
        yield _LOOK_SECONDS


def played(home: Home, program: str, *words: str) -> tuple[str, ...]:
    """The command line of a played program; without `site` it starts sooner and needs less memory."""
    return (sys.executable, "-SP", str(home.programs / program), *words)


def schedules(*arguments: str) -> Role:
    """Start schedulers, each of `arguments` as MINUTES=TARGET, as orchestrators' scripts do: and forget."""
    for argument in arguments:
        minutes, target = argument.split("=", 1)
        say(f"$ schedule_with_note.sh {minutes} 'check progress' {target}")
        # The inner command is the whole scheduler.
        _detach("bash", "-c", scheduler(int(minutes) * 60, target))
    yield from idles()


def _detach(*command: str) -> None:
    """Run it in the background, as people type it: the shell ends at once, so it has no parent."""
    subprocess.run(["sh", "-c", 'nohup "$@" >/dev/null 2>&1 &', "sh", *command], check=True)


def scheduler(seconds: int, target: str) -> str:
    """The command line of a scheduler for a target on the demo's own server."""
    send = f"tmux -S {shlex.quote(str(marked_home(os.environ).socket))} send-keys -t {shlex.quote(target)}"
    return f"sleep {seconds} && {send} '{_NOTE}' && sleep 1 && {send} Enter"


ROLES: dict[str, Callable[..., Role]] = {
    each.__name__: each
    for each in (works, idles, leaks, waits, ends, orchestrates, serves, listens, leaves, schedules)
}


def play(role: Role) -> None:
    """Play until the demo ends. If its keeper ended without doing so, end it in the keeper's place."""
    home = marked_home(os.environ)
    lock = Lock(home)
    for rest in role:
        if lock.take():
            # The tmux server goes first, and takes the terminal along.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            end_all(home, SystemClock())
            wipe(home)
            return
        pause(min(rest, _LOOK_SECONDS))


def main(arguments: Sequence[str]) -> None:
    """Play the role named by the first argument."""
    play(ROLES[arguments[0]](*arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
