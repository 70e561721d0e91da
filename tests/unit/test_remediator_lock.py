"""One remediator at a time: the second is told who holds the lock, and a dead one holds none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tmux_exporter.clock import SystemClock
from tmux_exporter.errors import UsageError
from tmux_exporter.places import REMEDIATOR_LOCK
from tmux_exporter.remediator import lock
from tmux_exporter.remediator.lock import take


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.1)


def test_the_second_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    held = take(tmp_path, "pid 4711, which observes", SystemClock())
    with pytest.raises(UsageError, match="already runs: pid 4711, which observes; end that one first"):
        take(tmp_path, "pid 4712, which enforces", SystemClock())
    os.close(held)
    again = take(tmp_path, "pid 4712, which enforces", SystemClock())
    assert (tmp_path / REMEDIATOR_LOCK).read_text() == "pid 4712, which enforces\n"
    assert (tmp_path / REMEDIATOR_LOCK).stat().st_mode & 0o777 == 0o600
    os.close(again)


HOLDER = (
    "import sys, pathlib\n"
    "from tmux_exporter.clock import SystemClock\n"
    "from tmux_exporter.remediator.lock import take\n"
    "take(pathlib.Path(sys.argv[1]), 'pid 1, which observes', SystemClock())\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


def test_the_lock_of_one_that_was_killed_is_free(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="already runs"):
            take(tmp_path, "pid 2", SystemClock())
        holder.kill()
    os.close(take(tmp_path, "pid 2", SystemClock()))


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / REMEDIATOR_LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="remove it"):
        take(tmp_path, "pid 2", SystemClock())
    assert not (tmp_path / "elsewhere").exists()
