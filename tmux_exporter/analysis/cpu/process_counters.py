"""Counters of all counted processes, and how each has grown in the last two samples.

Counters start at zero: usage before the first complete sample is never counted. A process of that sample, and
one that joins a group later, count from then on; only a process that started since counts whole. Reaped usage
of a process of the first sample counts from the next sample on: before, it may be the whole life of a child
that ended unseen while the first sample was taken.

Usage of reaped children shows in `children_cpu_ticks`, apart from the process's own ticks, and in the byte
figures, together with its own bytes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable

Amount = tuple[int, int, int]
Figures = tuple[int | None, int | None, int | None]

NOTHING: Amount = (0, 0, 0)
_WITHOUT_BASELINE: Figures = (None, None, None)
_NOT_STALE = (False, False, False)
EACH = range(3)
UNKNOWN_AMOUNT = 1 << 80
"""Stands for an amount that is not known; larger than any real one."""


@dataclass(slots=True)
class ProcessCounter:
    """One counted process.

    `own` is the highest value of its own ticks, `level` that of each figure that includes reaped children.
    `counted` is how much of `level` is counted, for this process or for an ended child; None without a
    baseline. A figure that is not readable now is `stale`: it may have grown.

    There is one for each process: what is equal is one object, where it costs nothing to know that.
    """

    own: int
    level: Figures
    counted: Figures
    stale: tuple[bool, bool, bool] = _NOT_STALE
    seen: Process | None = None

    @classmethod
    def from_start(cls) -> "ProcessCounter":
        """The counter of a process that started after the first sample: all its usage counts."""
        return cls(own=0, level=NOTHING, counted=NOTHING)

    @classmethod
    def from_now(cls, process: Process) -> "ProcessCounter":
        """The counter of a process that started earlier: only usage from now on counts."""
        return cls(own=process.cpu_ticks, level=_WITHOUT_BASELINE, counted=_WITHOUT_BASELINE)

    def advance(self, process: Process, *, set_baseline: bool) -> tuple[int, Amount]:
        """Take the current figures; return the growth of its own ticks and of each other figure.

        A figure without a baseline gets one now if `set_baseline` allows it: then it may have grown by any
        amount. So may a hidden figure when the others show growth.
        """
        if process is self.seen and None not in self.counted:
            return 0, NOTHING
        self.seen = process
        own = max(0, process.cpu_ticks - self.own)
        self.own += own
        growth = [0, 0, 0]
        figures = reapable_figures(process)
        level, counted = list(self.level), list(self.counted)
        for each, now in enumerate(figures):
            before = level[each]
            if now is None:
                continue
            if before is None or now > before:
                level[each] = now
                growth[each] = now - (before or 0)
            if set_baseline and counted[each] is None:
                counted[each] = level[each]
                growth[each] = UNKNOWN_AMOUNT
        self.stale = _NOT_STALE
        if None in figures:
            self.stale = (figures[0] is None, figures[1] is None, figures[2] is None)
        self.level = (level[0], level[1], level[2])
        self._set_counted(counted)
        if any(growth):
            growth = [UNKNOWN_AMOUNT if self.stale[each] else growth[each] for each in EACH]
        return own, (growth[0], growth[1], growth[2])

    def _set_counted(self, figures: Sequence[int | None]) -> None:
        found = (figures[0], figures[1], figures[2])
        self.counted = self.level if found == self.level else found

    def pending(self, each: int) -> int:
        """The part of a figure that is not counted yet."""
        level, counted = self.level[each], self.counted[each]
        return 0 if level is None or counted is None else level - counted

    def mark_counted(self, each: int, amount: int) -> None:
        """Mark an amount of a figure as already counted for an ended child, up to what it has shown."""
        figures = list(self.counted)
        counted = figures[each]
        if counted is None:
            return
        if not self.stale[each]:
            figures[each] = counted + min(amount, max(0, self.pending(each)))
        elif amount < UNKNOWN_AMOUNT:
            # The figure was not readable since; the amount will show later.
            figures[each] = counted + amount
        else:
            figures[each] = None
        self._set_counted(figures)

    def count(self, withheld: Sequence[int]) -> Amount:
        """Count what is pending, except for the `withheld` amounts; return what was counted."""
        found = [0, 0, 0]
        figures = list(self.counted)
        for each in EACH:
            level, counted = self.level[each], figures[each]
            if level is not None and counted is not None and level - counted > withheld[each]:
                found[each] = level - counted - withheld[each]
                figures[each] = counted + found[each]
        self._set_counted(figures)
        return found[0], found[1], found[2]


def reapable_figures(process: Process) -> Figures:
    """The figures that include the usage of reaped children."""
    return process.children_cpu_ticks, process.read_bytes, process.written_bytes


def without_unknown(figures: Figures) -> Amount:
    """The figures, with 0 for unknown ones."""
    return figures[0] or 0, figures[1] or 0, figures[2] or 0


def total(left: Amount, right: Amount) -> Amount:
    """The sum of two amounts, figure by figure."""
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


class ProcessCounters:
    """The counters.

    `pending` are the processes that may have shown usage that is not counted yet. Of `uncounted` ended
    processes nothing is counted: their reapers count it.
    """

    def __init__(self) -> None:
        self.growth: dict[ProcessId, Amount] = {}
        self.growth_before: dict[ProcessId, Amount] = {}
        self.pending: set[ProcessId] = set()
        self.uncounted: set[ProcessId] = set()
        self._counters: dict[ProcessId, ProcessCounter] = {}
        self._keys_of: Mapping[ProcessId, object] = {}
        # Processes with a figure that has no baseline: it may get one although the process has not changed.
        self._without_baseline: set[ProcessId] = set()
        self._first_was_just_now = False
        self._youngest_at_first: int | None = None
        self._twins_at_first: frozenset[ProcessId] = frozenset()

    def get(self, process: ProcessId) -> ProcessCounter | None:
        """The counter of a process, None where it is not counted."""
        return self._counters.get(process)

    def update(
        self, table: ProcessTable, keys_of: Mapping[ProcessId, object], seen_before: Mapping[int, Process]
    ) -> dict[ProcessId, int]:
        """Update the counters of the processes in `keys_of`; return the own ticks that each has used since.

        `seen_before` are the processes of the last sample. The same object `keys_of` has the same processes.
        """
        if table.complete:
            # After an incomplete listing a process may have ended unnoticed: keep the growth of both samples.
            self.growth_before, self.growth = self.growth, {}
        changed = [table.processes.get(pid) for pid in changed_since(seen_before, table)]
        ids = {process.id for process in changed if process is not None and process.id in keys_of}
        if keys_of is not self._keys_of or len(keys_of) != len(self._counters):
            self._keys_of = keys_of
            # `close` drops the counters of ended processes; one that is only missing keeps its counter. A
            # process that is present and no longer counted loses it.
            for process_id in self._counters.keys() - keys_of.keys():
                if table.find(process_id) is not None:
                    del self._counters[process_id]
            for process_id in keys_of.keys() - self._counters.keys():
                if (process := table.find(process_id)) is not None:
                    self._counters[process_id] = self._open(process, seen_before)
                    ids.add(process_id)
        return self._advance(table, ids | self._without_baseline)

    def _advance(self, table: ProcessTable, ids: Collection[ProcessId]) -> dict[ProcessId, int]:
        begun = self._youngest_at_first is not None
        own: dict[ProcessId, int] = {}
        for process_id in ids:
            process, counter = table.find(process_id), self._counters.get(process_id)
            if process is None or counter is None:
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
        """Mark an amount of a process's usage as already counted for an ended child."""
        if (counter := self._counters.get(process)) is not None:
            for each in EACH:
                counter.mark_counted(each, amount[each])
            if None in counter.counted:
                self._without_baseline.add(process)

    def set_baseline(self, table: ProcessTable) -> None:
        """Take the first complete sample as the baseline; later calls change nothing."""
        if self._youngest_at_first is not None:
            self._first_was_just_now = False
            return
        ids = [process.id for process in table.processes.values()]
        youngest = max((each.start_ticks for each in ids), default=0)
        self._youngest_at_first = youngest
        self._twins_at_first = frozenset(each for each in ids if each.start_ticks == youngest)
        self._first_was_just_now = True

    def close(self, process: Process) -> tuple[Amount, Amount]:
        """Drop the counter of an ended process; return its usage, and the part that is already counted."""
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
                # The figure may include a child that was reaped before anything was counted.
                amount[each] = UNKNOWN_AMOUNT
            else:
                amount[each] = figure - (0 if counter is None else counter.pending(each))
        return without_unknown(lifetime_usage), (amount[0], amount[1], amount[2])

    def lifetime_usage(self, process: Process, counter: ProcessCounter | None) -> Figures:
        """All usage that the reaper of a process will get, as far as shown; None where it is unknown."""
        if process.id in self.uncounted:
            return NOTHING
        if counter is None:
            figures = reapable_figures(process)
            ticks = process.cpu_ticks + process.children_cpu_ticks
        else:
            # A figure without a baseline may include usage from before the first sample.
            read, written = (
                counter.level[each] if counter.counted[each] is not None else None for each in (1, 2)
            )
            figures = (counter.level[0], read, written)
            ticks = counter.own + (counter.level[0] or 0)
        if self.started_since_baseline(process):
            # It has no earlier usage, and unknown figures were never counted.
            return ticks, figures[1] or 0, figures[2] or 0
        return ticks, figures[1], figures[2]

    def started_since_baseline(self, process: Process) -> bool:
        """Whether a process started after the first complete sample, or unseen while that was taken."""
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
