"""Facts about processes: identity, usage, memory, what could not be read.

Texts from outside (names, argv, paths) are `str` decoded with `surrogateescape`: no byte is lost, and nothing
here is fit for a label or a terminal until `facts.label` has rewritten it. `None` always means "not known",
never 0 and never "none there".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class ProcessId(NamedTuple):
    """A process for as long as it lives: its pid and field 22 of /proc/PID/stat (clock ticks since boot)."""

    pid: int
    start_ticks: int


class Namespaces(NamedTuple):
    """The pid and the mount namespace of a process, each as the kernel names it (`pid:[4026531836]`)."""

    pid: str
    mount: str


class Unreadable(StrEnum):
    """Why a part of a process could not be read (closed list, a label)."""

    PERMISSION = "permission"
    MALFORMED = "malformed"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A look that failed, as a value: its source, a reason of its closed list, words for a person."""

    source: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as /proc shows it in one reading.

    Everything up to `children_cpu_ticks` comes from one line of /proc/PID/stat and is always known. The rest
    is read for processes of our own uid only and is None where it could not be read (`unreadable` says why).
    `argv`, `exe` and `environ` are fixed at exec. `argv_complete` is False where `argv` was cut at
    `sources.procfs_parse.ARGV_LIMIT` bytes: its last argument may go on. `image` is the address at which that
    exec laid them: processes forked from one another without exec have it in common, others hardly ever; 0
    where it is not shown. `environ` holds only the variables in `sources.procfs_process.KEPT_ENVIRON`;
    nothing else of an environment is ever kept, but for the `ShellFacts` of a scheduler. `namespaces` are
    those that it is in now: in others than ours its pids and paths mean something else. `read_bytes` and
    `written_bytes` are what storage had to move, and hold those of every child that was waited for: the
    kernel adds them to the parent's when it ends.
    """

    id: ProcessId
    ppid: int
    pgid: int
    session_id: int
    tty: int
    foreground_pgid: int
    state: str
    comm: str
    threads: int
    uid: int
    cpu_ticks: int
    children_cpu_ticks: int
    argv: tuple[str, ...] | None = None
    argv_complete: bool = True
    image: int = 0
    exe: str | None = None
    environ: Mapping[str, str] | None = None
    namespaces: Namespaces | None = None
    resident_bytes: int | None = None
    anonymous_bytes: int | None = None
    shared_memory_bytes: int | None = None
    swap_bytes: int | None = None
    open_fds: int | None = None
    max_fds: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def alive(self) -> bool:
        """A zombie is dead, unless it has threads: then only its main thread left."""
        return self.state not in ("Z", "X") or self.threads > 1


class MemorySource(StrEnum):
    """What the headline figure of memory rests on (closed list, a label).

    STATUS: `RssAnon + RssShmem` of `status`, and nothing of note is shared. SMAPS_ROLLUP: of those that share
    memory, `Pss_Anon + Pss_Shmem` of `smaps_rollup`. UPPER_BOUND: some share memory that could not be told
    apart, so that it counts more than once.
    """

    STATUS = "status"
    SMAPS_ROLLUP = "smaps_rollup"
    UPPER_BOUND = "upper_bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """A process's part of what it shares, in bytes: each page divided by the number of its sharers.

    Of anonymous memory and of swap it is the part of the others that is told.
    """

    anonymous_elsewhere_bytes: int
    shared_memory_bytes: int
    swap_elsewhere_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionsFound:
    """What was read of how processes share, None for one that does not show it, and the CPU that took."""

    found: Mapping[ProcessId, Proportions | None]
    cpu_seconds: float


Cgroup = tuple[str, ...]
"""A cgroup by the folders that lead to it from the root of the cgroup file systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBounds:
    """What the kernel lets processes have of memory, in bytes.

    `host` is all that the kernel has to give out. `cgroups` holds the memory cgroup of each process that was
    asked for, `limits` the limits of these cgroups and of those above them, where they have one.
    """

    host: int | None = None
    cgroups: Mapping[ProcessId, Cgroup] = field(default_factory=dict)
    limits: Mapping[Cgroup, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The pids whose entries may not be those of an earlier reading: who came, who ended, who changed.

    `since` is that reading's `processes`, by identity.
    """

    since: Mapping[int, Process]
    pids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTable:
    """All processes of one reading, by pid, each pid once.

    `taken_at` is the monotonic time at which the reading began. `complete` is False when the listing itself
    failed: then a pid that is not here is unknown, not gone. `unreadable` counts processes of our uid by the
    reason for which at least one part of them could not be read. `namespaces` are the reader's own. `missed`
    counts what a fast reader's audit found wrong in this reading, before it was put right. `changes` are told
    by a reader that knows them; an entry that did not change is the same object.
    """

    processes: Mapping[int, Process]
    boot_time: float
    clock_ticks_per_second: int
    taken_at: float
    complete: bool = True
    unreadable: Mapping[Unreadable, int] = field(default_factory=dict)
    namespaces: Namespaces | None = None
    missed: int = 0
    changes: Changes | None = field(default=None, compare=False, repr=False)

    def start_time(self, process: ProcessId) -> float:
        """Start of a process in seconds since the epoch."""
        return self.boot_time + process.start_ticks / self.clock_ticks_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakDetails:
    """What only the processes that seem to be leaked are asked for; None where it could not be read.

    `unit` is the innermost systemd unit that holds the process, empty where none does. `listens` says that it
    listens on a TCP port. `folder` is its working directory, by its last name where it is deleted.
    """

    unit: str | None = None
    listens: bool | None = None
    folder: str | None = None
    folder_deleted: bool = False
