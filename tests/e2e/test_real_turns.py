"""Many turns of real agent programs through all that happens to them: each request counts or is known not to.

Offline against a stub that answers with known usage. Needs the programs of `make check`.
`AGENT_TURNS=20` plays fewer turns than 200.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.programs.fresh_agents import locked
from tests.support.real_agents.home import default_socket, exporter_of, short_home
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import Kind, MeteredStub, written
from tests.support.real_agents.moments import CRASH, START, Keys, exited, idle, press, say
from tests.support.real_agents.programs import PROGRAMS, Prepare, opencode_settings, write
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.wait import wait_for

TURNS = int(os.environ.get("AGENT_TURNS", "200"))
"""Answers of the model in the main conversations of each program, at least."""

_DRAWN_SECONDS = 2.0
_SETTLED_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0
_SECONDS = 180.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def _opencode(home: Path, url: str) -> None:
    allowed = {"bash": "allow", "edit": "allow"}
    write(home / ".config" / "opencode" / "opencode.json", {**opencode_settings(url), "permission": allowed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How one program is told to do what all do; empty where it cannot.

    `trusts`: the keys after its start. `rests` are words of its screen at its prompt, `works` while it works.
    `resume` and `fork` are arguments.
    """

    arguments: tuple[str, ...] = ()
    trusts: tuple[Keys, ...] = ()
    rests: tuple[str, ...]
    works: tuple[str, ...]
    clear: tuple[Keys, ...]
    compact: Keys
    compacted: int = 1
    resume: str
    fork: str = ""
    delegates: bool = True
    prepare: Prepare | None = None


SCRIPTS = {
    "claude": Script(
        trusts=(press("Enter"),),
        rests=("? for shortcuts",),
        works=("esc to interrupt", "Enter to confirm"),
        clear=(("say", "/clear"),),
        compact=("say", "/compact"),
        resume="--continue",
        fork="--continue --fork-session",
    ),
    "codex": Script(
        arguments=("--no-daemon", "--dangerously-bypass-approvals-and-sandbox"),
        rests=("? for shortcuts",),
        works=("esc to interrupt", "Waiting for startup", "Resuming session", "Forking"),
        clear=(("say", "/new"), press("Enter")),
        compact=("say", "/compact"),
        resume="resume --last",
        fork="fork --last",
    ),
    "gemini": Script(
        arguments=("--yolo",),
        trusts=(press("Enter"),),
        rests=("Type your message",),
        works=("esc to cancel", "Do you trust"),
        clear=(("say", "/clear"),),
        compact=("say", "/compress"),
        compacted=2,
        resume="--resume latest",
    ),
    "opencode": Script(
        rests=("ctrl+p",),
        works=("esc interrupt", "esc again to interrupt"),
        clear=(("say", "/new"),),
        compact=("say", "/compact"),
        resume="--continue",
        fork="--continue --fork",
        prepare=_opencode,
    ),
    "pi": Script(
        rests=("(auto)",),
        works=("Working...", "Compacting"),
        clear=(("say", "/new"),),
        compact=("say", "/compact"),
        resume="--continue",
        delegates=False,
    ),
}


@pytest.fixture
def base() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    with exporter_of(base) as made:
        yield made


class _Play:
    """One program through its script."""

    def __init__(self, name: str, base: Path, stub: MeteredStub) -> None:
        self.script, self.stub = SCRIPTS[name], stub
        program = next(each for each in PROGRAMS if each.program == name)
        program = replace(
            program,
            arguments=(*self.script.arguments, *program.arguments),
            prepare=self.script.prepare or program.prepare,
        )
        folder = commands_of(program)
        assert folder is not None, f"{name} could not be installed"
        socket = default_socket(base)
        self.home = base / "homes" / program.name
        self.stage = Stage(program, folder, base / "homes", socket, stub.url, size=(110, 40))

    def do(self, *keys: Keys) -> None:
        """Type, and wait until the program is at its prompt."""
        for each in keys:
            self.stage.do(idle("", each))
            pause(_DRAWN_SECONDS)
        self.rest()

    def rest(self) -> None:
        def rests() -> bool:
            words = " ".join(self.stage.screen().split())
            return all(each in words for each in self.script.rests) and not any(
                each in words for each in self.script.works
            )

        while not self._until(rests, "at its prompt") or not self._stays(rests):
            """It only was for a moment, on its way from one to the next."""

    def ask(self, play: Play, answers: int, kind: Kind = Kind.ANSWER, keys: Keys | None = None) -> None:
        """Prompt, and wait for so many more answers."""
        least, seen = self.stub.number(kind) + answers, len(self.stub.seen)
        self.stage.do(idle("", keys or say(play)))
        if not self._comes(lambda: len(self.stub.seen) > seen, _PATIENCE_SECONDS):
            # What is typed into a screen that is only being drawn may stay there.
            self.stage.do(idle("", press("Enter")))
        self._until(lambda: self.stub.number(kind) >= least, f"{least} of {kind}")
        self.rest()

    def _until(self, holds: Callable[[], bool], what: str) -> bool:
        assert self._comes(holds, _SECONDS), f"{what}: {self.stub.by_kind}\n{self.stage.screen()}"
        return True

    @staticmethod
    def _comes(holds: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                return False
            pause(0.2)
        return True

    def _stays(self, holds: Callable[[], bool]) -> bool:
        return not self._comes(lambda: not holds(), _SETTLED_SECONDS)

    def start(self, arguments: str = "") -> None:
        """Start it again, with these arguments besides its own."""
        script = self.home / "start"
        if arguments:
            (self.home / "again").write_text(script.read_text().rstrip() + f" {arguments}\n")
            (self.home / "again").chmod(0o755)
            self.stage.do(idle("", ("say", str(self.home / "again"))))
        else:
            self.stage.do(idle("", START))
        pause(_DRAWN_SECONDS)

    def crash(self) -> None:
        self.stage.do(exited("", CRASH))
        self.stage.reached(exited("", CRASH))
        pause(_DRAWN_SECONDS)
        self.stage.do(idle("", ("say", "tput reset")))
        pause(_DRAWN_SECONDS)

    def all(self, turns: int) -> None:
        """Everything, with so many turns at least."""
        script, stub = self.script, self.stub
        stub.quick_calls = 9 if turns >= 60 else 1
        rounds = -(-turns // ((5 if script.fork else 4) * (stub.quick_calls + 1)))

        def work() -> None:
            for _ in range(rounds):
                self.ask(Play.MANY, stub.quick_calls + 1)

        self.start()
        for each in script.trusts:
            self._until(lambda: "rust" in self.stage.screen(), "asks for trust")
            pause(_DRAWN_SECONDS)
            self.stage.do(idle("", each))
        self.rest()
        self.ask(Play.SAY, 1)
        if script.delegates:
            self.ask(Play.DELEGATE, 3)
        work()
        self.ask(Play.SAY, script.compacted, Kind.SUMMARY, script.compact)
        work()
        self.do(*script.clear)
        work()
        # Killed in the middle of an answer.
        self.stage.do(idle("", say(Play.THINK)))
        self._until(lambda: "step 7" in self.stage.screen(), "thinks")
        self.crash()
        for how in (script.resume, script.fork):
            if how:
                self.start(how)
                self.rest()
                self.ask(Play.SAY, 1)
                work()
                if how != script.fork and script.fork:
                    self.crash()
        refused = stub.number(Kind.REFUSED)
        self.stage.do(idle("", say(Play.QUOTA)))
        self._until(lambda: stub.number(Kind.REFUSED) > refused, "its limit is reached")
        pause(_DRAWN_SECONDS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_request_is_counted_to_the_token_or_known_not_to_be_written(
    name: str, base: Path, exporter: Exporter
) -> None:
    """Tools, a subagent, compaction, a new session, kill -9 in an answer, resume, fork, a reached limit."""
    assert written(name).version == locked()[name].version, "look anew at what this version writes down"
    stub = MeteredStub(name)
    play = _Play(name, base, stub)
    wait_for(exporter.is_ready, "the exporter")
    begun = time.monotonic()
    try:
        play.all(TURNS)
        known = stub.written.counted | stub.written.unwritten
        assert set(stub.by_kind) <= {kind.value for kind in known}, f"in no class: {stub.by_kind}"
        assert stub.number(Kind.ANSWER) >= TURNS
        print(_told(name, stub, time.monotonic() - begun))
        wait_for(
            lambda: _spent(exporter) == (stub.tokens, len(stub.counted)),
            f"{_spent(exporter)} of {stub.tokens}, {len(stub.counted)}",
            60.0,
        )
    finally:
        play.stage.end()
        stub.end()


def _told(name: str, stub: MeteredStub, seconds: float) -> str:
    """One line for docs/spending.md."""
    kinds = {kind: number for kind, number in stub.by_kind.items() if kind in stub.written.unwritten}
    used = Counter[str]()
    for each in list(stub.log):
        used.update(each.used)
    share = 1 - sum(stub.tokens.values()) / sum(used.values())
    return (
        f"{name} {stub.written.version}: {len(stub.log)} requests, {len(stub.counted)} counted, "
        f"{sum(kinds.values())} not written ({share:.1%} of the tokens): {kinds}; {seconds:.0f} s"
    )


def _spent(exporter: Exporter) -> tuple[Counter[str], int]:
    """The tokens by kind and the requests of the only agent that has any."""
    for agent in json.loads(exporter.get("api/v1/report"))["agents"]:
        if spending := agent["spending"]:
            assert spending["exactness"] == ("exact" if agent["program"] in ("claude", "codex") else "unique")
            tokens: Counter[str] = Counter()
            for kinds in spending["tokens"].values():
                tokens.update(kinds)
            return +tokens, spending["requests"]
    return Counter(), 0
