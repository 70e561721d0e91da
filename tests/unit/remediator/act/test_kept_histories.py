"""How long a saved history is kept."""

import os
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tmux_exporter.remediator.act.history_files import FOLDER, KEPT_SECONDS, HistoryFiles


class _SetClock(ManualClock):
    """A wall clock that can be set."""

    def set_forward(self, seconds: float) -> None:
        self._time += seconds


@pytest.mark.parametrize(("passed", "set_by", "kept"), [
    (KEPT_SECONDS - 10, 0, True),
    (KEPT_SECONDS + 10, 0, False),
    (10, KEPT_SECONDS, True),
    (KEPT_SECONDS + 10, KEPT_SECONDS, False),
])  # fmt: skip
def test_a_clock_that_is_set_forward_drops_no_history(
    tmp_path: Path, passed: float, set_by: float, kept: bool
) -> None:
    clock = _SetClock()
    files = HistoryFiles(tmp_path, uid=os.getuid(), clock=clock)
    (tmp_path / FOLDER).mkdir(mode=0o700)
    saved = tmp_path / FOLDER / "one.txt"
    saved.write_text("a line\n")
    os.utime(saved, (clock.time(), clock.time()))
    clock.advance(passed)
    clock.set_forward(set_by)
    with files.new("%3", 100):
        pass
    assert saved.exists() is kept
