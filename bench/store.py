"""The results of a run in files: JSON, the page, the picture."""

import json
from pathlib import Path

from bench.goals import Result
from bench.page import page
from bench.plot import svg


def load(folder: Path) -> Result:
    """What was measured before; empty where nothing was."""
    try:
        found: Result = json.loads((folder / "performance.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def save(result: Result, folder: Path) -> None:
    """Write all three."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "performance.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "performance.md").write_text(page(result))
    (folder / "images" / "performance.svg").write_text(svg(result))
