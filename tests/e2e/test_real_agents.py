"""Real agent programs, played offline: their states are told right and in time, and no `waiting` is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STAGED, SHARE = 60, 0.95


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_what_real_programs_do_is_told_right_and_in_time(tmp_path: Path) -> None:
    """Fails where a program is not installed: `make check` installs them."""
    result = tmp_path / "moments.json"
    command = (sys.executable, "-m", "tests.support.real_agents", "--json", str(result))
    subprocess.run(command, check=True, timeout=7000)
    staged = [each["told"] for each in json.loads(result.read_text()) if each["told"]]
    assert len(staged) >= STAGED
    for interval in (0, 1):
        told = [each[interval] for each in staged]
        assert not any(each["false_waiting"] for each in told)
        assert sum(each["right"] for each in told) >= SHARE * len(staged)
