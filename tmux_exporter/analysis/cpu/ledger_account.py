"""The CPU counter of a pane with cgroups of its own: exact where they hold all of it, smooth at each switch.

Two figures of a pane grow side by side, and neither is ever more than was used: what its processes gained by
conservation, orphans and children of those that ignore SIGCHLD left out; and what its cgroups used, together
with the own CPU time of members outside them. Where all members are inside, the cgroups alone count. Where
some are outside, the larger of both counts: what somebody outside reaped may have been used inside.

Conservation is late by up to one sample. So when the cgroups go, the processes must not count once more what
the cgroups had counted in the last sample.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tmux_exporter.facts.ledgers import NO_GAIN, CpuGain
from tmux_exporter.facts.process import ProcessId

K = TypeVar("K", bound=Hashable)
_SECOND = 1_000_000_000


class LedgerAccount:
    """One pane. In each sample call `begin`, then `note` for each gain of a process, then `settle`.

    `counts` is False where the processes alone count, as they would without this.
    """

    def __init__(self) -> None:
        self._gain = NO_GAIN
        self._before = NO_GAIN
        self._processes = 0
        self._outside = 0
        # How much more has been counted than conservation has told.
        self._ahead = 0
        # How much of that conservation may tell in the next sample.
        self._late = 0
        self._rest = 0

    def begin(self, gain: CpuGain) -> None:
        """Begin a sample with what the cgroups have used."""
        self._before, self._gain = self._gain, gain
        self._processes = self._outside = 0

    @property
    def counts(self) -> bool:
        """Whether cgroups count in this sample, or what they counted in the last one still matters."""
        return self._gain.active or self._before.active

    def note(self, process: ProcessId | None, own_ticks: int, reaped_ticks: int) -> None:
        """Note what a process of the pane has gained by conservation; None: an orphan that has ended."""
        self._processes += own_ticks + reaped_ticks
        if process in self._gain.outside:
            self._outside += own_ticks

    def settle(self, ticks_per_second: int) -> int:
        """The ticks to add to the counters of the pane in this sample; the rest of a tick comes later."""
        tick = _SECOND // ticks_per_second
        gained = self._settled(self._processes * tick, self._outside * tick) + self._rest
        ticks, self._rest = divmod(gained, tick)
        return ticks

    def _settled(self, processes: int, own_outside: int) -> int:
        late, self._late = self._late, 0
        if not self._gain.active:
            self._ahead = 0
            return processes - min(processes, late)
        counted = ledgers = self._gain.nanoseconds + own_outside
        if self._gain.outside:
            if not self._before.outside:
                self._ahead = late
            # Never over: it is what conservation told up to some sample, and what cgroups told from then on.
            counted = max(ledgers, processes - self._ahead)
        self._ahead = max(0, self._ahead + counted - processes)
        self._late = min(self._ahead, counted)
        return counted


@dataclass(frozen=True, slots=True)
class Charged(Generic[K]):
    """The account of a pane in one sample, and the counters that it counts for."""

    account: LedgerAccount
    keys: frozenset[K]
