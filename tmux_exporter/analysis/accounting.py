"""Counters per group of processes that start at 0 with the exporter and never fall.

The kernel counts per process and forgets with it. Here what a process used between two readings is added to
the groups that it belongs to at the second, and stays there when it moves on or ends.

What a process used after the last reading before its end is not seen: it is in its parent's
`children_cpu_ticks` once that has waited for it, and not counted yet.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from tmux_exporter.model import Process, ProcessId, ProcessTable

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a group has used since the exporter started."""

    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0


@dataclass(slots=True)
class _Counts:
    """Whole numbers, so that the sum of parts is the sum of their parts' parts."""

    cpu_ticks: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    def add(self, other: "_Counts") -> None:
        self.cpu_ticks += other.cpu_ticks
        self.read_bytes += other.read_bytes
        self.written_bytes += other.written_bytes


@dataclass(slots=True)
class _Mark:
    """The highest value that a process has shown, None where it has shown none."""

    cpu_ticks: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None

    def advance(self, process: Process) -> _Counts:
        """Move on to what a process shows now; the steps taken are its use since the last reading."""
        steps = _Counts(
            _step(self.cpu_ticks, process.cpu_ticks),
            _step(self.read_bytes, process.read_bytes),
            _step(self.written_bytes, process.written_bytes),
        )
        self.cpu_ticks = _highest(self.cpu_ticks, process.cpu_ticks)
        self.read_bytes = _highest(self.read_bytes, process.read_bytes)
        self.written_bytes = _highest(self.written_bytes, process.written_bytes)
        return steps


class Accounts(Generic[K]):
    """The counters; `observe` once per reading, in order."""

    def __init__(self) -> None:
        self._totals: dict[K, _Counts] = {}
        self._marks: dict[ProcessId, _Mark] = {}
        self._present: frozenset[ProcessId] | None = None
        self._ticks_per_second = 1

    def observe(self, table: ProcessTable, groups: Mapping[ProcessId, Collection[K]]) -> None:
        """Add to each group what its processes have used since the reading before.

        A process that no complete reading before this one held is new: all it has used belongs to the
        groups it is first seen in. One that was there and joins a group now, and all of the first reading,
        count from now on. A value that is not known or has fallen adds nothing.
        """
        self._ticks_per_second = table.clock_ticks_per_second
        marks: dict[ProcessId, _Mark] = {}
        for process_id, keys in groups.items():
            process = table.processes.get(process_id.pid)
            if process is None or process.id != process_id:
                continue
            mark = self._marks.get(process_id)
            if mark is None:
                mark = self._first_mark(process_id)
            steps = mark.advance(process)
            marks[process_id] = mark
            for key in set(keys):
                self._totals.setdefault(key, _Counts()).add(steps)
        present = frozenset(process.id for process in table.processes.values())
        if table.complete:
            self._marks = marks
            self._present = present
        else:
            # Whoever is missing here may only have been missed.
            self._marks |= marks
            self._present = None if self._present is None else self._present | present

    def totals(self, key: K) -> Totals:
        """What a group has used; 0 for one that has never been charged."""
        counts = self._totals.get(key, _Counts())
        return Totals(
            cpu_seconds=counts.cpu_ticks / self._ticks_per_second,
            read_bytes=counts.read_bytes,
            written_bytes=counts.written_bytes,
        )

    def retain(self, keys: Collection[K]) -> None:
        """Forget every group but these. One that comes back starts at 0 again."""
        kept = set(keys)
        self._totals = {key: counts for key, counts in self._totals.items() if key in kept}

    def _first_mark(self, process_id: ProcessId) -> _Mark:
        if self._present is None or process_id in self._present:
            return _Mark()
        return _Mark(0, 0, 0)


def _step(before: int | None, now: int | None) -> int:
    return 0 if before is None or now is None else max(0, now - before)


def _highest(before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return max(before, now)
