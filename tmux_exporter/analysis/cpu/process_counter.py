"""Counter of one process: the usage that /proc has shown, and how much of it is counted.

Three figures: CPU ticks, bytes read, bytes written. Usage of reaped children shows in `children_cpu_ticks`,
apart from the process's own ticks, and in the byte figures, together with its own bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tmux_exporter.facts.process import Process

Amount = tuple[int, int, int]
Figures = tuple[int | None, int | None, int | None]

NOTHING: Amount = (0, 0, 0)
EACH = range(3)
UNKNOWN_AMOUNT = 1 << 80
"""Stands for an amount that is not known; larger than any real one."""


@dataclass(slots=True)
class ProcessCounter:
    """One counted process.

    `own` is the highest value of its own ticks, `level` that of each figure that includes reaped children.
    `counted` is how much of `level` is counted, for this process or for an ended child; None without a
    baseline. A figure that is not readable now is `stale`: it may have grown.
    """

    own: int
    level: list[int | None]
    counted: list[int | None]
    stale: list[bool] = field(default_factory=lambda: [False, False, False])
    seen: Process | None = None

    @classmethod
    def from_start(cls) -> "ProcessCounter":
        """The counter of a process that started after the first sample: all its usage counts."""
        return cls(own=0, level=[0, 0, 0], counted=[0, 0, 0])

    @classmethod
    def from_now(cls, process: Process) -> "ProcessCounter":
        """The counter of a process that started earlier: only usage from now on counts."""
        return cls(own=process.cpu_ticks, level=[None, None, None], counted=[None, None, None])

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
        for each, now in enumerate(reapable_figures(process)):
            before = self.level[each]
            self.stale[each] = now is None
            if now is None:
                continue
            if before is None or now > before:
                self.level[each] = now
                growth[each] = now - (before or 0)
            if set_baseline and self.counted[each] is None:
                self.counted[each] = self.level[each]
                growth[each] = UNKNOWN_AMOUNT
        if any(growth):
            growth = [UNKNOWN_AMOUNT if self.stale[each] else growth[each] for each in EACH]
        return own, (growth[0], growth[1], growth[2])

    def pending(self, each: int) -> int:
        """The part of a figure that is not counted yet."""
        level, counted = self.level[each], self.counted[each]
        return 0 if level is None or counted is None else level - counted

    def mark_counted(self, each: int, amount: int) -> None:
        """Mark an amount of a figure as already counted for an ended child, up to what it has shown."""
        counted = self.counted[each]
        if counted is None:
            return
        if not self.stale[each]:
            self.counted[each] = counted + min(amount, max(0, self.pending(each)))
        elif amount < UNKNOWN_AMOUNT:
            # The figure was not readable since; the amount will show later.
            self.counted[each] = counted + amount
        else:
            self.counted[each] = None

    def count(self, withheld: Sequence[int]) -> Amount:
        """Count what is pending, except for the `withheld` amounts; return what was counted."""
        found = [0, 0, 0]
        for each in EACH:
            level, counted = self.level[each], self.counted[each]
            if level is not None and counted is not None and level - counted > withheld[each]:
                found[each] = level - counted - withheld[each]
                self.counted[each] = counted + found[each]
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
