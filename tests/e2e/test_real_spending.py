"""What a real Claude Code costs, offline: its money, context and window are what it tells its status line."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.home import default_socket, exporter_of, short_home
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import Kind, MeteredStub
from tests.support.real_agents.moments import idle, press, say
from tests.support.real_agents.programs import PROGRAMS, write
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.wait import wait_for
from tmux_exporter.reporters.hook_settings import with_former

_DRAWN_SECONDS = 4.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def base() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    with exporter_of(base) as made:
        yield made


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
    stub = MeteredStub("claude")
    socket = default_socket(base)
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
        wait_for(lambda: stub.number(Kind.ANSWER) == 3, "all requests", 60.0)
        wait_for(equal, "its money", 60.0)
        window = last()["context_window"]
        assert spending()["context_window_tokens"] == window["context_window_size"]
        assert spending()["context_tokens"] == window["total_input_tokens"]
    finally:
        stage.end()
        stub.end()
