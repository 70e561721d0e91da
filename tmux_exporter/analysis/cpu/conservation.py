"""Process accounting between two samples without double counting, short-lived processes included.

When a parent reaps a child, the kernel adds the child's usage to the parent's figures. So the sum over all
processes of own usage and of reaped usage changes only by new usage. A counted process gains what its own
figures grow by, less the part that had already been counted for ended children (`ended_processes`).

A sample is not one moment. A child may be read, end and be reaped before its parent is read: then its usage
shows twice, and only the next sample shows that the child has ended. Such growth is withheld until then, to
prevent double counting: it is counted one sample later, not lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from tmux_exporter.analysis.cpu.ended_processes import EndedProcesses
from tmux_exporter.analysis.cpu.parents import UNKNOWN_PARENT, ProcessTree, UnknownParent
from tmux_exporter.analysis.cpu.process_counters import (
    EACH,
    NOTHING,
    UNKNOWN_AMOUNT,
    Amount,
    ProcessCounters,
    total,
)
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable

Withheld = dict[ProcessId, list[int]]


def withhold_unconfirmed(counters: ProcessCounters, tree: ProcessTree, withheld: Withheld) -> None:
    """Add to `withheld` the usage of every process that may be alive, for each ancestor that may have it."""
    if not counters.growth:
        return
    bounds = [
        max((growth[each] for growth in counters.growth.values() if growth[each] < UNKNOWN_AMOUNT), default=0)
        for each in EACH
    ]
    ancestors = _GrownAncestors(tree, counters.growth)
    for process in tree.below(each.pid for each in counters.growth):
        counter = counters.get(process.id)
        if counter is None and process.alive and not _fits(process, bounds):
            continue
        lifetime_usage = counters.lifetime_usage(process, counter)
        for ancestor in ancestors.of(process):
            growth = counters.growth[ancestor]
            amounts = withheld.setdefault(ancestor, [0, 0, 0])
            for each in EACH:
                left = lifetime_usage[each]
                if left is None:
                    # Other users' processes, whose bytes are hidden, are no children of ours; zombies may be.
                    amounts[each] += UNKNOWN_AMOUNT if counter is not None or not process.alive else 0
                elif left <= growth[each]:
                    amounts[each] += left


def _fits(process: Process, bounds: list[int]) -> bool:
    """Whether any growth is large enough for a process; this filters out most processes of other users."""
    return (
        0 < process.cpu_ticks + process.children_cpu_ticks <= bounds[0]
        or 0 < (process.read_bytes or 0) <= bounds[1]
        or 0 < (process.written_bytes or 0) <= bounds[2]
    )


class _GrownAncestors:
    """The ancestors of a process that have grown; all that have grown where a parent is unknown."""

    def __init__(self, tree: ProcessTree, growth: Mapping[ProcessId, Amount]) -> None:
        self._tree = tree
        self._growth = growth
        self._nearest: dict[ProcessId, Process | UnknownParent | None] = {}

    def of(self, process: Process) -> Iterable[ProcessId]:
        given: set[ProcessId] = set()
        found = self._above(process)
        while isinstance(found, Process) and found.id not in given:
            given.add(found.id)
            found = self._above(found)
        return self._growth if found is UNKNOWN_PARENT else given

    def _above(self, process: Process) -> Process | UnknownParent | None:
        nearest, growth, parent = self._nearest, self._growth, self._tree.parent
        path: list[ProcessId] = []
        found: Process | UnknownParent | None = process
        while isinstance(found, Process):
            if found.id in nearest:
                found = nearest[found.id]
                break
            # Stops the walk where parents form a cycle.
            nearest[found.id] = UNKNOWN_PARENT
            path.append(found.id)
            # The usage of a reparented process may be with its former ancestors.
            found = UNKNOWN_PARENT if self._tree.was_reparented(found) else parent(found)
            if isinstance(found, Process) and found.id in growth:
                break
        for process_id in path:
            nearest[process_id] = found
        return found


class UsageDelta(NamedTuple):
    """What a process has used since the last sample: its own CPU ticks, and usage of reaped children.

    `reaped` holds the ticks of reaped children and all bytes: the kernel does not separate a process's own
    bytes from those of its reaped children.
    """

    process: ProcessId
    own_ticks: int
    reaped: Amount


class Conservation:
    """Counts usage over all samples. Call `advance` once per sample, in order."""

    def __init__(self) -> None:
        self._tree = ProcessTree()
        self._counters = ProcessCounters()
        self._ended = EndedProcesses(self._tree)

    def advance(
        self, table: ProcessTable, keys_of: Mapping[ProcessId, frozenset[object] | None]
    ) -> list[UsageDelta]:
        """Process one sample and return what the processes in `keys_of` have gained since the last one.

        `keys_of` maps each counted process to the counters that get its reaped usage. None marks a catch-all:
        a process that is counted only to find usage that no other counted process has reaped.
        """
        counters = self._counters
        seen_before = self._tree.present
        ended = {process.id: process for process in self._tree.advance(table)}
        own = counters.update(table, keys_of, seen_before)
        for process in ended.values():
            self._ended.add(process, *counters.close(process))
        self._ended.observe(ended, counters.growth_before, counters.growth, keys_of)
        if table.complete:
            self._charge_due(keys_of)
            counters.set_baseline(table)
        reaped = self._count()
        newcomers = {pid for pid in changed_since(seen_before, table) if pid not in seen_before}
        newcomers |= {each.pid for each in ended}
        for process in self._unseen_zombies(table, newcomers):
            reaper = self._tree.parent(process)
            if isinstance(reaper, Process) and counters.get(reaper.id) is not None:
                # The parent will reap these ticks; count them as the parent's own.
                ticks = process.cpu_ticks + process.children_cpu_ticks
                reaped[reaper.id] = total(reaped.get(reaper.id, NOTHING), (ticks, 0, 0))
            else:
                counters.uncounted.add(process.id)
        return [
            UsageDelta(process, own.get(process, 0), reaped.get(process, NOTHING))
            for process in own.keys() | reaped.keys()
        ]

    def _charge_due(self, keys_of: Mapping[ProcessId, frozenset[object] | None]) -> None:
        for child in self._ended.settle():
            for ancestor in child.charged_to(keys_of):
                self._counters.mark_counted(ancestor, child.counted)

    def _count(self) -> dict[ProcessId, Amount]:
        """Count growth that is certain; the rest stays pending."""
        withheld = self._ended.withheld()
        withhold_unconfirmed(self._counters, self._tree, withheld)
        found: dict[ProcessId, Amount] = {}
        pending: set[ProcessId] = set()
        for process_id in self._counters.pending:
            if (counter := self._counters.get(process_id)) is None:
                continue
            gained = counter.count(withheld.get(process_id, NOTHING))
            if gained != NOTHING:
                found[process_id] = gained
            if counter.counted != counter.level:
                pending.add(process_id)
        self._counters.pending = pending
        return found

    def _unseen_zombies(self, table: ProcessTable, newcomers: Set[int]) -> Iterator[Process]:
        """Yield zombies that no sample saw alive: none of their usage is counted yet."""
        for pid in newcomers:
            process = table.processes.get(pid)
            if process is not None and not process.alive and self._counters.started_since_baseline(process):
                yield process
