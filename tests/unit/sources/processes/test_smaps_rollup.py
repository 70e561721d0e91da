"""`smaps_rollup` as text, and whom it is read of."""

import os
from pathlib import Path

import pytest

from tests.support.clock import ManualClock, ShiftedClock
from tests.support.isolation.child import NOBODY, in_child
from tests.support.processes.started import end_process
from tmux_exporter.facts.process import ProcessId, Proportions
from tmux_exporter.sources.processes.parse import parse_stat
from tmux_exporter.sources.processes.smaps_rollup import RollupReader, parse_rollup

RAW = b"""\
55a4ab6f7000-7ffd2b1f4000 ---p 00000000 00:00 0                          [rollup]
Rss:              163864 kB
Pss:               20950 kB
Pss_Dirty:         20698 kB
Pss_Anon:          20698 kB
Pss_File:            150 kB
Pss_Shmem:           102 kB
Anonymous:        160808 kB
Swap:                 80 kB
SwapPss:              10 kB
"""


def test_what_counts_elsewhere_is_what_is_there_without_the_own_part() -> None:
    assert parse_rollup(RAW) == Proportions(
        anonymous_elsewhere_bytes=(160808 - 20698) * 1024,
        shared_memory_bytes=102 * 1024,
        swap_elsewhere_bytes=70 * 1024,
    )


@pytest.mark.parametrize("line", [b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:", b"Anonymous:"])
def test_an_older_kernel_without_a_line_is_malformed_and_not_0(line: bytes) -> None:
    with pytest.raises(ValueError, match="smaps_rollup"):
        parse_rollup(RAW.replace(line, b"Other:"))


def started(pid: int) -> ProcessId:
    return ProcessId(pid, parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).start_ticks)


def test_a_process_is_read_and_its_successor_under_the_pid_is_not() -> None:
    me = started(os.getpid())
    other = ProcessId(me.pid, me.start_ticks - 1)
    gone = ProcessId(1 << 30, 1)
    found = RollupReader(clock=ManualClock()).read([me, other, gone]).found
    assert isinstance(found[me], Proportions)
    assert (found[other], found[gone]) == (None, None)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_refusal_is_none() -> None:
    child = os.fork()
    if child == 0:
        while True:
            os.read(os.pipe()[0], 1)
    try:
        stranger = started(child)
        read = in_child(lambda: RollupReader(clock=ManualClock()).read([stranger]).found, uid=NOBODY)
        assert dict(read) == {stranger: None}
    finally:
        end_process(child)
        os.waitpid(child, 0)


class SlowClock(ShiftedClock):
    """Every look at it takes 30 ms."""

    def monotonic(self) -> float:
        self.advance(0.03)
        return super().monotonic()


def test_reading_ends_with_the_time_for_it() -> None:
    asked = [started(os.getpid()), *(ProcessId(1 << 30, start) for start in range(9))]
    assert 1 <= len(RollupReader(clock=SlowClock()).read(asked).found) < 4
