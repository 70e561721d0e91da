"""What real agent programs spend, offline: what is counted equals the log of the server that answered."""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import MeteredStub
from tests.support.real_agents.moments import CRASH, RESUME, exited, idle, press, say, waiting
from tests.support.real_agents.programs import PROGRAMS, write
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.wait import wait_for
from tmux_exporter.reporters.hook_settings import with_former

_DRAWN_SECONDS = 4.0

_CLAUDE = (
    idle("has answered", say(Play.SAY), "All of it is done. ✻"),
    waiting("asks for a new file", say(Play.EDIT), (), "Do you want to create"),
    idle("has written it", press("Enter"), "Wrote 1 lines to notes.txt", "All of it is done. ✻"),
    idle("has a new session", ("say", "/clear"), "? for shortcuts", gone=("Wrote",)),
    idle("has answered again", say(Play.SAY), "All of it is done. ✻"),
    exited("killed", CRASH),
    idle("goes on", RESUME, "? for shortcuts"),
    idle("has answered there", say(Play.SAY), "All of it is done. ✻", "? for shortcuts"),
)
_CODEX = (
    idle("has answered", say(Play.SAY), "All of it is done."),
    waiting("asks for a command", say(Play.TOOL), (), "Press enter to confirm"),
    idle("runs it", press("Enter"), "esc to interrupt"),
    idle("has run it", (), "Worked for", "? for shortcuts", gone=("esc to interrupt",)),
    idle("has answered again", say(Play.SAY), "All of it is done.", gone=("esc to interrupt",)),
    exited("killed", CRASH),
)

_GEMINI = (
    idle("has answered", say(Play.SAY), "All of it is done.", "Type your message"),
    waiting("asks for a command", say(Play.TOOL), (), "Allow execution of"),
    idle("runs it", press("Enter"), "esc to cancel"),
    idle("has run it", (), "✓ Shell", "Type your message", gone=("esc to cancel",)),
    idle("has a new session", ("say", "/clear"), "Type your message", gone=("✓ Shell",)),
    idle("has answered again", say(Play.SAY), "All of it is done.", "Type your message"),
    exited("killed", CRASH),
)
_OPENCODE = (
    idle("has answered", say(Play.SAY), "All of it is done. ▣"),
    waiting("asks for a command", say(Play.TOOL), (), "Permission required"),
    idle("runs it", press("Enter"), "esc interrupt"),
    idle("has run it", (), "(no output) All of it is done. ▣", gone=("esc interrupt",)),
    exited("killed", CRASH),
    idle("goes on", RESUME, "ctrl+p"),
    idle("has answered there", say(Play.SAY), "zzsay now All of it is done. ▣", gone=("esc interrupt",)),
)
_PI = (
    idle("has answered", say(Play.SAY), "All of it is done.", gone=("Working...",)),
    idle("runs a command", say(Play.TOOL), "Elapsed"),
    idle("has run it", (), "Took", gone=("Working...",)),
    idle("has a new session", ("say", "/new"), "(auto)", gone=("Took",)),
    idle("has answered again", say(Play.SAY), "All of it is done.", gone=("Working...",)),
    exited("killed", CRASH),
    idle("goes on", RESUME, "(auto)"),
    idle("has answered there", say(Play.SAY), "All of it is done.", gone=("Working...",)),
)
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder with a short path: it holds sockets."""
    with tempfile.TemporaryDirectory(prefix="spend", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "tmux" / f"tmux-{os.getuid()}").mkdir(parents=True, mode=0o700)
        (Path(folder) / "run").mkdir(mode=0o700)
        yield Path(folder)


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    made = Exporter(base, base / "run", environ={"TMUX_TMPDIR": str(base / "tmux"), "HOME": str(base)})
    yield made
    made.end()


@pytest.mark.parametrize(
    ("name", "steps", "requests"),
    [
        ("claude", (2, *_CLAUDE), 5),
        ("codex", (1, *_CODEX), 4),
        ("gemini", (2, *_GEMINI), 4),
        ("opencode", (1, *_OPENCODE), 4),
        ("pi", (1, *_PI), 5),
    ],
)
def test_counters_equal_the_log_of_the_server(
    name: str, steps: tuple[Any, ...], requests: int, base: Path, exporter: Exporter
) -> None:
    """Through a tool call, `/clear`, kill -9 and a resumed session. Needs the programs of `make check`.

    `steps` begin with how many of the program's own come before them.
    """
    starts, *more = steps
    program = next(each for each in PROGRAMS if each.program == name)
    own = ("--no-daemon",) if name == "codex" else ()
    program = replace(program, arguments=(*own, *program.arguments), steps=(*program.steps[:starts], *more))
    folder = commands_of(program)
    assert folder is not None, f"{name} could not be installed"
    stub = MeteredStub()
    socket = base / "tmux" / f"tmux-{os.getuid()}" / "default"
    stage = Stage(program, folder, base / "homes", socket, stub.url, size=(100, 30))
    wait_for(exporter.is_ready, "the exporter")
    try:
        for step in program.steps:
            stage.do(step)
            stage.reached(step)
            # What is typed into a screen that is only being drawn may be lost.
            pause(_DRAWN_SECONDS)
        wait_for(lambda: stub.requests == requests, f"all requests of {stub.seen}", 60.0)
        wait_for(lambda: _spent(exporter)[1] == requests, "all of them are counted", 60.0)
        # A kind of a model appears with 0 in the first sample that has it.
        wait_for(lambda: _spent(exporter)[0] == stub.served, f"what was served: {stub.served}", 60.0)
    finally:
        stage.end()
        stub.end()


_STATUS = (
    idle("has answered", say(Play.SAY), "All of it is done. ✻"),
    idle("has answered again", say(Play.SAY), "All of it is done. ✻", "All of it is done. ✻"),
    idle("has a new session", ("say", "/clear"), "mine", gone=("All of it is done.",)),
    idle("has answered there", say(Play.SAY), "All of it is done. ✻", "mine"),
)


def test_money_is_what_the_program_tells_its_status_line(base: Path, exporter: Exporter) -> None:
    """A real Claude Code with a status line of its own, behind ours."""
    program = next(each for each in PROGRAMS if each.program == "claude")
    theirs, told, script = program.prepare, base / "told", Path(sys.executable).with_name("tmux-exporter")
    mine = f"tee -a {told} >/dev/null; echo >>{told}; echo mine"

    def prepare(home: Path, url: str) -> None:
        theirs(home, url)
        line = {"type": "command", "command": with_former(str(script), mine)}
        write(home / ".claude" / "settings.json", {"statusLine": line})

    starts = (program.steps[0], idle("at its prompt", press("Enter"), "mine"))
    environ = {**program.environ, "XDG_RUNTIME_DIR": str(base / "run")}
    program = replace(program, prepare=prepare, environ=environ, steps=(*starts, *_STATUS))
    folder = commands_of(program)
    assert folder is not None, "claude could not be installed"
    stub = MeteredStub()
    socket = base / "tmux" / f"tmux-{os.getuid()}" / "default"
    stage = Stage(program, folder, base / "homes", socket, stub.url, size=(100, 30))
    wait_for(exporter.is_ready, "the exporter")

    def last() -> dict[str, Any]:
        lines = [each for each in told.read_text().splitlines() if each.endswith("}")]
        found = json.loads(lines[-1])
        assert isinstance(found, dict)
        return found

    def spending() -> dict[str, Any]:
        agents = json.loads(exporter.get("api/v1/report"))["agents"]
        return next((each["spending"] for each in agents if each["spending"]), {})

    def equal() -> bool:
        cost, found = last()["cost"]["total_cost_usd"], spending()
        return bool(cost) and found["cost_dollars"].get("agent") == pytest.approx(cost, rel=1e-4)

    try:
        for step in program.steps:
            stage.do(step)
            stage.reached(step)
            pause(_DRAWN_SECONDS)
        wait_for(lambda: stub.requests == 3, "all requests", 60.0)
        wait_for(equal, "its money", 60.0)
        window = last()["context_window"]
        assert spending()["context_window_tokens"] == window["context_window_size"]
        assert spending()["context_tokens"] == window["total_input_tokens"]
    finally:
        stage.end()
        stub.end()


def _spent(exporter: Exporter) -> tuple[Counter[str], int]:
    """The tokens by kind and the requests of the only agent."""
    for agent in json.loads(exporter.get("api/v1/report"))["agents"]:
        if spending := agent["spending"]:
            known = "exact" if agent["program"] in ("claude", "codex") else "unique"
            assert spending["exactness"] == known
            tokens: Counter[str] = Counter()
            for kinds in spending["tokens"].values():
                tokens.update(kinds)
            return tokens, spending["requests"]
    return Counter(), 0
