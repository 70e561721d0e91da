"""The frozen facts: what was seen of processes and of tmux, before anybody concludes anything.

Texts from outside (names, argv, paths) are `str` decoded with `surrogateescape`: no byte is lost, and
nothing here is fit for a label or a terminal until `analysis.labels` has rewritten it.
`None` always means "not known", never 0 and never "none there".
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


class QueryFailure(StrEnum):
    """Why a tmux server's answer is not to be used (closed list, a label)."""

    HUNG = "hung"
    NOSERVER = "noserver"
    DENIED = "denied"
    PROTOCOL = "protocol"
    PARTIAL = "partial"
    MALFORMED = "malformed"
    UNTRUSTED = "untrusted"


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


class PaneKey(NamedTuple):
    """A pane for as long as its server lives: pane ids start again at %0 with a new server."""

    server: ProcessId
    pane: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One pane, once, however many sessions its window is linked into.

    `session_id` and `window_index` are those of the oldest session that holds it (its owner). `pid` is None
    for an empty pane and for a dead one: tmux keeps printing the old pid, which may be a stranger's by now.
    A dead pane has the exit status or, from tmux 3.3 on, the signal of its process; neither where it only
    closed its terminal. `protected` is the option `@protect` of it, its window, session or server.
    `title_sign` is the sign with which its title begins, where that is no letter, no
    digit and no ASCII, and `!` for `[ ! ]`; nothing else of a title is kept.
    """

    id: str
    pid: int | None
    session_id: str
    window_id: str
    window_index: int
    index: int
    active: bool
    dead: bool
    dead_status: int | None
    history_lines: int
    history_limit_lines: int
    history_bytes: int
    dead_signal: int | None = None
    agent_option: str = ""
    role_option: str = ""
    protected: bool = False
    title_sign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window; `automatic_rename` tells whether its name is only the running command's."""

    id: str
    name: str
    automatic_rename: bool
    activity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLink:
    """A window's place in one session: tmux resolves targets through these."""

    session_id: str
    window_id: str
    index: int
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session; times are seconds since the epoch, `group` is empty outside a group."""

    id: str
    name: str
    created: int
    activity: int
    attached: int
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One complete answer of one tmux server; `taken_at` is the monotonic time the question was sent."""

    server: ProcessId
    version: str
    sessions: tuple[Session, ...]
    windows: tuple[Window, ...]
    links: tuple[WindowLink, ...]
    panes: tuple[Pane, ...]
    clients: int
    taken_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question put to a tmux server: how long it took and, where it failed, why."""

    seconds: float
    failure: QueryFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """What is known of one tmux server in one sample.

    `listing` is the last complete answer: fresh when `up`, held for at most `tmux.hold` while the server does
    not answer, then None. `process` is the server's identity where a peer check or its listing gave it, and
    stays known while a server hangs. `ended` means the server is known to be gone (its socket refused the
    connection and its process no longer exists); everything else that is not `up` is unknown.
    `queries` are this sample's questions, none where the server was backed off or its listing is still fresh.
    """

    label: str
    socket: str
    process: ProcessId | None
    up: bool
    ended: bool
    listing: Listing | None
    problem: Problem | None = None
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TmuxView:
    """All tmux servers of this uid in one sample; `stale_sockets` are files that nobody listens on.

    `places` are folders and sockets that processes name in their environments, as written there, with their
    canonical paths: those at which nobody but the `servers` can listen. `taken_at` is the monotonic time at
    which the servers began to be looked for. A socket in one of `folders` has its name as label, any other
    its path.
    """

    servers: tuple[ServerView, ...]
    stale_sockets: int = 0
    problems: tuple[Problem, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    taken_at: float | None = None
    folders: tuple[str, ...] = ()


class OwnerKind(StrEnum):
    """What a process belongs to."""

    PANE = "pane"
    SERVER = "server"
    LEAKED = "leaked"
    OTHER = "other"


class Evidence(StrEnum):
    """Which look tied a process to its owner, strongest first."""

    TREE = "tree"
    KERNEL_SESSION = "kernel_session"
    TTY = "tty"
    ENVIRONMENT = "environment"
    AGENT_MARKER = "agent_marker"
    FOLDER = "folder"
    MEMORY = "memory"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom a process belongs to, and the evidence in words for `explain`.

    `pane` is set for PANE and, where the pane is known, for LEAKED; `server` for all but OTHER.
    """

    kind: OwnerKind
    evidence: Evidence
    reason: str
    server: ProcessId | None = None
    pane: PaneKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A coding agent found in a pane: `process` is its root, `members` its whole tree, the root included.

    `programs` are those of them that are the program itself, the root first: launchers, relaunches, but none
    that its own tools have started. `number` tells agents of one program in one pane apart.
    """

    name: str
    pane: PaneKey
    process: ProcessId
    program: str
    version: str
    role: str
    reason: str
    members: frozenset[ProcessId]
    programs: tuple[ProcessId, ...] = ()
    number: int = 0


class SchedulerState(StrEnum):
    """What will become of a scheduled check-in (closed list, a label), in order of precedence."""

    UNKNOWN = "unknown"
    OPAQUE = "opaque"
    FIRING = "firing"
    IMMORTAL = "immortal"
    SERVERLESS = "serverless"
    STALE_GENERATION = "stale_generation"
    DANGLING = "dangling"
    MISDIRECTED = "misdirected"
    OVERDUE = "overdue"
    DUPLICATE = "duplicate"
    ARMED_ORIGIN_GONE = "armed_origin_gone"
    ARMED = "armed"


class SchedulerRemark(StrEnum):
    """What else somebody should know of a scheduled check-in, whatever its state (closed list)."""

    FIRES_AT_ONCE = "fires_at_once"
    NEVER_SENDS = "never_sends"
    TARGET_DEAD = "target_dead"
    TARGET_AT_SHELL = "target_at_shell"
    TARGET_WAITING = "target_waiting"
    TARGET_YOUNGER = "target_younger"


class SchedulerOutcome(StrEnum):
    """What became of a scheduled check-in that is no longer pending (closed list, a label)."""

    FIRED = "fired"
    MISSED = "missed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A `sleep N && tmux send-keys …` shell with its one sleep child.

    `server` and `session_id` are those of the resolved target, else of the pane that made it, else None.
    `due` is the wall time at which the sleep ends, None where its argument is not a duration. `aimed` are
    the servers its keys would go to, as far as known; `judged_at` is the monotonic time of the oldest of
    their listings, or of the search for servers where there is none at its socket, and None where one of
    these is missing. `sockets` are the canonical paths at which it would look for a server and finds none.
    `panes` are those that its targets lead to.
    """

    process: ProcessId
    sleep: ProcessId | None
    state: SchedulerState
    reason: str
    targets: tuple[str, ...]
    server: ProcessId | None
    session_id: str | None
    due: float | None
    aimed: tuple[ProcessId, ...] = ()
    judged_at: float | None = None
    panes: tuple[PaneKey, ...] = ()
    remarks: tuple[SchedulerRemark, ...] = ()
    sockets: tuple[str, ...] = ()


class LeakKind(StrEnum):
    """What a process is that outlived its pane (closed list, a label)."""

    SCHEDULER = "scheduler"
    AGENT = "agent"
    AGENT_DAEMON = "agent_daemon"
    MCP_SERVER = "mcp_server"
    DEV_SERVER = "dev_server"
    SHELL_JOB = "shell_job"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What only the processes that seem to be leaked are asked for; None where it could not be read.

    `unit` is the innermost systemd unit that holds the process, empty where none does. `listens` says that it
    listens on a TCP port. `folder` is its working directory, by its last name where it is deleted.
    """

    unit: str | None = None
    listens: bool | None = None
    folder: str | None = None
    folder_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A process that outlived what it was started for.

    `server` and `session` are finished labels of the pane that left it, as they were when that was last seen;
    empty where that is not known. `by_marker` says that only the marker of an agent tied it to that pane,
    `by_folder` that only its working folder names the session.
    """

    process: ProcessId
    kind: LeakKind
    reason: str
    server: str
    session: str
    pane: PaneKey | None
    by_marker: bool = False
    by_folder: bool = False


class ShellQuestion(NamedTuple):
    """What is asked of a shell that waits for its `sleep`: the files of these `words` of its script.

    `zsh` and `login` say which files it reads at its start.
    """

    shell: ProcessId
    sleep: ProcessId | None
    words: tuple[str, ...]
    zsh: bool = False
    login: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The file that a word means: its name without links, whether it is one of the machine (and no script).

    `knows_tmux` says that the names of tmux's commands are in it.
    """

    name: str
    native: bool
    knows_tmux: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellFacts:
    """What decides which program a shell runs for a word.

    `variables` are BASH_ENV and ENV where it has them, `functions` the names of those that bash was handed.
    `programs` are by word all files that it may mean, None for one that cannot be seen. `startup_names_tmux`
    says that a file that it reads at its start has the word tmux in it, None that this cannot be told.
    """

    variables: Mapping[str, str]
    functions: frozenset[str]
    programs: Mapping[str, tuple[Program | None, ...]]
    startup_names_tmux: bool | None = False


CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The modes of a CPU (closed list, a label), in the order of /proc/stat; guests are within user and nice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """Space of a mounted file system in bytes; `available_bytes` is what others than root can still fill."""

    size_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDevice:
    """Bytes since the device is there, and its speed in bytes per second, None where it has none to tell."""

    received_bytes: int
    sent_bytes: int
    speed_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The machine in one reading, as far as it can be read; what cannot is None, or not in its mapping.

    Counters are the kernel's own and count since the boot, or since their device is there. By what they are:
    `cpu_seconds` all cores by mode, `disk_io_seconds` time with work at hand by disk, `filesystems` by mount
    point, `networks` by device, `pressure_seconds` by resource (cpu, io, memory) and kind (some, full).
    `threads` are all process and thread ids in use, `inotify_instances` those of this user. `complete` is
    False where something is there that could not be read or understood; what this kernel does not have or
    does not show to us is no fault.
    """

    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    load1: float | None = None
    disk_io_seconds: Mapping[str, float] = field(default_factory=dict)
    filesystems: Mapping[str, FileSystem] = field(default_factory=dict)
    networks: Mapping[str, NetworkDevice] = field(default_factory=dict)
    pressure_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    processes: int | None = None
    threads: int | None = None
    threads_limit: int | None = None
    ptys: int | None = None
    ptys_limit: int | None = None
    inotify_instances: int | None = None
    inotify_instances_limit: int | None = None
    complete: bool = True
