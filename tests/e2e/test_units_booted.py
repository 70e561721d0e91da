"""The units as docs/service.md installs them, under the systemd of this machine: tests/guest/units.py."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.isolation.booted import booted
from tests.support.programs.installed import installation

PLAY = Path(__file__).parents[1] / "guest" / "units.py"
PROGRAMS = ("tmux-exporter", "tmux-remediator")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can boot a second systemd")
def test_units_work_as_their_page_says(tmp_path: Path) -> None:
    base = tmp_path / "booted"
    base.mkdir()
    with installation() as installed, booted(base, installed.bin.parents[1]) as machine:
        shutil.copy(PLAY, installed.bin)
        links = [str(installed.bin / each) for each in PROGRAMS]
        ready = machine.run("ln", "-sf", *links, "/usr/local/bin/")
        assert ready.returncode == 0, ready
        for user in ("alice", "bob"):
            assert machine.run("useradd", "-m", "-s", "/bin/bash", user).returncode in (0, 9)
        played = machine.run("python3", "-u", str(installed.bin / PLAY.name), timeout=1000)
    print(played.stdout)
    assert played.returncode == 0, played
    assert played.stdout.endswith("all held\n")
