"""What one process has shown of its use, and how much of it has been counted.

Three figures each: CPU ticks, bytes read, bytes written. What a process gets of its ended children shows in
the ticks of its children, which are theirs alone, and in its bytes, which are its own as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tmux_exporter.facts.process import Process

Amount = tuple[int, int, int]
Figures = tuple[int | None, int | None, int | None]

NOTHING: Amount = (0, 0, 0)
EACH = range(3)
UNKNOWN_AMOUNT = 1 << 80
"""More than any process ever used: where nobody knows how much, everything is in doubt."""


@dataclass(slots=True)
class ProcessCounter:
    """One process that is counted.

    `own` is the highest that its own ticks have shown, `level` the highest of each figure in which it
    inherits. `counted` is how far that has been counted, here or elsewhere; None until it has a beginning. A
    figure that is not known now is `stale`: it may have moved.
    """

    own: int
    level: list[int | None]
    counted: list[int | None]
    stale: list[bool] = field(default_factory=lambda: [False, False, False])
    seen: Process | None = None

    @classmethod
    def from_start(cls) -> "ProcessCounter":
        """The ledger of a process that has used nothing yet that does not count."""
        return cls(own=0, level=[0, 0, 0], counted=[0, 0, 0])

    @classmethod
    def from_now(cls, process: Process) -> "ProcessCounter":
        """The ledger of a process with a past that is nobody's business."""
        return cls(own=process.cpu_ticks, level=[None, None, None], counted=[None, None, None])

    def advance(self, process: Process, *, set_baseline: bool) -> tuple[int, Amount]:
        """Move on to what a process shows now; its own ticks and the growth of each figure since.

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
        """What a figure has shown that is not counted, neither here nor elsewhere."""
        level, counted = self.level[each], self.counted[each]
        return 0 if level is None or counted is None else level - counted

    def mark_counted(self, each: int, amount: int) -> None:
        """Learn that so much of a figure was counted elsewhere, as far as it can have shown."""
        counted = self.counted[each]
        if counted is None:
            return
        if not self.stale[each]:
            self.counted[each] = counted + min(amount, max(0, self.pending(each)))
        elif amount < UNKNOWN_AMOUNT:
            # It has not been seen since and will show later.
            self.counted[each] = counted + amount
        else:
            self.counted[each] = None

    def count(self, withheld: Sequence[int]) -> Amount:
        """Count what is unexplained but for this much."""
        found = [0, 0, 0]
        for each in EACH:
            level, counted = self.level[each], self.counted[each]
            if level is not None and counted is not None and level - counted > withheld[each]:
                found[each] = level - counted - withheld[each]
                self.counted[each] = counted + found[each]
        return found[0], found[1], found[2]


def reapable_figures(process: Process) -> Figures:
    """The figures of a process in which it inherits."""
    return process.children_cpu_ticks, process.read_bytes, process.written_bytes


def without_unknown(figures: Figures) -> Amount:
    """Figures with 0 for what is not known."""
    return figures[0] or 0, figures[1] or 0, figures[2] or 0


def total(left: Amount, right: Amount) -> Amount:
    """The sum of two amounts, figure by figure."""
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]
