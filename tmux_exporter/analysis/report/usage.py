"""Resource usage of a set of processes: memory, CPU, I/O, descriptors, threads; cached while unchanged."""

import posixpath
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, TypeVar

from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.memory.shared_memory import PLAIN, MemoryFigures
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import Helper, HelperKind
from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.ledgers import (
    NO_ACCOUNT,
    Counts,
    KernelAccount,
    LedgerCount,
    PaneLedger,
    PidCount,
    source_of_parts,
)
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import (
    MEMORY_SOURCES,
    MemorySource,
    Process,
    ProcessId,
    ProcessTable,
    Unreadable,
)
from tmux_exporter.facts.report import Sum, TreeProcess, Usage

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def usage(
    processes: Iterable[Process],
    totals: Totals,
    start_time: Callable[[ProcessId], float],
    memory_limit: int | None = None,
    memory: MemoryFigures = PLAIN,
) -> Usage:
    """Sum over the living `processes`. Zombies are passed in too: this is the only place that drops them.

    `memory_bytes` is anonymous plus shared memory, without double counting where `memory` knows the shares
    (`memory_source`). A sum covers the readable members; it is None where none of them is readable, and 0
    without members. `read_bytes_total` and `written_bytes_total` stay known once they were.
    `fd_utilization_ratio` is that of the process nearest to its soft limit.
    """
    members = {process.id.pid: process for process in processes if process.alive}
    living = members.values()
    # Column by column: a loop of Python over each figure costs most of a sample from nothing.
    resident, anonymous, threads, fds, limits, read = [*zip(*map(_FIGURES, living), strict=True)] or [()] * 6
    io_known = totals.io_known or not members or any(each is not None for each in read)
    # A limit of 0 has no ratio: descriptors opened before it was set stay open.
    ratios = [held / limit for held, limit in zip(fds, limits, strict=True) if held is not None and limit]
    missing = {missed for each in living if each.unreadable for missed in _missing(each)}
    return Usage(
        memory_bytes=_sum([memory.memory_bytes(each) for each in living]),
        memory_limit_bytes=memory_limit,
        resident_memory_bytes=_sum(resident),
        anonymous_memory_bytes=_sum(anonymous),
        swap_memory_bytes=_sum([memory.swap_bytes(each) for each in living]),
        cpu_seconds_total=totals.cpu_seconds,
        processes=len(members),
        threads=sum(threads),
        open_fds=_sum(memory.per_table(living, fds)),
        fd_utilization_ratio=max(ratios) if ratios else None if members else 0.0,
        read_bytes_total=totals.read_bytes if io_known or totals.read_bytes else None,
        written_bytes_total=totals.written_bytes if io_known or totals.written_bytes else None,
        process_tree_depth=_depth(members),
        oldest_process_start_time_seconds=start_time(min(living, key=_START).id) if members else None,
        memory_source=memory.source(living),
        partial=tuple(sorted(missing)),
    )


_START = attrgetter("id.start_ticks")
_FIGURES = attrgetter("resident_bytes", "anonymous_bytes", "threads", "open_fds", "max_fds", "read_bytes")


def helpers_usage(
    helpers: Iterable[Helper], processes: Iterable[Process], memory: MemoryFigures = PLAIN
) -> tuple[Mapping[HelperKind, int], Mapping[HelperKind, int]]:
    """How many helpers of each kind there are, and their memory as far as it is known."""
    living = {each.id: each for each in processes if each.alive}
    counts: Counter[HelperKind] = Counter()
    sums: dict[HelperKind, int | None] = {}
    for helper in helpers:
        members = [process for each in helper.members if (process := living.get(each))]
        counts[helper.kind] += bool(members)
        for process in members:
            sums[helper.kind] = _plus(sums.get(helper.kind), memory.memory_bytes(process))
    return +counts, {kind: value for kind, value in sums.items() if value is not None}


def _missing(process: Process) -> Iterable[Sum]:
    """Which figures of a process that could not be read wholly are not known."""
    if process.anonymous_bytes is None:
        yield Sum.MEMORY
    if process.open_fds is None:
        yield Sum.FDS
    if process.read_bytes is None:
        yield Sum.IO


def with_ledger(own: Usage, ledger: PaneLedger, members: Iterable[Process], memory: MemoryFigures) -> Usage:
    """The usage of a pane by the accounts of its cgroups, where these know more.

    Memory that was charged elsewhere before a process came to its cgroup is missing there: then the figures
    of the processes are the larger ones, and stay.
    """
    found = replace(own, cpu_source=ledger.cpu_source)
    if ledger.memory_bytes is None:
        return found
    apart = [memory.memory_bytes(each) or 0 for each in members if each.id in ledger.memory_outside]
    counted = ledger.memory_bytes + sum(apart)
    known = own.memory_bytes
    if known is None or counted >= known or own.memory_source is MemorySource.UPPER_BOUND:
        hidden = tuple(each for each in own.partial if each is not Sum.MEMORY or ledger.memory_outside)
        found = replace(found, memory_bytes=counted, memory_source=MemorySource.CGROUP, partial=hidden)
    return found


def with_counts(own: Usage, counts: Counts) -> Usage:
    """The usage with what cgroups count."""
    kills = counts.get(LedgerCount.OOM_KILLS)
    return own if kills is None else replace(own, oom_kills_total=int(kills))


def account(pids: PidCount | None, counts: Counts) -> KernelAccount:
    """What the cgroups of a pane count, as it is shown."""
    if pids is None and counts.keys() <= {LedgerCount.OOM_KILLS}:
        return NO_ACCOUNT
    return KernelAccount(
        pids=pids.pids if pids else None,
        pids_limit=pids.limit if pids else None,
        disk_read_bytes_total=counts.get(LedgerCount.READ_BYTES),
        disk_written_bytes_total=counts.get(LedgerCount.WRITTEN_BYTES),
        disk_reads_total=counts.get(LedgerCount.READS),
        disk_writes_total=counts.get(LedgerCount.WRITES),
        pressure_seconds_total={
            (resource, kind): counts[each]
            for each in counts
            for resource, _, kind in (each.partition(" "),)
            if kind
        },
    )


def sum_of(parts: Iterable[Usage], totals: Totals, memory_limit: int | None = None) -> Usage:
    """The `usage` of several sets of processes together; no process is in two of them.

    The depth is that of the deepest tree within one set.
    """
    sets = [each for each in parts if each.processes]
    sources = {each.memory_source for each in sets}
    # Where only counters of one direction are known, those of the sum are too.
    both = (None not in (each.read_bytes_total, each.written_bytes_total) for each in sets)
    io_known = totals.io_known or not sets or any(both)
    ratios = [each.fd_utilization_ratio for each in sets if each.fd_utilization_ratio is not None]
    starts = [each.oldest_process_start_time_seconds for each in sets]
    missing = {missed for each in sets for missed in each.partial}
    return Usage(
        memory_bytes=_sum([each.memory_bytes for each in sets]),
        memory_limit_bytes=memory_limit,
        resident_memory_bytes=_sum([each.resident_memory_bytes for each in sets]),
        anonymous_memory_bytes=_sum([each.anonymous_memory_bytes for each in sets]),
        swap_memory_bytes=_sum([each.swap_memory_bytes for each in sets]),
        cpu_seconds_total=totals.cpu_seconds,
        processes=sum(each.processes for each in sets),
        threads=sum(each.threads for each in sets),
        open_fds=_sum([each.open_fds for each in sets]),
        fd_utilization_ratio=max(ratios) if ratios else None if sets else 0.0,
        read_bytes_total=totals.read_bytes if io_known or totals.read_bytes else None,
        written_bytes_total=totals.written_bytes if io_known or totals.written_bytes else None,
        process_tree_depth=max((each.process_tree_depth for each in sets), default=0),
        oldest_process_start_time_seconds=min((each for each in starts if each is not None), default=None),
        memory_source=next((each for each in MEMORY_SOURCES if each in sources), None),
        partial=tuple(sorted(missing)),
        cpu_source=source_of_parts(each.cpu_source for each in sets),
    )


def _sum(values: Sequence[int | None]) -> int | None:
    """The sum of the known values; None where none of them is known."""
    return None if values and values.count(None) == len(values) else sum(filter(None, values))


def _plus(total: int | None, value: int | None) -> int | None:
    """The sum of the known values."""
    return total if value is None else value if total is None else total + value


def _depth(members: Mapping[int, Process]) -> int:
    """Depth of the process tree: the longest path from a member without a parent in the set to a leaf."""
    depths: dict[int, int] = {}
    for pid in members:
        line: list[int] = []
        current = pid
        # Stops at a cycle, which a race while reading can make.
        while current in members and current not in depths:
            depths[current] = 0
            line.append(current)
            current = members[current].ppid
        above = depths.get(current, 0)
        for each in reversed(line):
            above += 1
            depths[each] = above
    return max(depths.values(), default=0)


class ReportCache:
    """Parts of reports, made again only when the facts they are made of have changed.

    Call `begin` in each sample, then `made` for each part.
    """

    def __init__(self) -> None:
        self._shared: object = None
        self._before: Mapping[Hashable, tuple[Any, Any]] = {}
        self._now: dict[Hashable, tuple[Any, Any]] = {}
        self._odd = PerProcess(lambda each: each if each.unreadable or each.state in "ZX" else None)
        self._odd_changed = False
        self._unreadable_facts: object = None
        self._unreadable_counts: Counter[Unreadable] = Counter()

    def begin(self, table: ProcessTable, shared: object) -> dict[int, list[Process]]:
        """Begin a sample and return its zombies by parent. All parts depend on the `shared` facts too."""
        same = shared == self._shared
        self._before, self._now, self._shared = self._now if same else {}, {}, shared
        self._odd_changed = bool(self._odd.update(table))
        zombies: dict[int, list[Process]] = {}
        for process in self._odd.found.values():
            if not process.alive:
                zombies.setdefault(process.ppid, []).append(process)
        return zombies

    def unreadable(self, table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> Mapping[Unreadable, int]:
        """Unreadable processes by reason: of our uid, and of other users in a pane or left behind by one."""
        # Compared by identity: owners are the same object until one of them changes.
        if self._odd_changed or self._unreadable_facts is not owners:
            self._unreadable_facts = owners
            counts: Counter[Unreadable] = Counter()
            for process in self._odd.found.values():
                owner = owners.get(process.id) if process.uid != table.uid else None
                if owner is not None and owner.pane is not None:
                    counts.update(process.unreadable)
            self._unreadable_counts = counts
        return {reason: count + self._unreadable_counts[reason] for reason, count in table.unreadable.items()}

    def made(self, key: Hashable, facts: object, make: Callable[[], T]) -> T:
        """The result of `make`, or the last one if `facts` are equal. Use each key once in a sample."""
        kept = self._before.get(key)
        if kept is None or kept[0] != facts:
            kept = (facts, make())
        self._now[key] = kept
        found: T = kept[1]
        return found

    def each(
        self, name: Hashable, keys: list[K], facts: list[object], make: Callable[[int], T]
    ) -> tuple[T, ...]:
        """One part by place for each of the `keys`, made again only where its facts are others than before.

        The same tuple as in the last sample where nothing has changed.
        """
        kept = self._before.get(name)
        if kept is None or kept[0] != (keys, facts):
            # By key: what they were made of, and the part.
            old = (
                {key: (fact, part) for key, fact, part in zip(*kept[0], kept[1], strict=True)} if kept else {}
            )
            parts = (
                old[key][1] if key in old and old[key][0] == fact else make(place)
                for place, (key, fact) in enumerate(zip(keys, facts, strict=True))
            )
            kept = (keys, facts), tuple(parts)
        self._now[name] = kept
        found: tuple[T, ...] = kept[1]
        return found


_DELETED = " (deleted)"


def agent_trees(snapshot: Snapshot) -> Mapping[ProcessId, tuple[TreeProcess, ...]]:
    """The living processes of each running agent, by its root, in the order of their pids."""
    return {
        agent.process: tuple(
            tree_process(process, snapshot)
            for member in sorted(agent.members)
            if (process := snapshot.table.find(member)) is not None and process.alive
        )
        for agent in snapshot.agents
    }


def tree_process(process: Process, snapshot: Snapshot) -> TreeProcess:
    """The figures of one living process."""
    ticks = process.cpu_ticks + process.children_cpu_ticks
    known = process.open_fds is not None and process.max_fds
    return TreeProcess(
        process=process.id,
        parent=process.ppid,
        name=label_text(posixpath.basename((process.exe or process.comm).removesuffix(_DELETED))),
        memory_bytes=snapshot.memory.memory_bytes(process),
        resident_memory_bytes=process.resident_bytes,
        anonymous_memory_bytes=process.anonymous_bytes,
        swap_memory_bytes=snapshot.memory.swap_bytes(process),
        cpu_seconds_total=ticks / snapshot.table.clock_ticks_per_second,
        threads=process.threads,
        open_fds=process.open_fds,
        fd_utilization_ratio=process.open_fds / process.max_fds
        if known and process.open_fds is not None and process.max_fds
        else None,
        read_bytes_total=process.read_bytes,
        written_bytes_total=process.written_bytes,
    )


def most_repeated_command(members: Iterable[Process]) -> tuple[int, tuple[str, ...]]:
    """The command line that most living members run, and how many; of two the first.

    A high count means that an agent keeps starting processes and never ends them; they are no leaks, because
    their parent exists.
    """
    found = [each.argv for each in members if each.argv and each.alive]
    if len(found) < 2:
        return len(found), found[0] if found else ()
    argv, count = Counter(found).most_common(1)[0]
    return count, argv
