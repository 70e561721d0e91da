"""Shared memory without double counting: which processes share pages, and whose PSS has to be read.

`status` costs 15 µs and counts a shared page for every process that has it. Only two kinds of processes
share pages: those forked from one another without exec (same `image`), and those with shared memory. Only
of these, and only where the amount matters, `smaps_rollup` (PSS) is read, within a CPU budget: a fortieth
in each sample of the cost of reading all processes, saved up to a burst. For processes that were never read
there is more, a twentieth in each second, so that all are read within a minute, whatever the interval is. A
reading is planned with a typical cost and charged with its real cost.

Between two readings a figure continues from the last one: growth counts for the process alone, and memory
that a fork family shared is divided by the family's current size.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import MemorySource, Process, ProcessId, ProcessTable, ProportionsFound

MATTERS_BYTES = 1 << 20
"""Processes that can double count less than this are not read."""

LARGE_BYTES = 192 << 20
"""A larger process is blocked for more than 2 ms while it is read: only where it matters, once a minute."""

LARGE_SECONDS = 60.0
LARGE_SHARE = 0.03
"""A larger process is read only if more than this part of its figure may count for others too."""

LARGEST_BYTES = 3 << 30
"""The cost of reading a larger process is more than the budget ever has."""

BURST_SECONDS = 0.03
SHARE = 1 / 40
SHARE_OF_A_SECOND = 1 / 20
"""For processes that were never read: in each second, whatever the interval is."""

BURST_SHARE = 0.006
"""So much of the time between two samples is saved up for them, where that is more."""

_DEAREST = 8.0
FRESH_SAMPLES = 12
"""After this many samples a process is read again even if nothing seems to have changed."""

_SMALL_SECONDS = 85e-6
_SECONDS_PER_BYTE = 9.4e-6 / (1 << 20)


def reading_seconds(resident_bytes: int) -> float:
    """About how long `smaps_rollup` of a process takes, as measured."""
    return _SMALL_SECONDS + resident_bytes * _SECONDS_PER_BYTE


SharerSets = tuple[frozenset[ProcessId], ...]
"""The processes that a process may share memory with, itself included: one set per group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The last reading of a process: the memory that counts for other processes, and how to see a change.

    `family` is the size of its fork family then, `own_figures` are its own figures.
    """

    anonymous_elsewhere: int
    shared_memory_elsewhere: int
    swap_elsewhere: int
    family: int
    sharers: SharerSets
    own_figures: tuple[int | None, ...]
    sample: int
    at: float

    def now(self, process: Process, family: int) -> int:
        """The part that counts for other processes in a family of `n`: `(n - 1) / n` of what all share."""
        anonymous = 0.0
        if family > 1 and self.family > 1:
            # A family that forked while it was read had more members than the table of that sample.
            shared = min(
                self.anonymous_elsewhere * self.family / (self.family - 1), process.anonymous_bytes or 0
            )
            anonymous = shared * (family - 1) / family
        return round(anonymous) + min(self.shared_memory_elsewhere, process.shared_memory_bytes or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """What `status` figures lack or have too much, in bytes.

    `elsewhere` is the part that counts for other processes; `doubtful`: not read yet. `unmapped` is held in
    files without a name that nobody maps. `tables`: of processes that have another one's table of open files,
    the process by which that table is known.
    """

    elsewhere: Mapping[ProcessId, int]
    swap_elsewhere: Mapping[ProcessId, int]
    doubtful: frozenset[ProcessId] = frozenset()
    unmapped: Mapping[ProcessId, int] = field(default_factory=dict)
    tables: Mapping[ProcessId, ProcessId] = field(default_factory=dict)

    def memory_bytes(self, process: Process) -> int | None:
        """Anonymous plus shared memory of one process, each page once; None where it is not known."""
        if process.anonymous_bytes is None or process.shared_memory_bytes is None:
            return None
        counted = process.anonymous_bytes + process.shared_memory_bytes
        if self.unmapped:
            counted += self.unmapped.get(process.id, 0)
        return max(0, counted - self.elsewhere.get(process.id, 0)) if self.elsewhere else counted

    def swap_bytes(self, process: Process) -> int | None:
        """Its swapped-out anonymous memory, each page once; None where it is not known."""
        if process.swap_bytes is None:
            return None
        elsewhere = self.swap_elsewhere
        return max(0, process.swap_bytes - elsewhere.get(process.id, 0)) if elsewhere else process.swap_bytes

    def per_table(self, processes: Iterable[Process], fds: Sequence[int | None]) -> Sequence[int | None]:
        """Of the open descriptors of these processes those of each table once."""
        if not self.tables:
            return fds
        ids = (self.tables.get(each.id, each.id) for each in processes)
        return [*dict(zip(ids, fds, strict=True)).values()]

    def by_process(self) -> dict[ProcessId, tuple[object, ...]]:
        """All of it by process, of those about which anything is said."""
        said = self.elsewhere.keys() | self.swap_elsewhere.keys() | self.doubtful | self.unmapped.keys()
        said |= self.tables.keys()
        return {
            each: (
                self.elsewhere.get(each),
                self.swap_elsewhere.get(each),
                each in self.doubtful,
                self.unmapped.get(each),
                self.tables.get(each),
            )
            for each in said
        }

    def source(self, processes: Iterable[Process]) -> MemorySource | None:
        """The source of the sum of their memory; None where none of them is known."""
        known = [
            each.id
            for each in processes
            if each.anonymous_bytes is not None and each.shared_memory_bytes is not None
        ]
        if not known:
            return None
        if not self.doubtful.isdisjoint(known):
            return MemorySource.UPPER_BOUND
        measured = self.elsewhere and not self.elsewhere.keys().isdisjoint(known)
        return MemorySource.SMAPS_ROLLUP if measured else MemorySource.STATUS


PLAIN = MemoryFigures(elsewhere={}, swap_elsewhere={})
"""The unchanged figures of `status`."""


class SharedMemory:
    """Keeps the readings between samples. Call `plan`, read what it returns, `learn`, then `figures`."""

    def __init__(self) -> None:
        self._readings: dict[ProcessId, _Reading] = {}
        self._refused: dict[ProcessId, int] = {}
        self._budget = BURST_SECONDS
        # What only processes that were never read may cost, and how dear readings have been.
        self._for_doubts = 0.0
        self._dearness = 1.0
        self._images = PerProcess(_image)
        self._relatives: Sequence[Sequence[int]] = ()
        self._owned: Set[ProcessId] = frozenset()
        self._every = 0.0
        self._sharing = PerProcess(_shares)
        self._resident = PerProcess(_resident)
        self._sample = 0
        self._taken_at = 0.0
        self._doubts: Mapping[ProcessId, int] = {}
        self._planned: tuple[ProcessId, ...] = ()
        self._group: Mapping[ProcessId, Process] = {}
        self._family: Mapping[ProcessId, int] = {}
        self._sharers: Mapping[ProcessId, SharerSets] = {}

    @property
    def families(self) -> Sequence[Sequence[int]]:
        """The pids that are forked from one another without exec; the same object until one changes."""
        return self._relatives

    def plan(self, table: ProcessTable, owned: Set[ProcessId]) -> tuple[ProcessId, ...]:
        """The processes whose `smaps_rollup` to read now, of the `owned` only.

        Those never read come first, the one that may double count most before all others. The same object
        `owned` has the same processes.
        """
        self._sample += 1
        elapsed = table.taken_at - self._taken_at if self._sample > 1 else 0.0
        self._taken_at = table.taken_at
        if self._images.update(table) or owned is not self._owned:
            self._relatives = _relatives(self._images.found, owned)
            self._owned = owned
        self._sharing.update(table)
        families = _families(_processes_at(self._relatives, table))
        sharers = _processes_at([self._sharing.found] if len(self._sharing.found) > 1 else [], table)
        groups = [*families, *sharers]
        self._group = {each.id: each for group in groups for each in group if each.id in owned}
        self._family = {each.id: len(family) for family in families for each in family}
        self._sharers = _sharers(groups)
        self._doubts = _doubts(families, sharers)
        self._readings = {id_: kept for id_, kept in self._readings.items() if id_ in self._group}
        self._refused = {id_: at for id_, at in self._refused.items() if id_ in self._group}
        if self._resident.update(table):
            resident = self._resident.found
            self._every = len(resident) * _SMALL_SECONDS + sum(resident.values()) * _SECONDS_PER_BYTE
        income = self._every * SHARE
        self._budget = min(BURST_SECONDS, self._budget + income)
        most = max(BURST_SECONDS, BURST_SHARE * elapsed)
        more = self._every * SHARE_OF_A_SECOND * self._dearness * elapsed
        self._for_doubts = min(most, self._for_doubts + more)
        self._planned = tuple(self._affordable(sorted(self._wanted(), key=self._priority)))
        return self._planned

    def learn(self, read: ProportionsFound) -> None:
        """Store what was read, and charge its CPU time to the budget."""
        spared = sum(self._cost(id_) for id_ in self._planned) - read.cpu_seconds
        if any(id_ not in self._readings for id_ in read.found):
            self._for_doubts += spared
        else:
            self._budget += spared
        if expected := sum(self._cost(id_) for id_ in read.found if id_ in self._group):
            dearness = min(_DEAREST, max(1.0, read.cpu_seconds / expected))
            self._dearness = max(dearness, self._dearness + (dearness - self._dearness) / 8)
        for id_, proportions in read.found.items():
            process = self._group.get(id_)
            if process is None:
                continue
            if proportions is None:
                self._refused[id_] = self._sample
                continue
            self._readings[id_] = _Reading(
                anonymous_elsewhere=proportions.anonymous_elsewhere_bytes,
                shared_memory_elsewhere=max(
                    0, (process.shared_memory_bytes or 0) - proportions.shared_memory_bytes
                ),
                swap_elsewhere=proportions.swap_elsewhere_bytes,
                family=self._family.get(id_, 1),
                sharers=self._sharers[id_],
                own_figures=_own_figures(process),
                sample=self._sample,
                at=self._taken_at,
            )

    def figures(self) -> MemoryFigures:
        """The memory figures as known now."""
        elsewhere = {
            id_: kept.now(self._group[id_], self._family.get(id_, 1)) for id_, kept in self._readings.items()
        }
        return MemoryFigures(
            elsewhere=elsewhere,
            swap_elsewhere={id_: kept.swap_elsewhere for id_, kept in self._readings.items()},
            doubtful=frozenset(self._group.keys() - self._readings.keys()),
        )

    def _wanted(self) -> list[ProcessId]:
        return [
            id_
            for id_, process in self._group.items()
            if self._may_be_read(id_, process)
            and self._sample - self._refused.get(id_, -FRESH_SAMPLES) >= FRESH_SAMPLES
            and self._is_stale(id_, process)
        ]

    def _may_be_read(self, id_: ProcessId, process: Process) -> bool:
        """Whether a large process is worth blocking for."""
        resident = process.resident_bytes or 0
        if resident <= LARGE_BYTES:
            return True
        kept = self._readings.get(id_)
        figure = (process.anonymous_bytes or 0) + (process.shared_memory_bytes or 0)
        return (
            resident <= LARGEST_BYTES
            and self._doubts[id_] > LARGE_SHARE * figure
            and (kept is None or self._taken_at - kept.at >= LARGE_SECONDS)
        )

    def _is_stale(self, id_: ProcessId, process: Process) -> bool:
        kept = self._readings.get(id_)
        return (
            kept is None
            or kept.sharers != self._sharers[id_]
            or kept.own_figures != _own_figures(process)
            or self._sample - kept.sample >= FRESH_SAMPLES
        )

    def _priority(self, id_: ProcessId) -> tuple[bool, bool, int]:
        kept = self._readings.get(id_)
        if kept is None:
            return (False, False, -self._doubts[id_])
        return (True, kept.sharers == self._sharers[id_], kept.sample)

    def _affordable(self, wanted: Sequence[ProcessId]) -> Iterable[ProcessId]:
        for id_ in wanted:
            cost = self._cost(id_)
            spared = self._for_doubts if id_ not in self._readings else 0.0
            if cost > self._budget + spared:
                break
            paid = min(cost, max(0.0, spared))
            self._for_doubts -= paid
            self._budget -= cost - paid
            yield id_

    def _cost(self, id_: ProcessId) -> float:
        return reading_seconds(self._group[id_].resident_bytes or 0)


def _is_known(process: Process) -> bool:
    return process.anonymous_bytes is not None and process.alive


def _image(process: Process) -> int | None:
    if not _is_known(process):
        return None
    # Of another user's process the kernel hides the address: one command line in one kernel session may be
    # forks of one process.
    return process.image or hash((process.uid, process.session_id, process.argv))


def _shares(process: Process) -> bool | None:
    return (_is_known(process) and (process.shared_memory_bytes or 0) >= MATTERS_BYTES) or None


def _resident(process: Process) -> int | None:
    return process.resident_bytes or 0 if _is_known(process) else None


def _relatives(images: Mapping[int, int], owned: Iterable[ProcessId]) -> list[list[int]]:
    """Processes forked from one another without exec, where one of them is `owned`."""
    of_owned = {images.get(each.pid) for each in owned}
    by_image: defaultdict[int, list[int]] = defaultdict(list)
    for pid, image in images.items():
        if image in of_owned:
            by_image[image].append(pid)
    return [family for family in by_image.values() if len(family) > 1]


def _families(relatives: Iterable[list[Process]]) -> list[list[Process]]:
    """The families that can double count an amount that matters."""
    return [
        family
        for family in relatives
        if _most_in_common([each.anonymous_bytes or 0 for each in family]) >= MATTERS_BYTES
    ]


def _processes_at(groups: Iterable[Iterable[int]], table: ProcessTable) -> list[list[Process]]:
    return [[table.processes[pid] for pid in group] for group in groups]


def _sharers(groups: Iterable[Sequence[Process]]) -> dict[ProcessId, SharerSets]:
    found: dict[ProcessId, SharerSets] = {}
    for group in groups:
        sharers = frozenset(each.id for each in group)
        for id_ in sharers:
            found[id_] = (*found.get(id_, ()), sharers)
    return found


def _doubts(
    families: Iterable[Sequence[Process]], sharers: Iterable[Sequence[Process]]
) -> dict[ProcessId, int]:
    """The most bytes of each process that may count for another one as well."""
    found: dict[ProcessId, int] = {}
    for family in families:
        most = _most_in_common([each.anonymous_bytes or 0 for each in family])
        for each in family:
            found[each.id] = min(each.anonymous_bytes or 0, most)
    for group in sharers:
        for each in group:
            found[each.id] = found.get(each.id, 0) + (each.shared_memory_bytes or 0)
    return found


def _most_in_common(sizes: Sequence[int]) -> int:
    """The most bytes that these can have in common."""
    return sum(sizes) - max(sizes)


def _own_figures(process: Process) -> tuple[int | None, ...]:
    return (process.cpu_ticks, process.anonymous_bytes, process.shared_memory_bytes, process.swap_bytes)
