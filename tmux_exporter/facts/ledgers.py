"""Facts about the kernel's own accounts of a pane: the cgroups that hold its processes and no others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId


class CpuSource(StrEnum):
    """What the CPU counter of a pane or session rests on now (closed list, a label).

    CGROUP: cgroups of its own, orphans included. PROCESSES: its processes. MIXED: some of each.
    """

    CGROUP = "cgroup"
    PROCESSES = "processes"
    MIXED = "mixed"


class LedgerFolders(NamedTuple):
    """The folders of the cgroups that account for CPU and memory of a process; empty where none does."""

    cpu: str
    memory: str


class PaneScope(NamedTuple):
    """A cgroup that tmux has made for a pane: the first process of the pane, and the server, by their pids.

    `made_at` is wall time.
    """

    folder: str
    pane_pid: int
    server_pid: int
    made_at: float


class PidCount(NamedTuple):
    """Processes and threads, and how many there can be; None without a limit."""

    pids: int
    limit: int | None


def fullest(counts: Iterable[PidCount]) -> PidCount | None:
    """The one that is nearest to its limit; where none has a limit, the largest."""

    def fill(each: PidCount) -> tuple[bool, float]:
        limited = each.limit is not None
        return limited, each.pids / max(1, each.limit) if each.limit is not None else each.pids

    return max(counts, key=fill, default=None)


class LedgerCount(StrEnum):
    """What cgroups count besides CPU time; time in seconds."""

    OOM_KILLS = "oom_kills"
    READ_BYTES = "read_bytes"
    WRITTEN_BYTES = "written_bytes"
    READS = "reads"
    WRITES = "writes"
    CPU_SOME = "cpu some"
    CPU_FULL = "cpu full"
    IO_SOME = "io some"
    IO_FULL = "io full"
    MEMORY_SOME = "memory some"
    MEMORY_FULL = "memory full"


Counts = Mapping[LedgerCount, float]
NO_COUNTS: Counts = MappingProxyType({})


class CpuGain(NamedTuple):
    """What cgroups of a pane have used since the last sample, and which of its members are in no such cgroup.

    `active` is False where no cgroup could be compared with the last sample.
    """

    nanoseconds: int
    outside: frozenset[ProcessId]
    active: bool


NO_GAIN = CpuGain(0, frozenset(), active=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneLedger:
    """The accounts of one pane in one sample.

    `memory_bytes` is anonymous and shared memory of its cgroups, None without one that counts memory;
    `memory_outside` are the members that it does not hold. `cpu_from` is what the CPU counter rests on in the
    next sample: to count, a cgroup must be read twice. `counts` is by how much each of these has grown since
    the last sample; `pids` is of the fullest of its cgroups, None where none counts processes. `cgroups` are
    the folders of those that hold nothing else.
    """

    cpu: CpuGain = NO_GAIN
    memory_bytes: int | None = None
    memory_outside: frozenset[ProcessId] = frozenset()
    cpu_from: CpuSource = CpuSource.PROCESSES
    counts: Counts = field(default_factory=dict)
    pids: PidCount | None = None
    cgroups: tuple[str, ...] = ()

    @property
    def cpu_source(self) -> CpuSource:
        """What the CPU counter rests on in this sample."""
        if not self.cpu.active:
            return CpuSource.PROCESSES
        return CpuSource.MIXED if self.cpu.outside else CpuSource.CGROUP

    @property
    def shown(self) -> object:
        """What a report shows of it."""
        return self.cpu_source, self.memory_bytes, self.memory_outside, self.pids


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelAccount:
    """What the kernel counts of the cgroups that a pane has to itself; None where it counts no such thing.

    `pids` (processes and threads) is of the cgroup that is nearest to its limit. `pressure_seconds_total`
    (PSI) is by resource and kind.
    """

    pids: int | None = None
    pids_limit: int | None = None
    disk_read_bytes_total: float | None = None
    disk_written_bytes_total: float | None = None
    disk_reads_total: float | None = None
    disk_writes_total: float | None = None
    pressure_seconds_total: Mapping[tuple[str, str], float] = field(default_factory=dict)


NO_ACCOUNT = KernelAccount()


def source_of_parts(sources: Iterable[CpuSource]) -> CpuSource:
    """The source of a sum."""
    found = set(sources)
    return found.pop() if len(found) == 1 else CpuSource.MIXED if found else CpuSource.PROCESSES
