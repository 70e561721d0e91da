"""Counters per group of processes that start at 0 with the exporter and never fall.

The kernel counts per process and forgets with it. Here what a process has used between two readings, and what
it got of children that ended meanwhile (`conservation`), is added to the groups that it belongs to at the
second, and stays there when it moves on or ends.
"""

from collections.abc import Collection, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

from tmux_exporter.analysis.cpu.conservation import Conservation
from tmux_exporter.analysis.cpu.process_counter import NOTHING, Amount
from tmux_exporter.analysis.departed import LabelExpiry
from tmux_exporter.facts.process import ProcessId, ProcessTable

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a group has used since the exporter started."""

    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0


_ZERO = Totals()


@dataclass(slots=True)
class _Counts:
    """Whole numbers, so that the sum of parts is the sum of their parts' parts."""

    cpu_ticks: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    cached: Totals | None = None

    def add(self, amount: Amount) -> None:
        self.cpu_ticks += amount[0]
        self.read_bytes += amount[1]
        self.written_bytes += amount[2]


class GroupCounters(Generic[K]):
    """The counters; `observe` once per reading, in order."""

    def __init__(self) -> None:
        self._totals: dict[K, _Counts] = {}
        self._departed: LabelExpiry[K] = LabelExpiry()
        self._groups: Mapping[ProcessId, Collection[K]] | None = None
        self._own: dict[ProcessId, frozenset[K]] = {}
        self._members: dict[ProcessId, frozenset[K]] = self._own
        self._conservation = Conservation()
        self._ticks_per_second = 1

    def observe(
        self,
        table: ProcessTable,
        groups: Mapping[ProcessId, Collection[K]],
        catch_alls: Mapping[ProcessId, Collection[K]] | None = None,
    ) -> None:
        """Add to each group what its processes have used since the reading before, ended children included.

        A process that was born after the first reading and is new in this one has used all it shows for the
        groups it is in now. One that joins a group, and all of the first reading, count from now on. A value
        that is not known or has fallen adds nothing. A zombie goes on in the groups it was in.

        What the processes in `catch_alls` get of ended children goes to these groups and not to their own: a
        tmux server waits for its panes, and init for everybody's orphans.
        """
        self._ticks_per_second = table.clock_ticks_per_second
        if groups is not self._groups:
            self._groups = groups
            self._own = {process: frozenset(keys) for process, keys in groups.items()}
        members = self._members = self._with_kept(table)
        catch_all_keys = (
            {} if catch_alls is None else {process: frozenset(keys) for process, keys in catch_alls.items()}
        )
        accounts = {**members, **dict.fromkeys(catch_all_keys)}
        for gain in self._conservation.advance(table, accounts):
            own = members.get(gain.process, frozenset())
            if gain.own_ticks:
                for key in own:
                    self._counts(key).cpu_ticks += gain.own_ticks
            if gain.reaped != NOTHING:
                for key in catch_all_keys.get(gain.process, own):
                    self._counts(key).add(gain.reaped)

    def _with_kept(self, table: ProcessTable) -> dict[ProcessId, frozenset[K]]:
        """The members of now, and of those before whoever is a zombie, or was only missed."""
        if self._members is self._own:
            return self._own
        kept = {}
        for process_id, keys in self._members.items():
            if process_id not in self._own:
                process = table.processes.get(process_id.pid)
                gone = process is None or process.id != process_id
                if (gone and not table.complete) or (not gone and process is not None and not process.alive):
                    kept[process_id] = keys
        return {**self._own, **kept} if kept else self._own

    def totals(self, key: K) -> Totals:
        """What a group has used; 0 for one that has never been charged."""
        if (counts := self._totals.get(key)) is None:
            return _ZERO
        if counts.cached is None:
            counts.cached = Totals(
                cpu_seconds=counts.cpu_ticks / self._ticks_per_second,
                read_bytes=counts.read_bytes,
                written_bytes=counts.written_bytes,
            )
        return counts.cached

    def cpu_seconds(self, key: K) -> float:
        """The same of `totals` alone that most groups are asked for."""
        counts = self._totals.get(key)
        return counts.cpu_ticks / self._ticks_per_second if counts else 0.0

    def retain(self, shown: AbstractSet[K], at: float) -> None:
        """Forget the groups that have not been among the `shown` for long, at the monotonic time `at`.

        One that comes back in time goes on from what it had, any other starts at 0 again.
        """
        for key in self._departed.expired(self._totals, shown, at):
            del self._totals[key]

    def _counts(self, key: K) -> _Counts:
        """The counters of a group, to be added to."""
        if (counts := self._totals.get(key)) is None:
            counts = self._totals[key] = _Counts()
        counts.cached = None
        return counts
