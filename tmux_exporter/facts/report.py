"""The Report: the frozen result of one sample. Metrics, web and the command line use nothing else.

Every `server`, `session`, `window`, `pane` and `agent` below is a label: unique in its scope, without control
bytes, safe in a terminal and in an exposition. Counters are totals since the exporter's start.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from types import NoneType
from typing import Any, Self, get_args

from tmux_exporter.facts.agents import AgentState, HelperKind, StateSource, WaitingReason
from tmux_exporter.facts.attach import AttachPoint
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.ledgers import NO_ACCOUNT, CpuSource, KernelAccount
from tmux_exporter.facts.operations import CommandLoss, OperationLoss
from tmux_exporter.facts.prices import PRICES_AS_OF
from tmux_exporter.facts.process import MemorySource, Problem, ProcessId, Unreadable
from tmux_exporter.facts.remediation import RemediatorReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerRemark, SchedulerState
from tmux_exporter.facts.spending import (
    AccountQuota,
    AgentSpending,
    SessionSpending,
    SpendingProblem,
    UsageLimit,
)
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.workspaces import WorkspaceKind, Workspaces

INCOMPLETE_RATIO = 0.05
"""From this share on people are told that CPU time of a session is missing."""


class Sum(StrEnum):
    """A sum over processes (closed list; a label joins several by commas)."""

    FDS = "fds"
    IO = "io"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Resource usage of a set of processes; None where no member could be read.

    Each field is also a field of the JSON; the row of its name in the catalogue makes it a metric.
    `memory_limit_bytes` is the lowest limit that applies to all of them together, None where none is known.
    `memory_source` is the source of `memory_bytes`. `partial` are the sums in which a member is missing
    that could not be read. `cpu_source` is the source of `cpu_seconds_total` in this sample.
    `oom_kills_total` is of the cgroups that their panes have to themselves, None without any.
    """

    memory_bytes: int | None
    memory_limit_bytes: int | None
    resident_memory_bytes: int | None
    anonymous_memory_bytes: int | None
    swap_memory_bytes: int | None
    cpu_seconds_total: float
    processes: int
    threads: int
    open_fds: int | None
    fd_utilization_ratio: float | None
    read_bytes_total: int | None
    written_bytes_total: int | None
    process_tree_depth: int
    oldest_process_start_time_seconds: float | None
    memory_source: MemorySource | None = None
    partial: tuple[Sum, ...] = ()
    cpu_source: CpuSource = CpuSource.PROCESSES
    oom_kills_total: int | None = None

    @classmethod
    def nothing(cls) -> Self:
        """Usage of a set that could not be read: each figure is None, or 0 where it is always known."""
        figures: dict[str, Any] = {
            each.name: None if NoneType in get_args(each.type) else 0.0 if each.type is float else 0
            for each in fields(cls)
            if each.default is MISSING
        }
        return cls(**figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """An OpenMetrics exemplar: trace id, value and wall time of one observation."""

    trace_id: str
    value: float
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Cumulative counts at the upper bounds `bounds` (+Inf is `count`), and the sum of all observations.

    `exemplars` are keyed by the index of their bucket, that of +Inf last.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """One tmux server. Counts are those of its last listing: `held` for a while without an answer, then None.

    `ended`: it is gone; a server that is neither `up` nor `ended` is unknown. `listing_age_seconds` is the
    age of that listing when the sample began, `listing_taken_at` its monotonic time.
    """

    server: str
    socket: str
    version: str | None
    pid: int | None
    up: bool
    held: bool
    listing_age_seconds: float | None
    sessions: int | None
    windows: int | None
    panes: int | None
    clients: int | None
    history_bytes: int | None
    start_time_seconds: float | None
    resident_memory_bytes: int | None
    cpu_seconds_total: float | None
    open_fds: int | None
    max_fds: int | None
    query_duration: Histogram
    query_failures: Mapping[QueryFailure, int]
    problem: Problem | None
    ended: bool = False
    listing_taken_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """One session: the sum of the panes it owns.

    `unwatched_cpu_seconds_total` is about what its orphans used that `usage` lacks; None: none was seen.
    """

    server: str
    session: str
    group: str
    created_timestamp_seconds: int
    last_activity_timestamp_seconds: int
    attached_clients: int
    history_bytes: int
    windows: int
    panes: int
    usage: Usage
    unwatched_cpu_seconds_total: float | None = None

    @property
    def cpu_incomplete_ratio(self) -> float:
        """The share of its CPU time that `usage` lacks."""
        missing = self.unwatched_cpu_seconds_total
        return missing / (missing + self.usage.cpu_seconds_total) if missing else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneReport:
    """One pane, in the session that owns it; `pid` is that of the process that tmux started in it.

    `account` has figures only with `metrics.pane_detail`.

    `protected`: the tmux option `@protect` is set on the pane, its window, session or server.
    """

    server: str
    session: str
    window: str
    pane: str
    window_name: str
    dead: bool
    history_bytes: int
    history_lines: int
    history_limit_lines: int
    usage: Usage
    pid: int | None = None
    protected: bool = False
    account: KernelAccount = NO_ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """One agent: its root process with all descendants, or an agent that does not run.

    An agent that does not run has a pane that still exists, or was declared (then `pane`, `window` and
    `program` may be empty): it has no `pid` and no `process`, and its `usage` is that of no process. `up`
    stays true for the first sample that misses the process. `state_since_timestamp_seconds` is wall time,
    `waiting_reason` is set only while it waits, `usage_limit_reset_timestamp_seconds` (wall time) only while
    it waits for a limit whose end is known. `state_source` is the source of the state.
    `declared` by somebody, in the configuration or on its pane; `crashed` where its dead pane shows that it
    failed. `same_command_processes` is the largest number of its processes with the same command line.
    `attach` is where a terminal shows it, None where its pane is not known. `helpers` is how many things it
    has started, by the kinds that are there; their memory is a part of that of `usage`,
    and has no figure where none of them can be read. `spending` is None where the file in which its program
    writes what it spends is not known for sure. `usage_limit` is the limit at which it stands as files say,
    whatever its screen shows.
    """

    server: str
    session: str
    agent: str
    window: str
    pane: str
    program: str
    version: str
    role: str
    window_name: str
    pid: int | None
    usage: Usage
    up: bool = True
    state: AgentState = AgentState.UNKNOWN
    state_since_timestamp_seconds: float = 0.0
    state_source: StateSource = StateSource.NONE
    waiting_reason: WaitingReason | None = None
    usage_limit_reset_timestamp_seconds: float | None = None
    restarts_total: int = 0
    declared: bool = False
    crashed: bool = False
    same_command_processes: int = 0
    process: ProcessId | None = None
    attach: AttachPoint | None = None
    helpers: Mapping[HelperKind, int] = field(default_factory=dict)
    helpers_memory_bytes: Mapping[HelperKind, int] = field(default_factory=dict)
    listening_processes: Mapping[str, int] = field(default_factory=dict)
    workspaces: Workspaces = field(default_factory=dict)
    state_seconds_total: Mapping[AgentState, float] = field(default_factory=dict)
    state_cpu_seconds_total: Mapping[AgentState, float] = field(default_factory=dict)
    spending: AgentSpending | None = None
    usage_limit: UsageLimit | None = None

    @property
    def workspace_bytes(self) -> Mapping[tuple[WorkspaceKind, str], int]:
        """Disk space by kind and worktree."""
        return {key: each.bytes for key, each in self.workspaces.items()}

    @property
    def log_oldest_timestamp_seconds(self) -> float | None:
        """When the oldest file that it logged to was last written (Unix time); None where none is known."""
        logs = (each.oldest for (kind, _), each in self.workspaces.items() if kind is WorkspaceKind.LOG)
        return min(filter(None, logs), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProcess:
    """One living process of an agent's tree; each figure is its share of the one of `Usage` with that name.

    `parent` is the pid of its parent, `name` that of its program file. CPU and I/O are of its whole life and
    of its children that ended. Summed over a tree they are not the totals of `Usage`, which begin with the
    exporter.
    """

    process: ProcessId
    parent: int
    name: str
    memory_bytes: int | None
    resident_memory_bytes: int | None
    anonymous_memory_bytes: int | None
    swap_memory_bytes: int | None
    cpu_seconds_total: float
    threads: int
    open_fds: int | None
    fd_utilization_ratio: float | None
    read_bytes_total: int | None
    written_bytes_total: int | None
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerReport:
    """One pending scheduler; `server` and `session` are empty where neither target nor creator is known.

    `sleep` is its only child, None without one. `aimed` are the servers that its keys would go to.
    `judged_at` is the monotonic time of their oldest listing, None where one has no listing; without a server
    it is the time of the search for servers: `sockets` are then the paths without a server, `made_for` the
    labels that servers at these paths have. `reason` and `remarks` are our own text: they never contain text
    of the script.
    """

    server: str
    session: str
    state: SchedulerState
    reason: str
    targets: tuple[str, ...]
    process: ProcessId
    due_timestamp_seconds: float | None
    memory_bytes: int | None
    cpu_seconds_total: float
    open_fds: int | None
    sleep: ProcessId | None = None
    aimed: tuple[str, ...] = ()
    judged_at: float | None = None
    sockets: tuple[str, ...] = ()
    made_for: tuple[str, ...] = ()
    start_time_seconds: float | None = None
    remarks: tuple[SchedulerRemark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """One process that outlived its pane; `server`, `session` and `pane` are those of that pane.

    They are empty where not known. `name` is the program, and the script or package that it runs.
    `cpu_seconds_total` is that of its whole life. `argv_sha256` is the SHA-256 of its /proc/PID/cmdline,
    empty where that is not known as a whole. `by_marker`: only an agent marker ties it to its pane.
    `by_folder`: only its working folder names its session. `by_lineage`: only the kernel's fork events tie it
    to its pane. All three are too weak to end a process;
    `by_environment`, `listens`, `ports` and `quiet_since` as in Leak. `files`: where it shares its table of
    open files, the process by which that table is known.
    """

    server: str
    session: str
    pane: str
    kind: LeakKind
    reason: str
    name: str
    process: ProcessId
    start_time_seconds: float
    memory_bytes: int | None
    cpu_seconds_total: float
    open_fds: int | None
    argv_sha256: str = ""
    by_marker: bool = False
    by_folder: bool = False
    by_environment: bool = False
    by_lineage: bool = False
    listens: bool | None = None
    ports: frozenset[int] = frozenset()
    quiet_since: float | None = None
    files: ProcessId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One process that only earlier samples tie to its pane, or whose pane is gone.

    `origin` is the process of the pane's tmux server; `server` and `session` are labels, empty where not
    known. `by_folder`, `by_lineage` and `quiet_since` as in LeakReport; `leaked`: it is a leak; `proven`: it
    was seen in that pane by more than its environment.
    """

    process: ProcessId
    origin: ProcessId
    pane: str
    server: str
    session: str
    leaked: bool
    by_folder: bool
    proven: bool = False
    quiet_since: float | None = None
    by_lineage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """The reported operations of one name; `errors` has a count for every reason.

    `slow_total` counts those that took longer than their objective; all three are None without one.

    Memory is that of the reporting program: how much it grew or shrank during operations.
    """

    operation: str
    duration: Histogram
    errors: Mapping[str, int]
    retries_total: int
    in_flight: int
    memory_grown_bytes_total: int
    memory_shrunk_bytes_total: int
    slow_total: int | None = None
    objective_seconds: float | None = None
    objective_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsReport:
    """All reported operations, and lost reports with a count for every reason."""

    operations: tuple[OperationFigures, ...]
    lost: Mapping[OperationLoss, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFigures:
    """One tmux command to one server, by any client; `server` is empty where it is not known."""

    server: str
    command: str
    duration: Histogram
    errors_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsReport:
    """tmux commands seen through kernel events, and commands that may be missing, by reason."""

    commands: tuple[CommandFigures, ...]
    lost: Mapping[CommandLoss, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageReport:
    """Whether forks are followed now, and how often events were lost."""

    listening: bool
    lost_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sample. `timestamp` is wall time; `complete` is False when any part of the sample is unknown.

    `agent_recovery` is by server: how long agents were down before they were up again. `remediator` is None
    where none has run, `host` where it is disabled (`metrics.host`), `operations` where another exporter gets
    the reports, `commands` where watching is disabled (`operations.watch_commands`) or not possible,
    `lineage` where forks are not followed (`processes.lineage`). `spending_problems` are by program and
    reason; empty where no agent has a file to read. `session_spending` is by server and session, `quotas` are
    those of the accounts of agents. `trees`
    are the processes of each agent by its root, empty unless the sampler was asked for them.
    """

    timestamp: float
    duration_seconds: float
    interval_seconds: float
    complete: bool
    samples: Mapping[str, int]
    servers: tuple[ServerReport, ...] = ()
    sessions: tuple[SessionReport, ...] = ()
    panes: tuple[PaneReport, ...] = ()
    agents: tuple[AgentReport, ...] = ()
    schedulers: tuple[SchedulerReport, ...] = ()
    scheduler_cpu_seconds_total: Mapping[tuple[str, str, SchedulerState], float] = field(default_factory=dict)
    scheduler_outcomes_total: Mapping[tuple[str, str, SchedulerOutcome], int] = field(default_factory=dict)
    agent_recovery: Mapping[str, Histogram] = field(default_factory=dict)
    agent_outages: Mapping[str, Histogram] = field(default_factory=dict)
    leaks: tuple[LeakReport, ...] = ()
    remembered: tuple[Remembered, ...] = ()
    leaked_cpu_seconds_total: Mapping[tuple[str, str, LeakKind], float] = field(default_factory=dict)
    stale_sockets: int = 0
    unreadable_processes: Mapping[Unreadable, int] = field(default_factory=dict)
    unattributed_cpu_seconds_total: float = 0.0
    discovery_missed_total: int = 0
    collector_success: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    remediator: RemediatorReport | None = None
    host: HostFacts | None = None
    operations: OperationsReport | None = None
    commands: CommandsReport | None = None
    lineage: LineageReport | None = None
    spending_problems: Mapping[tuple[str, SpendingProblem], int] = field(default_factory=dict)
    session_spending: Mapping[tuple[str, str], SessionSpending] = field(default_factory=dict)
    quotas: tuple[AccountQuota, ...] = ()
    prices_as_of: str | None = PRICES_AS_OF
    trees: Mapping[ProcessId, tuple[TreeProcess, ...]] = field(default_factory=dict)

    @property
    def session_keys(self) -> tuple[SessionKey, ...]:
        """The keys of all sessions, and of each listed server with an empty session."""
        live = [(each.server, each.session) for each in self.sessions]
        return (*live, *((each.server, "") for each in self.servers if each.sessions is not None))
