"""What a set of processes costs now, and what its counters say."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from tmux_exporter.analysis.accounting import Totals
from tmux_exporter.analysis.shared_pages import PLAIN, MemoryFigures
from tmux_exporter.model import Process, ProcessId
from tmux_exporter.report import Usage

N = TypeVar("N", int, float)


def usage(
    processes: Iterable[Process],
    totals: Totals,
    start_time: Callable[[ProcessId], float],
    memory_limit: int | None = None,
    memory: MemoryFigures = PLAIN,
) -> Usage:
    """Sum the living of `processes`; zombies cost nothing and are not counted.

    `memory_bytes` is anonymous plus shared memory, each page once as far as `memory` knows (`memory_source`).
    A sum is of the members that are known and None where members are there and none is known; of no members
    at all it is 0. `read_bytes_total` and `written_bytes_total` stay known once something was counted.
    `fd_utilization_ratio` is that of the process nearest to its soft limit.
    """
    members = {process.id.pid: process for process in processes if process.alive}
    living = members.values()
    io_known = not members or any(process.read_bytes is not None for process in living)
    return Usage(
        memory_bytes=_sum(memory.memory_bytes(process) for process in living),
        memory_limit_bytes=memory_limit,
        resident_memory_bytes=_sum(process.resident_bytes for process in living),
        anonymous_memory_bytes=_sum(process.anonymous_bytes for process in living),
        swap_memory_bytes=_sum(memory.swap_bytes(process) for process in living),
        cpu_seconds_total=totals.cpu_seconds,
        processes=len(members),
        threads=sum(process.threads for process in living),
        open_fds=_sum(process.open_fds for process in living),
        fd_utilization_ratio=_highest(_fd_ratio(process) for process in living),
        read_bytes_total=totals.read_bytes if io_known or totals.read_bytes else None,
        written_bytes_total=totals.written_bytes if io_known or totals.written_bytes else None,
        process_tree_depth=_depth(members),
        oldest_process_start_time_seconds=min((start_time(each.id) for each in living), default=None),
        memory_source=memory.source(living),
    )


def _fd_ratio(process: Process) -> float | None:
    # A limit of 0 leaves no ratio: what was open before it was set stays open.
    if process.open_fds is None or not process.max_fds:
        return None
    return process.open_fds / process.max_fds


def _sum(values: Iterable[int | None]) -> int | None:
    return _known(values, sum)


def _highest(values: Iterable[float | None]) -> float | None:
    return _known(values, max)


def _known(values: Iterable[N | None], fold: Callable[[list[N]], N]) -> N | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return fold(known) if known else None if every else fold([0])


def _depth(members: Mapping[int, Process]) -> int:
    """Length of the longest line from a member without a parent among the members down to a leaf."""
    depths: dict[int, int] = {}
    for pid in members:
        line: list[int] = []
        current = pid
        # A circle, which only a race of the reading can make, is cut where it closes.
        while current in members and current not in depths:
            depths[current] = 0
            line.append(current)
            current = members[current].ppid
        above = depths.get(current, 0)
        for each in reversed(line):
            above += 1
            depths[each] = above
    return max(depths.values(), default=0)
