"""A wheel built from this tree as an installer would build it."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def build_wheel(folder: Path) -> Path:
    """Build it into a folder, with the backend that is installed: without any network."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"no wheel; `deploy/setup test` installs hatchling: {done.stderr}"
    (wheel,) = folder.glob("*.whl")
    return wheel
