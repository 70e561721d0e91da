"""Screens that the play has recorded, and what each of them is."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.support.real_agents.moments import Step
from tmux_exporter.analysis.agents.screen_patterns import SCREENS
from tmux_exporter.analysis.agents.screen_state import read_screen
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.sources.tmux.screens import last_rows

FOLDER = Path(__file__).parents[2] / "fixtures" / "agents" / "played"

_INDEX = "moments.json"

_WRITES = threading.Lock()


def record_screen(folder: Path, program: str, step: Step, screen: str, columns: int) -> None:
    """Write the screen of a moment, and what it is into the index of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{program}-{step.name.replace(' ', '-')}-{columns}"
    (folder / f"{name}.txt").write_text(screen.rstrip("\n") + "\n")
    with _WRITES:
        index = recorded(folder) if (folder / _INDEX).exists() else {}
        index[name] = [str(step.state), *map(str, step.reasons)]
        (folder / _INDEX).write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")


def recorded(folder: Path = FOLDER) -> dict[str, list[str]]:
    """The state of each recorded screen, and the reasons that are right, by its name."""
    found: dict[str, list[str]] = json.loads((folder / _INDEX).read_text())
    return found


def rows_of(name: str, folder: Path = FOLDER) -> list[str]:
    """The rows of one."""
    return (folder / f"{name}.txt").read_text().split("\n")


def program_of(name: str) -> str:
    """The program of the table of screens whose recorded screen it is."""
    return max((each for each in SCREENS if name.startswith(f"{each}-")), key=len)


def is_told(program: str, screen: str, state: str, reasons: Sequence[str]) -> bool:
    """Whether the screen alone tells a dialog, and no other one does; work and rest it may not tell."""
    found = read_screen(program, last_rows(screen.encode()))
    if state == AgentState.WAITING:
        return found is not None and found.state is AgentState.WAITING and found.reason in reasons
    return found is None or found.state == state or not (found.certain or found.state is AgentState.WAITING)
