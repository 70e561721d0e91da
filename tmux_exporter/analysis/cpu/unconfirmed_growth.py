"""Growth that may be the trace of a process which was seen in the same reading.

A reading is no instant. A child that was looked at may end and be waited for before its parent is looked at:
then its whole life shows twice, and not before the next reading it turns out to have ended.
"""

from collections.abc import Iterable, Mapping

from tmux_exporter.analysis.cpu.parents import UNKNOWN_PARENT, ProcessTree, UnknownParent
from tmux_exporter.analysis.cpu.process_counter import EACH, UNKNOWN_AMOUNT, Amount
from tmux_exporter.analysis.cpu.process_counters import ProcessCounters
from tmux_exporter.facts.process import Process, ProcessId

Withheld = dict[ProcessId, list[int]]


def withhold_unconfirmed(counters: ProcessCounters, tree: ProcessTree, withheld: Withheld) -> None:
    """Add, for all whose growth can hold it, what processes that may be there would leave."""
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
                    # Strangers whose bytes are hidden are no children of ours; zombies may be.
                    amounts[each] += UNKNOWN_AMOUNT if counter is not None or not process.alive else 0
                elif left <= growth[each]:
                    amounts[each] += left


def _fits(process: Process, bounds: list[int]) -> bool:
    """Whether anybody's growth can hold anything of a process; most strangers are sorted out here."""
    return (
        0 < process.cpu_ticks + process.children_cpu_ticks <= bounds[0]
        or 0 < (process.read_bytes or 0) <= bounds[1]
        or 0 < (process.written_bytes or 0) <= bounds[2]
    )


class _GrownAncestors:
    """Which ancestors of a process have grown; whoever lost its parents may be anybody's."""

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
            # In case parents form a circle, it ends here.
            nearest[found.id] = UNKNOWN_PARENT
            path.append(found.id)
            # What an orphan has left may be with the ancestors that it had before.
            found = UNKNOWN_PARENT if self._tree.was_reparented(found) else parent(found)
            if isinstance(found, Process) and found.id in growth:
                break
        for process_id in path:
            nearest[process_id] = found
        return found
