"""CPU time of orphans that nobody got: about how much of it each group (a session) is short by.

What an orphan used after the last look at it goes at its end to init, or to another subreaper, with that of
everybody's orphans. How much that is together is known; whose it was is estimated. Without fork events it
is divided by the orphans that samples saw: the longer one runs, the likelier a sample sees it, so those
seen are in proportion to what was used. With events each orphan is known, and no group can have lost more
CPU time than its orphans ran without being asked.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable

K = TypeVar("K", bound=Hashable)

HALF_LIFE_SECONDS = 600.0
"""After this time an orphan that a sample saw weighs half as much."""

_LEAST = 1e-3


class EndedOrphans(NamedTuple):
    """The orphans of a group that ended since the last sample, in ticks.

    `counted` counts for the group already; for `unasked` nobody asked them.
    """

    counted: float
    unasked: float


class Unwatched(Generic[K]):
    """Divides what adopters of orphans got. Call `observe` once per sample, in order."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._taken_at = 0.0
        self._adopters: frozenset[int] = frozenset()
        self._weights: dict[K | None, float] = {}
        self._unasked: dict[K | None, float] = {}
        self._ahead = 0.0
        self._rests: dict[K, float] = {}

    @property
    def groups(self) -> frozenset[K]:
        """The groups that may lose something in the next samples."""
        return frozenset(each for each in (*self._weights, *self._unasked) if each is not None)

    def observe(
        self,
        table: ProcessTable,
        now: float,
        adopters: Mapping[ProcessId, int],
        group_of: Callable[[ProcessId], K | None],
        ended: Mapping[K | None, EndedOrphans] | None = None,
    ) -> dict[K, int]:
        """The ticks that each group lost in this sample; `now` is the wall time of it.

        `adopters` are the processes to which orphans go, with the ticks that they got which were not counted.
        `group_of` tells the group of a process in the last sample; None: it is no group's, or its group
        misses nothing. `ended` are the orphans by the kernel's events, None where none come.
        """
        elapsed = table.taken_at - self._taken_at
        for group, weight in self._seen(table, now - elapsed, group_of):
            self._weights[group] = self._weights.get(group, 0.0) + weight
        self._before, self._taken_at = table.processes, table.taken_at
        self._adopters = frozenset(each.pid for each in adopters)
        lost = sum(adopters.values())
        shares = self._by_weight(lost) if ended is None else self._by_events(lost, ended)
        fade = 0.5 ** (elapsed / HALF_LIFE_SECONDS)
        self._weights = {each: left for each, w in self._weights.items() if (left := w * fade) > _LEAST}
        whole = {group: share + self._rests.get(group, 0.0) for group, share in shares.items()}
        self._rests = {group: ticks % 1 for group, ticks in whole.items()}
        return {group: int(ticks) for group, ticks in whole.items() if ticks >= 1}

    def _seen(
        self, table: ProcessTable, then: float, group_of: Callable[[ProcessId], K | None]
    ) -> Iterator[tuple[K | None, float]]:
        """The orphans of the last sample that have ended since, by the share of their life that they ran."""
        if not self._adopters or not table.complete:
            return
        tick = 1 / table.clock_ticks_per_second
        for pid in changed_since(self._before, table):
            old, new = self._before.get(pid), table.processes.get(pid)
            if old is None or not old.alive or old.ppid not in self._adopters:
                continue
            if new is None or new.id != old.id or not new.alive:
                age = max(tick, then - table.start_time(old.id))
                yield group_of(old.id), min(1.0, (old.cpu_ticks + 1) * tick / age)

    def _by_weight(self, lost: float) -> dict[K, float]:
        every = sum(self._weights.values())
        return {group: lost * w / every for group, w in self._weights.items() if group is not None and lost}

    def _by_events(self, lost: float, ended: Mapping[K | None, EndedOrphans]) -> dict[K, float]:
        for group, each in ended.items():
            self._unasked[group] = self._unasked.get(group, 0.0) + each.unasked
            self._ahead += each.counted
        # What orphans had said themselves is in what their adopter got, now or in the next sample.
        left = lost - self._ahead
        self._ahead = max(0.0, -left) / 2
        every = sum(self._unasked.values())
        part = min(1.0, max(0.0, left) / every) if every else 0.0
        shares = {group: part * most for group, most in self._unasked.items() if part and group is not None}
        self._unasked = {
            group: left for group, most in self._unasked.items() if (left := (1 - part) * most / 2) > _LEAST
        }
        return shares
