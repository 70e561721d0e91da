"""What a set of processes costs now, and what its counters say; made anew only where that has changed."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.memory.shared_memory import PLAIN, MemoryFigures
from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import Usage

T = TypeVar("T")


def usage(
    processes: Iterable[Process],
    totals: Totals,
    start_time: Callable[[ProcessId], float],
    memory_limit: int | None = None,
    memory: MemoryFigures = PLAIN,
) -> Usage:
    """Sum the living of `processes`; zombies are among them, cost nothing and are not counted.

    Nothing before it drops them, so that a figure of zombies can be counted here.
    `memory_bytes` is anonymous plus shared memory, each page once as far as `memory` knows (`memory_source`).
    A sum is of the members that are known and None where members are there and none is known; of no members
    at all it is 0. `read_bytes_total` and `written_bytes_total` stay known once something was counted.
    `fd_utilization_ratio` is that of the process nearest to its soft limit.
    """
    members = {process.id.pid: process for process in processes if process.alive}
    living = members.values()
    figures = [memory.memory_bytes(process) for process in living]
    resident = anonymous = swap = fds = None if members else 0
    worst: float | None = None if members else 0.0
    threads = 0
    io_known = not members
    # One loop: this is done for every pane, session and agent in every sample.
    for process in living:
        threads += process.threads
        resident = _plus(resident, process.resident_bytes)
        anonymous = _plus(anonymous, process.anonymous_bytes)
        swap = _plus(swap, memory.swap_bytes(process))
        fds = _plus(fds, process.open_fds)
        io_known = io_known or process.read_bytes is not None
        # A limit of 0 leaves no ratio: what was open before it was set stays open.
        if process.open_fds is not None and process.max_fds:
            worst = max(worst or 0.0, process.open_fds / process.max_fds)
    known = [figure for figure in figures if figure is not None]
    return Usage(
        memory_bytes=sum(known) if known or not members else None,
        memory_limit_bytes=memory_limit,
        resident_memory_bytes=resident,
        anonymous_memory_bytes=anonymous,
        swap_memory_bytes=swap,
        cpu_seconds_total=totals.cpu_seconds,
        processes=len(members),
        threads=threads,
        open_fds=fds,
        fd_utilization_ratio=worst,
        read_bytes_total=totals.read_bytes if io_known or totals.read_bytes else None,
        written_bytes_total=totals.written_bytes if io_known or totals.written_bytes else None,
        process_tree_depth=_depth(members),
        oldest_process_start_time_seconds=min((start_time(each.id) for each in living), default=None),
        memory_source=memory.source(living) if known else None,
    )


def _plus(total: int | None, value: int | None) -> int | None:
    """The sum of those that are known."""
    return total if value is None else value if total is None else total + value


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


class _Kept(NamedTuple):
    members: Sequence[Process]
    totals: Totals
    limit: int | None
    usage: Usage


class UsageCache:
    """The usage of groups, kept from one sample to the next; `begin` each one."""

    def __init__(self) -> None:
        self._before: Mapping[Hashable, _Kept] = {}
        self._now: dict[Hashable, _Kept] = {}
        self._made_before: Mapping[Hashable, tuple[object, Any]] = {}
        self._made_now: dict[Hashable, tuple[object, Any]] = {}
        self._memory: MemoryFigures = PLAIN
        self._boot_time = 0.0
        self._parents_of_zombies = PerProcess(lambda process: None if process.alive else process.ppid)
        self._zombies: dict[int, list[Process]] = {}
        self._start_time: Callable[[ProcessId], float] = lambda _: 0.0

    def begin(self, memory: MemoryFigures, table: ProcessTable) -> None:
        """Begin a sample: how memory counts, and all its processes."""
        self._parents_of_zombies.update(table)
        self._zombies = {}
        for pid, parent in self._parents_of_zombies.found.items():
            self._zombies.setdefault(parent, []).append(table.processes[pid])
        same = memory == self._memory and table.boot_time == self._boot_time
        self._before = self._now if same else {}
        self._now = {}
        self._made_before, self._made_now = self._made_now if same else {}, {}
        self._memory, self._boot_time, self._start_time = memory, table.boot_time, table.start_time

    def of(self, key: Hashable, members: Sequence[Process], totals: Totals, limit: int | None) -> Usage:
        """`usage` of these members and of their zombies; `key` names the group, once in each sample."""
        members = self.with_zombies(members)
        kept = self._before.get(key)
        if kept is None or (kept.limit, kept.totals, kept.members) != (limit, totals, members):
            found = usage(members, totals, self._start_time, limit, self._memory)
            kept = _Kept(members=members, totals=totals, limit=limit, usage=found)
        self._now[key] = kept
        return kept.usage

    def with_zombies(self, members: Sequence[Process]) -> Sequence[Process]:
        """The members, then the children that they have not waited for: a zombie belongs to its parent."""
        if not self._zombies:
            return members
        return [*members, *(zombie for each in members for zombie in self._zombies.get(each.id.pid, ()))]

    def made(self, key: Hashable, facts: object, make: Callable[[], T]) -> T:
        """What `make` makes of these facts; made anew only where they were others in the sample before."""
        kept = self._made_before.get(key)
        if kept is None or kept[0] != facts:
            kept = (facts, make())
        self._made_now[key] = kept
        found: T = kept[1]
        return found
