"""Ten real agents of one program in one folder, offline: each has its own figures, or none has any.

Needs the programs of `make check`.
"""

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.home import default_socket, exporter_of, short_home
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import Kind, MeteredStub
from tests.support.real_agents.moments import START, idle, press
from tests.support.real_agents.programs import PROGRAMS
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.wait import wait_for

_AGENTS, _TURNS = 10, 2
_DRAWN_SECONDS = 2.0
_ALL_SECONDS = 180.0
_READ_SECONDS = 5.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How one program is started, and whether each of its agents is known among the others.

    `prompt` are words of its screen at its prompt; `more` tells another agent its own service.
    """

    prompt: str
    exact: bool
    arguments: tuple[str, ...] = ()
    trusts: bool = False
    more: str = ""


CROWDS = {
    "claude": Crowd(prompt="? for shortcuts", exact=True, trusts=True),
    "codex": Crowd(
        prompt="? for shortcuts",
        exact=True,
        arguments=("--no-daemon",),
        more=" -c 'model_providers.stub.base_url=\"{url}/v1\"'",
    ),
    "gemini": Crowd(prompt="Type your message", exact=False, trusts=True),
}


@pytest.fixture
def base() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    with exporter_of(base) as made:
        yield made


class _Crowd:
    """The agents, each in a session of its own name, and the service of each."""

    def __init__(self, name: str, base: Path) -> None:
        self.how = CROWDS[name]
        program = next(each for each in PROGRAMS if each.program == name)
        program = replace(program, arguments=(*self.how.arguments, *program.arguments))
        folder = commands_of(program)
        assert folder is not None, f"{name} could not be installed"
        socket = default_socket(base)
        sessions = (program.name, *(f"a{at}" for at in range(1, _AGENTS)))
        self.stubs = {
            session: MeteredStub(name, first=1000 * at) for at, session in enumerate(sessions, start=1)
        }
        self.home = base / "homes" / program.name
        self.url = self.stubs[program.name].url
        self.stage = Stage(program, folder, base / "homes", socket, self.url, size=(100, 30))

    def start(self) -> None:
        """The first of them makes the folder trusted."""
        first, *others = self.stubs
        self.stage.do(idle("", START))
        if self.how.trusts:
            wait_for(lambda: "rust" in self.screen(first), "asks for trust", _ALL_SECONDS)
            pause(_DRAWN_SECONDS)
            self.stage.do(idle("", press("Enter")))
        self.at_prompt(first)
        for session in others:
            url, script = self.stubs[session].url, self.home / session
            script.write_text(
                (self.home / "start").read_text().replace(self.url, url).rstrip()
                + self.how.more.format(url=url)
            )
            script.chmod(0o755)
            self.stage.tmux("new-session", "-d", "-s", session, "-x", "100", "-y", "30", f"exec {script}")
        for session in others:
            self.at_prompt(session)
        pause(_DRAWN_SECONDS)

    def ask(self, turn: int) -> None:
        """Prompt all, and wait for all answers."""
        for keys in (("-l", f"please {Play.SAY} now"), ("Enter",)):
            for session in self.stubs:
                self.stage.tmux("send-keys", "-t", f"={session}:", *keys)
            pause(_DRAWN_SECONDS)
        for session, stub in self.stubs.items():
            self._until(partial(self._has_answered, stub, turn), session, f"{turn} answers")
            self.at_prompt(session)

    @staticmethod
    def _has_answered(stub: MeteredStub, turn: int) -> bool:
        return stub.number(Kind.ANSWER) >= turn

    def at_prompt(self, session: str) -> None:
        self._until(lambda: self.how.prompt in self.screen(session), session, "at its prompt")

    def _until(self, holds: Callable[[], bool], session: str, what: str) -> None:
        try:
            wait_for(holds, what, _ALL_SECONDS)
        except AssertionError as error:
            error.add_note(f"{session}:\n{self.screen(session)}")
            raise

    def screen(self, session: str) -> str:
        return self.stage.tmux("capture-pane", "-p", "-t", f"={session}:")

    def end(self) -> None:
        for session in [*self.stubs][1:]:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.stage.tmux("kill-session", "-t", f"={session}")
        self.stage.end()
        for stub in self.stubs.values():
            stub.end()


@pytest.mark.parametrize("name", CROWDS)
def test_ten_agents_in_one_folder_have_their_own_figures_or_none(
    name: str, base: Path, exporter: Exporter
) -> None:
    """Each asks a service of its own, whose figures no other has."""
    crowd = _Crowd(name, base)
    try:
        crowd.start()
        for turn in range(1, _TURNS + 1):
            crowd.ask(turn)
        if crowd.how.exact:
            right = {session: (stub.tokens, len(stub.counted)) for session, stub in crowd.stubs.items()}
            assert len({str(each) for each in right.values()}) == _AGENTS
            wait_for(lambda: _spent(exporter) == right, f"{_spent(exporter)} of {right}", 60.0)
        else:
            # Longer than it takes to read them.
            pause(_READ_SECONDS)
            assert _spent(exporter) == dict.fromkeys(crowd.stubs)
            mark = f'tmux_exporter_usage_source_errors_total{{program="{name}",reason="ambiguous"}} '
            (errors,) = (each for each in exporter.metrics().splitlines() if each.startswith(mark))
            assert float(errors.removeprefix(mark)) >= _AGENTS
    finally:
        crowd.end()


def _spent(exporter: Exporter) -> dict[str, tuple[Counter[str], int] | None]:
    """The tokens by kind and the requests of each session's agent, None where it has no figures."""
    found: dict[str, tuple[Counter[str], int] | None] = {}
    for agent in json.loads(exporter.get("api/v1/report"))["agents"]:
        spending = agent["spending"]
        tokens: Counter[str] = Counter()
        for kinds in (spending or {}).get("tokens", {}).values():
            tokens.update(kinds)
        found[agent["session"]] = (+tokens, spending["requests"]) if spending else None
    return found
