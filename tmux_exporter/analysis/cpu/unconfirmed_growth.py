"""Growth that may be the trace of a process which was seen in the same reading.

A reading is no instant. A child that was looked at may end and be waited for before its parent is looked at:
then its whole life shows twice, and not before the next reading it turns out to have ended.
"""

from collections.abc import Iterable, Mapping

from tmux_exporter.analysis.cpu.parents import LOST, Kinship, Lost
from tmux_exporter.analysis.cpu.process_counter import ALL_OF_IT, EACH, Amount
from tmux_exporter.analysis.cpu.process_counters import Books
from tmux_exporter.facts.process import Process, ProcessId

Withheld = dict[ProcessId, list[int]]


def withhold_for_the_present(books: Books, kinship: Kinship, withheld: Withheld) -> None:
    """Add, for all whose growth can hold it, what processes that may be there would leave."""
    if not books.growth:
        return
    bounds = [
        max((growth[each] for growth in books.growth.values() if growth[each] < ALL_OF_IT), default=0)
        for each in EACH
    ]
    ancestors = _GrownAncestors(kinship, books.growth)
    for process in kinship.present.values():
        ledger = books.get(process.id)
        if ledger is None and process.alive and not _fits(process, bounds):
            continue
        whole = books.whole(process, ledger)
        for ancestor in ancestors.of(process):
            growth = books.growth[ancestor]
            amounts = withheld.setdefault(ancestor, [0, 0, 0])
            for each in EACH:
                left = whole[each]
                if left is None:
                    # Strangers whose bytes are hidden are no children of ours; zombies may be.
                    amounts[each] += ALL_OF_IT if ledger is not None or not process.alive else 0
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

    def __init__(self, kinship: Kinship, growth: Mapping[ProcessId, Amount]) -> None:
        self._kinship = kinship
        self._growth = growth
        self._nearest: dict[ProcessId, Process | Lost | None] = {}

    def of(self, process: Process) -> Iterable[ProcessId]:
        given: set[ProcessId] = set()
        found = self._above(process)
        while isinstance(found, Process) and found.id not in given:
            given.add(found.id)
            found = self._above(found)
        return self._growth if found is LOST else given

    def _above(self, process: Process) -> Process | Lost | None:
        nearest, growth, parent = self._nearest, self._growth, self._kinship.parent
        path: list[ProcessId] = []
        found: Process | Lost | None = process
        while isinstance(found, Process):
            if found.id in nearest:
                found = nearest[found.id]
                break
            # In case parents form a circle, it ends here.
            nearest[found.id] = LOST
            path.append(found.id)
            # What an orphan has left may be with the ancestors that it had before.
            found = LOST if self._kinship.was_adopted(found) else parent(found)
            if isinstance(found, Process) and found.id in growth:
                break
        for process_id in path:
            nearest[process_id] = found
        return found
