"""The hooks that we install, called by real agent programs offline: a permission is told by them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.home import default_socket, exporter_of, short_home
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.moments import DIALOG, START, idle, press, waiting
from tests.support.real_agents.programs import PROGRAMS, RealProgram
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Stub
from tests.support.wait import wait_for

_DRAWN_SECONDS = 4.0
OURS = Path(sys.executable).parent / "tmux-exporter"

# Its daemon would call them for all windows, and it asks once whether to trust them.
_CODEX = (
    waiting("asks for trust in hooks", START, DIALOG, "Trust all and continue"),
    idle("at its prompt", press("Down", "Enter"), "? for shortcuts"),
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def base() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    """One that reads no screen."""
    settings = base / "settings.yml"
    settings.write_text("agents: {pane_text: off}\n")
    with exporter_of(base, "--config.file", str(settings)) as made:
        yield made


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "qwen"])
def test_a_permission_is_told_by_the_hook_of_the_program(name: str, base: Path, exporter: Exporter) -> None:
    """Fails where a program is not installed: `make check` installs them."""
    program = _with_hooks(next(each for each in PROGRAMS if each.program == name), base)
    folder = commands_of(program)
    assert folder is not None, f"{name} could not be installed"
    stub = Stub()
    stage = Stage(
        program,
        folder,
        base / "homes",
        default_socket(base),
        stub.url,
        size=(80, 24),
    )
    try:
        for step in program.steps:
            stage.do(step)
            stage.reached(step)
            # What is typed into a screen that is only being drawn may be lost.
            pause(_DRAWN_SECONDS)
        # What Claude writes of itself is stronger; it is not believed where others may write it too.
        for file in base.glob("homes/*/.claude/sessions/*.json"):
            file.chmod(0o666)
        wait_for(lambda: _told(exporter) == ("waiting", "permission", "hook"), f"{_told(exporter)}", 60.0)
        stage.do(idle("approved", press("Enter")))
        wait_for(lambda: _told(exporter)[0] != "waiting", "its answer is seen", 60.0)
        wait_for(lambda: _told(exporter) == ("idle", None, "hook"), "its turn has ended by the hook", 90.0)
    finally:
        stage.end()
        stub.end()


def _with_hooks(program: RealProgram, base: Path) -> RealProgram:
    """The program with our hooks, up to its question for a command."""

    def prepare(home: Path, url: str) -> None:
        program.prepare(home, url)
        (home / f".{program.program}").mkdir(exist_ok=True)
        subprocess.run(
            [OURS, "hooks", "install", program.program, "--yes"],
            check=True,
            capture_output=True,
            env={**os.environ, "HOME": str(home)},
        )

    first = _CODEX if program.program == "codex" else program.steps[:2]
    asks = next(each for each in program.steps if each.name == "asks for a command")
    return replace(
        program,
        variant="hooks",
        prepare=prepare,
        environ={**program.environ, "XDG_RUNTIME_DIR": str(base / "run")},
        arguments=(*program.arguments, *(("--no-daemon",) if program.program == "codex" else ())),
        steps=(*first, asks),
    )


def _told(exporter: Exporter) -> tuple[str, str | None, str]:
    """State, reason and source of the only agent."""
    agents = json.loads(exporter.get("api/v1/report"))["agents"]
    return next(
        ((each["state"], each["waiting_reason"], each["state_source"]) for each in agents), ("", None, "")
    )
