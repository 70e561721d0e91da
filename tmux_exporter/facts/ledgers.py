"""Facts about the kernel's own accounts of a pane: the cgroups that hold its processes and no others."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
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
    `memory_outside` are the members that it does not hold.
    """

    cpu: CpuGain = NO_GAIN
    memory_bytes: int | None = None
    memory_outside: frozenset[ProcessId] = frozenset()

    @property
    def cpu_source(self) -> CpuSource:
        """What the CPU counter rests on in this sample."""
        if not self.cpu.active:
            return CpuSource.PROCESSES
        return CpuSource.MIXED if self.cpu.outside else CpuSource.CGROUP

    @property
    def shown(self) -> object:
        """What a report shows of it."""
        return self.cpu_source, self.memory_bytes, self.memory_outside


def source_of_parts(sources: Iterable[CpuSource]) -> CpuSource:
    """The source of a sum."""
    found = set(sources)
    return found.pop() if len(found) == 1 else CpuSource.MIXED if found else CpuSource.PROCESSES
