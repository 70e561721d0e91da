"""A wheel built from this tree as an installer would build it."""

import sys
from pathlib import Path

from tests.support.processes.run_text import run_text

REPOSITORY = Path(__file__).parents[3]


def build_wheel(folder: Path) -> Path:
    """Build it into a folder, with the backend that is installed: without any network."""
    done = run_text([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=REPOSITORY)
    assert done.returncode == 0, f"no wheel; `deploy/setup test` installs hatchling: {done.stderr}"
    (wheel,) = folder.glob("*.whl")
    return wheel
