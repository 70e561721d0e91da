"""Unconfirmed growth: usage of a parent that may come from a child read as alive in the same sample.

A sample is not one moment. A child may be read, end and be reaped before its parent is read: then its usage
shows twice, and only the next sample shows that the child has ended. Such growth is withheld until then, to
prevent double counting.
"""

from collections.abc import Iterable, Mapping

from tmux_exporter.analysis.cpu.parents import UNKNOWN_PARENT, ProcessTree, UnknownParent
from tmux_exporter.analysis.cpu.process_counter import EACH, UNKNOWN_AMOUNT, Amount
from tmux_exporter.analysis.cpu.process_counters import ProcessCounters
from tmux_exporter.facts.process import Process, ProcessId

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
    for process in tree.present.values():
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
