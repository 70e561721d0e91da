"""Real agent programs, played offline: their states are told right and in time, and no `waiting` is none."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_what_real_programs_do_is_told_right_and_in_time(tmp_path: Path) -> None:
    """Fails where a program is not installed: `make check` installs them."""
    command = (sys.executable, "-m", "tests.support.real_agents", "--json", str(tmp_path / "moments.json"))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=7000)
    assert done.returncode == 0, done.stderr[-3000:]
