"""The ledgers of all processes that are counted, and how each has grown in the last two readings.

Nothing begins with a past. Who was there at the first complete reading, and whoever joins later, counts from
then; only who was born since counts whole. What a process of the first reading gets of its children counts
from the next reading on: before that, it may be the life of a child that ended while the first was taken,
unseen.
"""

from collections.abc import Collection, Mapping, Set

from tmux_exporter.analysis.cpu.process_counter import (
    EACH,
    NOTHING,
    UNKNOWN_AMOUNT,
    Amount,
    Figures,
    ProcessCounter,
    reapable_figures,
    total,
    without_unknown,
)
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class ProcessCounters:
    """The ledgers.

    `pending` are the processes that may have shown something that is not counted; of the `uncounted`
    nothing is: whoever gets what they leave counts it.
    """

    def __init__(self) -> None:
        self.growth: dict[ProcessId, Amount] = {}
        self.growth_before: dict[ProcessId, Amount] = {}
        self.pending: set[ProcessId] = set()
        self.uncounted: set[ProcessId] = set()
        self._counters: dict[ProcessId, ProcessCounter] = {}
        # Those of which a figure has no beginning yet: it may get one though the process has not changed.
        self._without_baseline: set[ProcessId] = set()
        self._first_was_just_now = False
        self._youngest_at_first: int | None = None
        self._twins_at_first: frozenset[ProcessId] = frozenset()

    def get(self, process: ProcessId) -> ProcessCounter | None:
        """The ledger of a process, None where it is not counted."""
        return self._counters.get(process)

    def look(
        self, table: ProcessTable, counted: Set[ProcessId], seen_before: Mapping[int, Process]
    ) -> dict[ProcessId, int]:
        """Bring the ledgers of the `counted` up to date; the ticks that each has used itself since.

        `seen_before` are the processes of the reading before.
        """
        if table.complete:
            # Else whoever was seen before may have ended since, unnoticed: its traces are still in doubt.
            self.growth_before, self.growth = self.growth, {}
            if counted == self._counters.keys():
                changed = [table.processes.get(pid) for pid in changed_since(seen_before, table)]
                ids = {process.id for process in changed if process is not None} & counted
                return self._advance(table, ids | self._without_baseline)
        kept: dict[ProcessId, ProcessCounter] = {}
        for process_id in counted:
            process = table.processes.get(process_id.pid)
            if process is not None and process.id == process_id:
                kept[process_id] = self._counters.get(process_id) or self._open(process, seen_before)
        present = list(kept)
        for process_id, counter in self._counters.items():
            # Those who ended close theirs, and those who may only have been missed keep it. Who is there and
            # not counted any more has none.
            process = table.processes.get(process_id.pid)
            if process_id not in kept and (process is None or process.id != process_id):
                kept[process_id] = counter
        self._counters = kept
        return self._advance(table, present)

    def _advance(self, table: ProcessTable, ids: Collection[ProcessId]) -> dict[ProcessId, int]:
        begun = self._youngest_at_first is not None
        own: dict[ProcessId, int] = {}
        for process_id in ids:
            process, counter = table.processes.get(process_id.pid), self._counters.get(process_id)
            if process is None or process.id != process_id or counter is None:
                self._without_baseline.discard(process_id)
                continue
            ticks, growth = counter.advance(process, set_baseline=begun)
            if ticks:
                own[process_id] = ticks
            if growth != NOTHING:
                self.growth[process_id] = total(self.growth.get(process_id, NOTHING), growth)
                self.pending.add(process_id)
            (self._without_baseline.add if None in counter.counted else self._without_baseline.discard)(
                process_id
            )
        return own

    def mark_counted(self, process: ProcessId, amount: Amount) -> None:
        """Learn that so much of what a process has shown was counted elsewhere."""
        if (counter := self._counters.get(process)) is not None:
            for each in EACH:
                counter.mark_counted(each, amount[each])
            if None in counter.counted:
                self._without_baseline.add(process)

    def set_baseline(self, table: ProcessTable) -> None:
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
        counter = self._counters.pop(process.id, None)
        self.growth.pop(process.id, None)
        self.pending.discard(process.id)
        if process.id in self.uncounted:
            self.uncounted.discard(process.id)
            return NOTHING, NOTHING
        lifetime_usage = self.lifetime_usage(process, counter)
        amount = [0, 0, 0]
        for each in EACH:
            figure = lifetime_usage[each]
            has_begun = not self._first_was_just_now if counter is None else counter.counted[each] is not None
            if figure is None or not has_begun:
                # It may have got the life of a child before anything was counted.
                amount[each] = UNKNOWN_AMOUNT
            else:
                amount[each] = figure - (0 if counter is None else counter.pending(each))
        return without_unknown(lifetime_usage), (amount[0], amount[1], amount[2])

    def lifetime_usage(self, process: Process, counter: ProcessCounter | None) -> Figures:
        """All that a parent will get of a process, as far as it has shown; None where it may be anything."""
        if process.id in self.uncounted:
            return NOTHING
        if counter is None:
            figures = reapable_figures(process)
            ticks = process.cpu_ticks + process.children_cpu_ticks
        else:
            # What was hidden from its beginning on may be of any age.
            read, written = (
                counter.level[each] if counter.counted[each] is not None else None for each in (1, 2)
            )
            figures = (counter.level[0], read, written)
            ticks = counter.own + (counter.level[0] or 0)
        if self.started_since_baseline(process):
            # It has no past, and what is not known of it was not counted.
            return ticks, figures[1] or 0, figures[2] or 0
        return ticks, figures[1], figures[2]

    def started_since_baseline(self, process: Process) -> bool:
        """Whether a process was born after the first complete reading, or while it was taken and not seen."""
        first = self._youngest_at_first
        return (
            first is not None and process.id.start_ticks >= first and process.id not in self._twins_at_first
        )

    def _open(self, process: Process, seen_before: Mapping[int, Process]) -> ProcessCounter:
        old = seen_before.get(process.id.pid)
        joins = old is not None and old.id == process.id
        if joins or not self.started_since_baseline(process):
            return ProcessCounter.from_now(process)
        return ProcessCounter.from_start()
