"""Counters of CPU time and I/O per group of processes: they start at 0 with the exporter and never fall.

The kernel counts per process and drops the figures when the process ends. Here the usage of a process between
two samples, reaped children included (`conservation`), is added to the groups that the process belongs to in
the second sample. It stays there when the process moves to another group or ends.
"""

from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from tmux_exporter.analysis.cpu.conservation import Conservation
from tmux_exporter.analysis.cpu.ledger_account import Charged
from tmux_exporter.analysis.cpu.process_counters import NOTHING, Amount
from tmux_exporter.analysis.label_expiry import LabelExpiry
from tmux_exporter.facts.process import ProcessId, ProcessTable

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Usage of a group since the exporter started; `io_known`: bytes of a process of it could be read."""

    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    io_known: bool = False


_ZERO = Totals()


@dataclass(slots=True)
class _Counts:
    """Whole numbers, so that sums are exact at every level."""

    cpu_ticks: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    io_known: bool = False

    def add(self, amount: Amount) -> None:
        self.cpu_ticks += amount[0]
        self.read_bytes += amount[1]
        self.written_bytes += amount[2]


class GroupCounters(Generic[K]):
    """The counters; call `observe` once per sample, in order."""

    def __init__(self) -> None:
        self._totals: dict[K, _Counts] = {}
        self._cached: dict[K, Totals] = {}
        self._expiry: LabelExpiry[K] = LabelExpiry()
        self._members: Mapping[ProcessId, frozenset[K]] = {}
        self._catch_alls: Mapping[ProcessId, frozenset[K]] = {}
        self._keys_of: Mapping[ProcessId, frozenset[K] | None] = {}
        self._conservation = Conservation()
        self._ticks_per_second = 1

    def observe(
        self,
        table: ProcessTable,
        groups: Mapping[ProcessId, frozenset[K]],
        catch_alls: Mapping[ProcessId, frozenset[K]] = MappingProxyType({}),
        ledgers: Mapping[K, Charged[K]] = MappingProxyType({}),
        orphans: Mapping[K, tuple[frozenset[K], int]] = MappingProxyType({}),
    ) -> dict[ProcessId, int]:
        """Add to each group what its processes have used since the last sample, reaped children included.

        Returns the ticks of reaped children that the processes in `catch_alls` have gained. `groups` has each
        group of a process once.

        A new process that started after the first sample counts whole. A process of the first sample, and
        one that joins a group, count from now on. An unknown value, and one that has fallen, add nothing. A
        zombie stays in its groups.

        Usage that the processes in `catch_alls` have reaped goes to the given groups instead of their own: a
        tmux server reaps its panes, and init reaps all orphans.

        `ledgers` are by one of the groups for which each counts: what processes of that group gain counts in
        these through its account. `orphans` are ticks that no process of the table has shown, by one of the
        groups that they count for.
        """
        self._ticks_per_second = table.clock_ticks_per_second
        before, members = (self._members, self._catch_alls), self._with_kept(table, groups)
        if members is not before[0] or catch_alls is not before[1]:
            self._keys_of = {**members, **dict.fromkeys(catch_alls)}
        self._members, self._catch_alls = members, catch_alls
        caught: dict[ProcessId, int] = dict.fromkeys(catch_alls, 0)
        for gain in self._conservation.advance(table, self._keys_of):
            own = members.get(gain.process, ())
            charged = next((ledgers[key] for key in own if key in ledgers), None) if ledgers else None
            accounted: frozenset[K] = frozenset()
            if charged is not None:
                accounted = charged.keys
                charged.account.note(gain.process, gain.own_ticks, gain.reaped[0])
            if gain.own_ticks:
                for key in own:
                    if key not in accounted:
                        self._counts(key).cpu_ticks += gain.own_ticks
            if gain.reaped != NOTHING:
                if gain.process in caught:
                    caught[gain.process] = gain.reaped[0]
                for key in catch_alls.get(gain.process, own):
                    self._counts(key).add(gain.reaped if key not in accounted else (0, *gain.reaped[1:]))
        for key, (keys, ticks) in orphans.items():
            if key in ledgers:
                ledgers[key].account.note(None, 0, ticks)
                continue
            for each in keys:
                self._counts(each).cpu_ticks += ticks
        for charged in ledgers.values():
            if ticks := charged.account.settle(table.clock_ticks_per_second):
                for key in charged.keys:
                    self._counts(key).cpu_ticks += ticks
        return caught

    def add(self, ticks: Mapping[K, int]) -> None:
        """Add CPU ticks to groups."""
        for key, count in ticks.items():
            self._counts(key).cpu_ticks += count

    def _with_kept(
        self, table: ProcessTable, groups: Mapping[ProcessId, frozenset[K]]
    ) -> Mapping[ProcessId, frozenset[K]]:
        """The current members, and earlier ones that are zombies or missing from an incomplete listing."""
        if self._members is groups:
            return groups
        kept = {}
        for process_id, keys in self._members.items():
            if process_id not in groups:
                process = table.find(process_id)
                if not table.complete if process is None else not process.alive:
                    kept[process_id] = keys
        return {**groups, **kept} if kept else groups

    def totals_of(self, keys: Sequence[K]) -> list[Totals]:
        """Usage of each of these groups; without a call of Python for each that is as it was."""
        found = map(self._cached.get, keys)
        return [totals or self.totals(key) for key, totals in zip(keys, found, strict=True)]

    def totals(self, key: K) -> Totals:
        """Usage of a group; 0 for a group without any. The same object until it has used more."""
        if (counts := self._totals.get(key)) is None:
            return _ZERO
        if (totals := self._cached.get(key)) is None:
            totals = self._cached[key] = Totals(
                cpu_seconds=counts.cpu_ticks / self._ticks_per_second,
                read_bytes=counts.read_bytes,
                written_bytes=counts.written_bytes,
                io_known=counts.io_known,
            )
        return totals

    def note_io(self, key: K) -> None:
        """Bytes of a process of this group could be read: its counters of bytes do not end any more."""
        if (counts := self._totals.get(key)) is None or not counts.io_known:
            self._counts(key).io_known = True

    def cpu_seconds(self, key: K) -> float:
        """CPU seconds of a group: cheaper than `totals`."""
        counts = self._totals.get(key)
        return counts.cpu_ticks / self._ticks_per_second if counts else 0.0

    def retain(self, shown: Container[K], at: float) -> None:
        """Drop the groups that have long not been `shown`; `at` is the monotonic time of this sample.

        A group that comes back earlier continues from its last value; later it starts at 0.
        """
        for key in self._expiry.expired(self._totals, shown, at):
            del self._totals[key]
            self._cached.pop(key, None)

    def _counts(self, key: K) -> _Counts:
        """The counters of a group; the caller adds to them."""
        if (counts := self._totals.get(key)) is None:
            counts = self._totals[key] = _Counts()
        self._cached.pop(key, None)
        return counts
