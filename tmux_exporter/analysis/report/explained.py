"""Result of `explain`: facts in words, members with their shares, parts and sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.ledgers import CpuSource, PaneLedger, source_of_parts
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import MEMORY_SOURCES, MemorySource, Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedProcess:
    """One member process. `memory_ratio` is its share of the members' memory, if known.

    `files` is the process by which its table of open files is known.
    """

    pid: int
    name: str
    evidence: str
    memory_bytes: int | None
    memory_ratio: float | None
    cpu_seconds: float
    open_fds: int | None
    threads: int
    start_time: float
    files: ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over living processes; None where no value could be read."""

    processes: int
    memory_bytes: int | None
    cpu_seconds: float
    open_fds: int | None
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPart:
    """A pane of a session, a session of a server or an agent of a program, in words, with its sums."""

    name: str
    words: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The explained object: label/value facts in words, its parts, if any, and its members.

    `holders` are the process itself, or those that hold most of a figure of an agent. `session` has the
    labels of a session.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    members: tuple[ExplainedProcess, ...]
    parts: tuple[ExplainedPart, ...] = ()
    holders: tuple[ProcessId, ...] = ()
    session: tuple[str, str] | None = None

    @property
    def sums(self) -> Sums:
        """The sums over all members."""
        return _sums_of(self.members)


def members_of(
    processes: Iterable[Process], owners: Mapping[ProcessId, Owner], snapshot: Snapshot
) -> tuple[ExplainedProcess, ...]:
    """Processes as members, the largest memory first."""
    processes = list(processes)
    sizes = {process.id: snapshot.memory.memory_bytes(process) for process in processes}
    total = sum(size for size in sizes.values() if size is not None)
    members = []
    for process in processes:
        size = sizes[process.id]
        owner = owners.get(process.id)
        members.append(
            ExplainedProcess(
                pid=process.id.pid,
                name=name_of(process),
                evidence=f"{owner.evidence}: {owner.reason}" if owner else "none",
                memory_bytes=size,
                memory_ratio=size / total if size is not None and total else None,
                cpu_seconds=process.cpu_ticks / snapshot.table.clock_ticks_per_second,
                open_fds=process.open_fds,
                threads=process.threads,
                start_time=snapshot.table.start_time(process.id),
                files=snapshot.memory.tables.get(process.id, process.id),
            )
        )
    return tuple(sorted(members, key=lambda member: (-(member.memory_bytes or 0), member.pid)))


def sources_of(panes: Iterable[PaneKey], snapshot: Snapshot) -> list[tuple[str, str]]:
    """What the CPU and the memory of these panes together rest on, as facts."""
    ledgers = {pane: snapshot.ledgers.get(pane, PaneLedger()) for pane in panes}
    found = snapshot.members()
    memory = {
        MemorySource.CGROUP
        if ledger.memory_bytes is not None
        else snapshot.memory.source(found.get(pane, ())) or MemorySource.STATUS
        for pane, ledger in ledgers.items()
    }
    cpu = source_of_parts(each.cpu_from for each in ledgers.values())
    weakest = next((each for each in MEMORY_SOURCES if each in memory), MemorySource.STATUS)
    return [
        ("CPU told by", f"{cpu}: {_CPU_WORDS[cpu]}"),
        ("memory told by", f"{weakest}: {_MEMORY_WORDS[weakest]}"),
    ]


_CPU_WORDS: Mapping[CpuSource, str] = {
    CpuSource.CGROUP: "the kernel's account of cgroups that hold nothing else, orphans included",
    CpuSource.PROCESSES: "its processes; what orphans use counts as far as somebody sees it",
    CpuSource.MIXED: "cgroups of its own, and processes outside them",
}
_MEMORY_WORDS: Mapping[MemorySource, str] = {
    MemorySource.CGROUP: "the kernel's account of cgroups that hold nothing else",
    MemorySource.STATUS: "its processes; nothing of note is shared",
    MemorySource.SMAPS_ROLLUP: "its processes; what is shared is divided among its sharers",
    MemorySource.UPPER_BOUND: "its processes; what is shared is not told apart and counts for each of them",
}


def sums_of(processes: Iterable[Process], snapshot: Snapshot) -> Sums:
    """The sums over processes."""
    return _sums_of(members_of(processes, {}, snapshot))


def name_of(process: Process) -> str:
    """The name of a process's program, safe in a terminal."""
    if process.argv and process.argv[0]:
        return visible_text(process.argv[0].rsplit("/", 1)[-1])
    return visible_text(process.comm)


def _sums_of(members: Iterable[ExplainedProcess]) -> Sums:
    members = tuple(members)
    return Sums(
        processes=len(members),
        memory_bytes=_sum(each.memory_bytes for each in members),
        cpu_seconds=sum(each.cpu_seconds for each in members),
        open_fds=_sum({each.files: each.open_fds for each in members}.values()),
        threads=sum(each.threads for each in members),
    )


def _sum(figures: Iterable[int | None]) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
