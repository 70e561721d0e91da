"""One remediator at a time: the second is told who holds the lock, and a dead one holds none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_LOCK
from tmux_exporter.config import Config
from tmux_exporter.remediator import lock
from tmux_exporter.remediator.lock import take
from tmux_exporter.remediator.loop import Remediator, Settings
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.remediator.record.audit import faults, read


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.1)


def test_the_second_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    held = take((tmp_path,), "pid 4711, which observes", SystemClock())
    with pytest.raises(UsageError, match="already runs: pid 4711, which observes; end that one first"):
        take((tmp_path,), "pid 4712, which enforces", SystemClock())
    held.close()
    again = take((tmp_path,), "pid 4712, which enforces", SystemClock())
    assert (tmp_path / REMEDIATOR_LOCK).read_text() == "pid 4712, which enforces\n"
    assert (tmp_path / REMEDIATOR_LOCK).stat().st_mode & 0o777 == 0o600
    again.close()


def test_one_folder_that_is_taken_is_enough_and_the_others_are_given_back(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in "abc")
    for folder in (first, second, third):
        folder.mkdir()
    held = take((first, second), "pid 1", SystemClock())
    with pytest.raises(UsageError, match="already runs: pid 1"):
        take((third, first), "pid 2", SystemClock())
    with pytest.raises(UsageError, match="already runs: pid 1"):
        take((third, second), "pid 2", SystemClock())
    take((third,), "pid 3", SystemClock()).close()
    held.close()


def test_one_folder_for_both_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    take((tmp_path, tmp_path / "link"), "pid 1", SystemClock()).close()


def test_an_audit_has_one_remediator_whatever_the_runtime_folder(tmp_path: Path) -> None:
    state, one, other = (tmp_path / name for name in ("state", "one", "other"))
    for folder in (state, one, other):
        folder.mkdir(mode=0o700)
    settings = Settings(config=Config(), policies=PolicySet(policies=(ORPHANED_SCHEDULERS,)), enforce=False)

    def start(runtime: Path) -> Remediator:
        return Remediator(settings, {}, runtime=runtime, state=state, clock=SystemClock())

    first = start(one)
    with pytest.raises(UsageError, match=f"already runs: pid {os.getpid()}, which observes"):
        start(other)
    first.close()
    start(other).close()
    lines = list(read((state / REMEDIATOR_AUDIT).read_bytes().splitlines(keepends=True)))
    assert len(lines) == 2 and list(faults(lines)) == []


HOLDER = (
    "import sys, pathlib\n"
    "from tmux_exporter.base.clock import SystemClock\n"
    "from tmux_exporter.remediator.lock import take\n"
    "held = take([pathlib.Path(sys.argv[1])], 'pid 1, which observes', SystemClock())\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


def test_the_lock_of_one_that_was_killed_is_free(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="already runs"):
            take((tmp_path,), "pid 2", SystemClock())
        holder.kill()
    take((tmp_path,), "pid 2", SystemClock()).close()


def test_where_nothing_can_be_written_it_is_held_without_words(tmp_path: Path) -> None:
    (tmp_path / REMEDIATOR_LOCK).write_text("pid 7\n")
    full = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-B", "-c", HOLDER, str(tmp_path))
    with subprocess.Popen(full, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="already runs: starting now"):
            take((tmp_path,), "pid 2", SystemClock())
        holder.kill()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / REMEDIATOR_LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="remove it"):
        take((tmp_path,), "pid 2", SystemClock())
    assert not (tmp_path / "elsewhere").exists()
