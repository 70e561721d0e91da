"""The Report: one sample's conclusions, frozen. Metrics, web and the command line take only this.

Every `server`, `session`, `window`, `pane` and `agent` below is a finished label: unique in its place,
free of control bytes, safe in a terminal and in an exposition. Counters are totals since the exporter's
start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import NoneType
from typing import Any, Self, get_args

from tmux_exporter.facts.agents import AgentState, StateSource, WaitingReason
from tmux_exporter.facts.commands import CommandLoss
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.facts.process import MemorySource, Problem, ProcessId, Unreadable
from tmux_exporter.facts.remediation import RemediatorReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerRemark, SchedulerState
from tmux_exporter.facts.tmux import QueryFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a set of processes costs; None where no member could be read.

    Each field is a figure of the JSON too; the row of its name in the catalogue makes it a metric.
    `memory_limit_bytes` is the lowest of the limits that hold for all of them together, None where none is
    known. `memory_source` is what `memory_bytes` rests on.
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

    @classmethod
    def nothing(cls) -> Self:
        """Usage of a set of which nothing could be read: each figure None, or 0 where it is always known."""
        figures: dict[str, Any] = {
            each.name: None if NoneType in get_args(each.type) else 0.0 if each.type is float else 0
            for each in fields(cls)
        }
        return cls(**figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One observation that can be looked up in a tracing system: its trace id, value and wall time."""

    trace_id: str
    value: float
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Cumulative counts at the upper bounds `bounds` (+Inf is `count`), and the sum of what was observed.

    `exemplars` are by the place of their bucket, that of +Inf last.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """One tmux server. Counts are None once its listing is no longer held; `held` says that it is.

    `ended` says that it is known to be gone; one that is neither `up` nor `ended` is unknown.
    `listing_age_seconds` is the age of the listing that the counts come from when the sample began;
    `listing_taken_at` is when it was taken (monotonic).
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
    """One session: the sum of the panes it owns."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneReport:
    """One pane, in the session that owns it; `pid` is of the process that tmux started in it.

    `protected` says that tmux's option `@protect` is set on it, its window, session or server.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """One agent: its root process and all below it, or one that does not run.

    That is an agent whose pane is still there, or one that somebody declared (then `pane`, `window` and
    `program` may be empty): it has no `pid` and no `process`, and its `usage` is that of no process. `up`
    stays true for the first look that misses the process. `state_since_timestamp_seconds` is wall time,
    `waiting_reason` is there only while it waits, `state_source` is who said so. `same_command_processes` is
    how many of its processes run one and the same command line, at most.
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
    restarts_total: int = 0
    same_command_processes: int = 0
    process: ProcessId | None = None
    state_seconds_total: Mapping[AgentState, float] = field(default_factory=dict)
    state_cpu_seconds_total: Mapping[AgentState, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerReport:
    """One pending scheduler; `server` and `session` are empty where neither target nor creator is known.

    `sleep` is its one child, None where there is none. `aimed` are the servers that its keys would go to;
    their oldest listing was taken at `judged_at` (monotonic), None where one of them has none; of one that
    has no server it is when servers were looked for: `sockets` are then the paths that have none, `made_for`
    the labels of the servers that were or would be there. `reason` and the words of `remarks` are ours: none
    of them holds a word of its script.
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
    remarks: tuple[SchedulerRemark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """One process that outlived its pane; `server`, `session` and `pane` are of the pane that left it.

    They are empty where they are not known. `name` is its program and what that runs where it runs others.
    `cpu_seconds_total` is of its whole life. `argv_sha256` is the SHA-256 of its /proc/PID/cmdline, empty
    where that is not known as a whole. `by_marker` says that only the marker of an agent tied it to its pane,
    `by_folder` that only its working folder names its session: either is too little to end it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One process that only earlier samples tie to its pane, or whose pane is gone.

    `origin` is the process of the tmux server of that pane; `server` and `session` are the labels of its
    place, empty where they are not known. `by_folder` as in LeakReport; `leaked` says that it is one.
    """

    process: ProcessId
    origin: ProcessId
    pane: str
    server: str
    session: str
    leaked: bool
    by_folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """What programs reported of their operations of one name; `errors` by reason, every reason in it.

    Memory is that of the reporting program: by how much it had grown or shrunk when an operation ended.
    """

    operation: str
    duration: Histogram
    errors: Mapping[str, int]
    retries_total: int
    in_flight: int
    memory_grown_bytes_total: int
    memory_shrunk_bytes_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsReport:
    """What programs reported of their operations, and which reports could not be counted, every reason."""

    operations: tuple[OperationFigures, ...]
    lost: Mapping[OperationLoss, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFigures:
    """One command of tmux as given to one server by anybody; `server` is empty where none is known."""

    server: str
    command: str
    duration: Histogram
    errors_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsReport:
    """tmux commands seen from outside, and how many may have been missed, every reason."""

    commands: tuple[CommandFigures, ...]
    lost: Mapping[CommandLoss, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sample. `timestamp` is wall time; `complete` is False when any part of the view is unknown.

    `agent_recovery` is by server: how long agents were down before they were up again. `remediator` is None
    where none has run, `host` where it is not looked at (`metrics.host`), `operations` where another exporter
    gets the reports, `commands` where nobody watches them (`operations.watch_commands`) or the kernel does
    not tell.
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

    @property
    def session_keys(self) -> tuple[SessionKey, ...]:
        """Where something can be, by server and session label: each session, and none of a seen server."""
        live = [(each.server, each.session) for each in self.sessions]
        return (*live, *((each.server, "") for each in self.servers if each.sessions is not None))
