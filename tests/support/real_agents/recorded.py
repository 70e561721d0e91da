"""Screens that the play has recorded, and what each of them is."""

import json
from pathlib import Path

from tests.support.real_agents.moments import Step

FOLDER = Path(__file__).parents[2] / "fixtures" / "agents" / "played"

_INDEX = "moments.json"


def record_screen(folder: Path, program: str, step: Step, screen: str, columns: int) -> None:
    """Write the screen of a moment, and what it is into the index of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{program}-{step.name.replace(' ', '-')}-{columns}"
    (folder / f"{name}.txt").write_text(screen.rstrip("\n") + "\n")
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
