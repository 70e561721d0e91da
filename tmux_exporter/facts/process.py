"""Facts about processes: identity, command line, CPU, memory, I/O, cgroups, read errors.

Foreign text (names, argv, paths) is `str` decoded with `surrogateescape`: no byte is lost, and no text is
safe for a label or a terminal before `facts.label` has escaped it. `None` always means "not known", never 0
and never "does not exist".
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
    """A failed read, as a value: its source, a reason of the source's closed list, a text for a person."""

    source: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as /proc shows it in one reading.

    Fields up to `children_cpu_ticks` come from one line of /proc/PID/stat and are always known. The others
    are None where they could not be read (`unreadable`): of another user's process the kernel shows
    arguments, memory and limits to everybody, the rest only to root.
    `argv`, `exe` and `environ` are fixed at exec. `argv_complete` is False where `argv` was cut at
    `sources.processes.parse.ARGV_LIMIT` bytes: its last argument may go on. `image` is the address of `argv`
    in memory: processes forked from one another without exec share it, others hardly ever; 0 where it is not
    shown. `environ` holds only the variables in `sources.processes.process.KEPT_ENVIRON`; nothing else of an
    environment is kept, except the `ShellFacts` of a scheduler. `namespaces` are the current ones: in other
    namespaces than ours, pids and paths mean something else. `read_bytes` and `written_bytes` are bytes of
    storage I/O, those of all reaped children included: the kernel adds them to the parent.
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
        """False for a zombie, unless it still has threads: then only its main thread has exited."""
        return self.state not in ("Z", "X") or self.threads > 1


class MemorySource(StrEnum):
    """What `memory_bytes` is based on (closed list, a label).

    STATUS: `RssAnon + RssShmem` of `status`; little is shared. SMAPS_ROLLUP: for processes that share memory,
    `Pss_Anon + Pss_Shmem` of `smaps_rollup` (PSS). UPPER_BOUND: shared memory that could not be split counts
    more than once. CGROUP: the account of cgroups that hold nothing else.
    """

    STATUS = "status"
    SMAPS_ROLLUP = "smaps_rollup"
    UPPER_BOUND = "upper_bound"
    CGROUP = "cgroup"


MEMORY_SOURCES = (
    MemorySource.UPPER_BOUND,
    MemorySource.SMAPS_ROLLUP,
    MemorySource.STATUS,
    MemorySource.CGROUP,
)
"""The source of a sum is the first of these that one of its parts has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """The share of a process in shared memory, in bytes (PSS): each page divided by its number of users.

    For anonymous memory and swap the fields hold the part that counts for the other users.
    """

    anonymous_elsewhere_bytes: int
    shared_memory_bytes: int
    swap_elsewhere_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionsFound:
    """The proportions that were read, None for a process that shows none, and the CPU time of reading."""

    found: Mapping[ProcessId, Proportions | None]
    cpu_seconds: float


FileId = tuple[int, int]
"""Device and inode of a file."""


class HeldFile(NamedTuple):
    """A file in memory without a name, which a process holds open: device, inode and size in bytes."""

    device: int
    inode: int
    bytes: int


HeldFiles = Mapping[ProcessId, frozenset[HeldFile]]
"""What each process holds; one that could not be read is not in it."""

SamePair = tuple[ProcessId, ProcessId]
"""Two processes that may have one table of open files."""

Cgroup = tuple[str, ...]
"""The path of a cgroup from the root of its hierarchy, one name per level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBounds:
    """Memory limits of processes, in bytes.

    `host` is the memory of the machine. `cgroups` maps each requested process to its memory cgroup, `limits`
    the cgroups with a limit, ancestors included.
    """

    host: int | None = None
    cgroups: Mapping[ProcessId, Cgroup] = field(default_factory=dict)
    limits: Mapping[Cgroup, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The pids whose entries may differ from an earlier table: new, ended and changed processes.

    `since` is the `processes` of that table, by identity.
    """

    since: Mapping[int, Process]
    pids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTable:
    """All processes of one sample, by pid.

    `taken_at` is the monotonic time at which reading began. `complete` is False when the listing failed:
    then a missing pid is unknown, not gone. `uid` is the reader's, None where it is not told; `unreadable`
    counts processes of this uid with at least one unreadable part, by reason. `namespaces` are the reader's
    own. `missed` counts errors that the audit of the fast reader found and corrected. `changes` is set by a
    reader that knows them; an unchanged entry is the same object.
    """

    processes: Mapping[int, Process]
    boot_time: float
    clock_ticks_per_second: int
    taken_at: float
    complete: bool = True
    unreadable: Mapping[Unreadable, int] = field(default_factory=dict)
    namespaces: Namespaces | None = None
    uid: int | None = None
    missed: int = 0
    changes: Changes | None = field(default=None, compare=False, repr=False)

    def find(self, process: ProcessId) -> Process | None:
        """This very process, None where it is not in the table; its pid may be another one's by now."""
        found = self.processes.get(process.pid)
        return found if found is not None and found.id == process else None

    def start_time(self, process: ProcessId) -> float:
        """Start of a process in seconds since the epoch."""
        return self.boot_time + process.start_ticks / self.clock_ticks_per_second


Connection = tuple[str, str]
"""The own and the other end of an established connection, as the kernel's tables write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """Open files by which a process shows something to a person, or keeps a terminal for another process.

    `masters` are the numbers of the pseudoterminals whose master it holds, `terminals` the paths of the
    terminals that it has open. `sockets`: it has at least one socket.
    """

    masters: frozenset[int]
    terminals: frozenset[str]
    sockets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakDetails:
    """Details that are read only of processes that seem to be leaked; None where one could not be read.

    `unit` is the innermost systemd unit of the process, empty without one. `listens`: it listens on a TCP
    port, on `ports`. `connections` are its established ones, each as (own end, other end). `folder` is its
    working directory, by its last name where it is deleted.
    """

    unit: str | None = None
    listens: bool | None = None
    ports: frozenset[int] = frozenset()
    connections: frozenset[Connection] | None = None
    descriptors: Descriptors | None = None
    folder: str | None = None
    folder_deleted: bool = False
