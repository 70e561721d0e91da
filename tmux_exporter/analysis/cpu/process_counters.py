"""The ledgers of all processes that are counted, and how each has grown in the last two readings.

Nothing begins with a past. Who was there at the first complete reading, and whoever joins later, counts from
then; only who was born since counts whole. What a process of the first reading gets of its children counts
from the next reading on: before that, it may be the life of a child that ended while the first was taken,
unseen.
"""

from collections.abc import Collection, Mapping, Set

from tmux_exporter.analysis.cpu.process_counter import (
    ALL_OF_IT,
    EACH,
    NOTHING,
    Amount,
    Figures,
    Ledger,
    known,
    shown,
    total,
)
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class Books:
    """The ledgers.

    `unsettled` are the processes that may have shown something that is not counted; of the `uncounted`
    nothing is: whoever gets what they leave counts it.
    """

    def __init__(self) -> None:
        self.growth: dict[ProcessId, Amount] = {}
        self.growth_before: dict[ProcessId, Amount] = {}
        self.unsettled: set[ProcessId] = set()
        self.uncounted: set[ProcessId] = set()
        self._ledgers: dict[ProcessId, Ledger] = {}
        # Those of which a figure has no beginning yet: it may get one though the process has not changed.
        self._beginning: set[ProcessId] = set()
        self._first_was_just_now = False
        self._youngest_at_first: int | None = None
        self._twins_at_first: frozenset[ProcessId] = frozenset()

    def get(self, process: ProcessId) -> Ledger | None:
        """The ledger of a process, None where it is not counted."""
        return self._ledgers.get(process)

    def look(
        self, table: ProcessTable, counted: Set[ProcessId], seen_before: Mapping[int, Process]
    ) -> dict[ProcessId, int]:
        """Bring the ledgers of the `counted` up to date; the ticks that each has used itself since.

        `seen_before` are the processes of the reading before.
        """
        if table.complete:
            # Else whoever was seen before may have ended since, unnoticed: its traces are still in doubt.
            self.growth_before, self.growth = self.growth, {}
            if counted == self._ledgers.keys():
                changed = [table.processes.get(pid) for pid in changed_since(seen_before, table)]
                ids = {process.id for process in changed if process is not None} & counted
                return self._advance(table, ids | self._beginning)
        ledgers: dict[ProcessId, Ledger] = {}
        for process_id in counted:
            process = table.processes.get(process_id.pid)
            if process is not None and process.id == process_id:
                ledgers[process_id] = self._ledgers.get(process_id) or self._open(process, seen_before)
        present = list(ledgers)
        for process_id, ledger in self._ledgers.items():
            # Those who ended close theirs, and those who may only have been missed keep it. Who is there and
            # not counted any more has none.
            process = table.processes.get(process_id.pid)
            if process_id not in ledgers and (process is None or process.id != process_id):
                ledgers[process_id] = ledger
        self._ledgers = ledgers
        return self._advance(table, present)

    def _advance(self, table: ProcessTable, ids: Collection[ProcessId]) -> dict[ProcessId, int]:
        begun = self._youngest_at_first is not None
        own: dict[ProcessId, int] = {}
        for process_id in ids:
            process, ledger = table.processes.get(process_id.pid), self._ledgers.get(process_id)
            if process is None or process.id != process_id or ledger is None:
                self._beginning.discard(process_id)
                continue
            ticks, growth = ledger.advance(process, begin=begun)
            if ticks:
                own[process_id] = ticks
            if growth != NOTHING:
                self.growth[process_id] = total(self.growth.get(process_id, NOTHING), growth)
                self.unsettled.add(process_id)
            (self._beginning.add if None in ledger.counted else self._beginning.discard)(process_id)
        return own

    def explain(self, process: ProcessId, amount: Amount) -> None:
        """Learn that so much of what a process has shown was counted elsewhere."""
        if (ledger := self._ledgers.get(process)) is not None:
            for each in EACH:
                ledger.explain(each, amount[each])
            if None in ledger.counted:
                self._beginning.add(process)

    def begin(self, table: ProcessTable) -> None:
        """Take a complete reading for the first one; those after it do nothing."""
        if self._youngest_at_first is not None:
            self._first_was_just_now = False
            return
        ids = [process.id for process in table.processes.values()]
        youngest = max((each.start_ticks for each in ids), default=0)
        self._youngest_at_first = youngest
        self._twins_at_first = frozenset(each for each in ids if each.start_ticks == youngest)
        self._first_was_just_now = True

    def close(self, process: Process) -> tuple[Amount, Amount]:
        """Close the ledger of a process that has ended: what it had shown, and what of it counts no more."""
        ledger = self._ledgers.pop(process.id, None)
        self.growth.pop(process.id, None)
        self.unsettled.discard(process.id)
        if process.id in self.uncounted:
            self.uncounted.discard(process.id)
            return NOTHING, NOTHING
        whole = self.whole(process, ledger)
        amount = [0, 0, 0]
        for each in EACH:
            figure = whole[each]
            has_begun = not self._first_was_just_now if ledger is None else ledger.counted[each] is not None
            if figure is None or not has_begun:
                # It may have got the life of a child before anything was counted.
                amount[each] = ALL_OF_IT
            else:
                amount[each] = figure - (0 if ledger is None else ledger.unexplained(each))
        return known(whole), (amount[0], amount[1], amount[2])

    def whole(self, process: Process, ledger: Ledger | None) -> Figures:
        """All that a parent will get of a process, as far as it has shown; None where it may be anything."""
        if process.id in self.uncounted:
            return NOTHING
        if ledger is None:
            figures = shown(process)
            ticks = process.cpu_ticks + process.children_cpu_ticks
        else:
            # What was hidden from its beginning on may be of any age.
            read, written = (
                ledger.level[each] if ledger.counted[each] is not None else None for each in (1, 2)
            )
            figures = (ledger.level[0], read, written)
            ticks = ledger.own + (ledger.level[0] or 0)
        if self.is_young(process):
            # It has no past, and what is not known of it was not counted.
            return ticks, figures[1] or 0, figures[2] or 0
        return ticks, figures[1], figures[2]

    def is_young(self, process: Process) -> bool:
        """Whether a process was born after the first complete reading, or while it was taken and not seen."""
        first = self._youngest_at_first
        return (
            first is not None and process.id.start_ticks >= first and process.id not in self._twins_at_first
        )

    def _open(self, process: Process, seen_before: Mapping[int, Process]) -> Ledger:
        old = seen_before.get(process.id.pid)
        joins = old is not None and old.id == process.id
        if joins or not self.is_young(process):
            return Ledger.from_now(process)
        return Ledger.from_birth()
