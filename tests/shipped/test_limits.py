"""Limits as users have them: a wheel, an ordinary user, real agents, and what this machine can hold."""

import shutil
from pathlib import Path

import pytest

from tests.support.programs.installed import installation

PROGRAM = Path(__file__).parents[1] / "guest" / "limits.py"


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_limits_hold_by_the_means_of_this_machine() -> None:
    with installation() as installed:
        shutil.copy(PROGRAM, installed.home)
        done = installed.run("env", "LIMITS_LINES=100000", "python3", "limits.py", timeout=1000)
    print(done.stdout)
    assert done.returncode == 0, done
    assert done.stdout.endswith("all held\n")
