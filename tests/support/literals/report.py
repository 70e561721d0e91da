"""A Report made by hand, small, every case in it: servers up, held and gone, hostile names, unknowns."""

from dataclasses import replace

from tests.support.literals.spending import QUOTAS, SESSION_SPENDING, SPENDING
from tmux_exporter.analysis.operations.objectives import objective_of
from tmux_exporter.analysis.operations.operations import BOUNDS as OPERATION_BOUNDS
from tmux_exporter.facts.agents import AgentState, HelperKind, StateSource, WaitingReason
from tmux_exporter.facts.attach import AttachPoint
from tmux_exporter.facts.host import CPU_MODES, FileSystem, HostFacts, NetworkDevice
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.ledgers import KernelAccount
from tmux_exporter.facts.log import LogOutcome
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.facts.process import MemorySource, Problem, ProcessId, Unreadable
from tmux_exporter.facts.remediation import (
    Action,
    ActionOutcome,
    Mode,
    PolicyStatus,
    Refusal,
    RemediatorReport,
    RemediatorStatus,
)
from tmux_exporter.facts.report import (
    AgentReport,
    Exemplar,
    Histogram,
    LeakReport,
    OperationFigures,
    OperationsReport,
    PaneReport,
    Report,
    SchedulerReport,
    ServerReport,
    SessionReport,
    Sum,
    Usage,
)
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerRemark, SchedulerState
from tmux_exporter.facts.spending import SpendingProblem
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.workspaces import Workspace, WorkspaceKind
from tmux_exporter.wire.operation_line import CLASSES, FAILURES

NOW = 1_795_500_000.25
HOSTILE = 'say "hi" \\ {x="1"} #(date) $(reboot) 🦊 ␞ ' + "n" * 70
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


def histogram(seconds: tuple[float, ...] = ()) -> Histogram:
    """What a histogram of query durations looks like after these were observed."""
    counts = tuple(sum(each <= bound for each in seconds) for bound in BOUNDS)
    return Histogram(bounds=BOUNDS, counts=counts, count=len(seconds), sum=sum(seconds))


def usage(scale: int = 1) -> Usage:
    """Figures of a readable group of processes, different for each `scale`."""
    return replace(
        Usage.nothing(), memory_bytes=170_123_264 * scale, memory_limit_bytes=8 * 2**30,
        resident_memory_bytes=201_474_048 * scale, anonymous_memory_bytes=165_000_000 * scale,
        swap_memory_bytes=0, cpu_seconds_total=12.34 * scale, processes=3 * scale, threads=17 * scale,
        open_fds=64 * scale, fd_utilization_ratio=0.0625, read_bytes_total=1_048_576 * scale,
        written_bytes_total=4096 * scale, process_tree_depth=2,
        oldest_process_start_time_seconds=NOW - 3600.5 * scale, oom_kills_total=scale,
        memory_source=MemorySource.STATUS if scale % 2 else MemorySource.SMAPS_ROLLUP,
        partial=() if scale % 2 else (Sum.FDS, Sum.IO),
    )  # fmt: skip


NOTHING = Usage.nothing()
"""Usage of a pane without a readable process, for example a dead one."""

UP = ServerReport(
    server="default", socket="/tmp/tmux-1000/default", version="3.3a", pid=4001, up=True, held=False,
    listing_age_seconds=0.02, sessions=2, windows=3, panes=4, clients=1, history_bytes=5_068_432,
    start_time_seconds=NOW - 86_400, resident_memory_bytes=9_437_184, cpu_seconds_total=3.25, open_fds=21,
    max_fds=1024, query_duration=histogram((0.0031, 0.0042, 0.0047)), query_failures={}, problem=None,
    listing_taken_at=0.0,
)  # fmt: skip

HELD = replace(
    UP, server="claude-swarm-1", socket="/tmp/tmux-1000/claude-swarm-777", pid=777, up=False, held=True,
    listing_age_seconds=12.5, sessions=1, windows=1, panes=1, clients=0, history_bytes=0,
    query_duration=histogram((0.004, 2.0, 2.0)), query_failures={QueryFailure.HUNG: 2},
    problem=Problem(source="claude-swarm-1", reason=QueryFailure.HUNG, detail="no answer within 2 s"),
)  # fmt: skip
"""A server that hangs since 12.5 s: its listing is held, its process figures are fresh."""

DOWN = ServerReport(
    server="/srv/sockets/team one",
    socket="/srv/sockets/team one",
    version=None,
    pid=None,
    up=False,
    held=False,
    listing_age_seconds=None,
    sessions=None,
    windows=None,
    panes=None,
    clients=None,
    history_bytes=None,
    start_time_seconds=None,
    resident_memory_bytes=None,
    cpu_seconds_total=None,
    open_fds=None,
    max_fds=None,
    query_duration=histogram((0.0002,)),
    query_failures={QueryFailure.NOSERVER: 1},
    problem=Problem(
        source="/srv/sockets/team one", reason=QueryFailure.NOSERVER, detail="connection refused"
    ),
)
"""A server that ended: nothing of it is known any more but that it is down."""


OBSERVER = RemediatorStatus(
    process=ProcessId(7001, 654_321),
    mode=Mode.OBSERVE,
    interval_seconds=5.0,
    cycle_timestamp=NOW - 2.5,
    cycle_at=997.5,
    blind=False,
    audit_healthy=True,
    policies=(
        PolicyStatus(
            policy="orphaned-schedulers",
            matches=1,
            actions={(Action.WARN, ActionOutcome.DONE): 2, (Action.STOP, ActionOutcome.WOULD): 1},
            refusals={Refusal.WARMUP: 1},
        ),
    ),
    ended=(ProcessId(6100, 120_000),),
    log_lines={LogOutcome.WRITTEN: 12, LogOutcome.LOST: 1},
)
"""A remediator that observes: one match, one that it would have ended."""


HOST = HostFacts(
    memory_bytes=16 * 2**30,
    memory_available_bytes=9_876_543_488,
    cpu_seconds={mode: 1000.25 + index for index, mode in enumerate(CPU_MODES)},
    load1=1.75,
    disk_io_seconds={"nvme0n1": 123.456},
    filesystems={
        "/": FileSystem(
            size_bytes=250_000_000_000,
            available_bytes=100_000_000_000,
            inodes=15_000_000,
            available_inodes=14_000_000,
        ),
        HOSTILE: FileSystem(size_bytes=4096, available_bytes=0),
    },
    networks={
        "eth0": NetworkDevice(received_bytes=5_000_000_000, sent_bytes=70_000_000, speed_bytes=125_000_000),
        "wlan0": NetworkDevice(received_bytes=12, sent_bytes=34),
    },
    pressure_seconds={
        (resource, kind): 0.25 for resource in ("cpu", "io", "memory") for kind in ("some", "full")
    },
    processes=321,
    threads=1234,
    threads_limit=32_768,
    ptys=17,
    ptys_limit=4096,
    inotify_instances=9,
    inotify_instances_limit=128,
    user_pids=640,
    user_pids_limit=95_994,
    cgroup_pids=700,
    cgroup_pids_limit=10_813,
    oom_kills=3,
)
"""A machine that shows everything."""


def session(
    server: str, name: str, scale: int = 1, *, group: str = "", cost: Usage | None = None
) -> SessionReport:
    return SessionReport(
        server=server, session=name, group=group, created_timestamp_seconds=1_795_400_000 + scale,
        last_activity_timestamp_seconds=1_795_499_990, attached_clients=1 if scale == 1 else 0,
        history_bytes=2_534_216, windows=1, panes=2, usage=cost or usage(scale),
        unwatched_cpu_seconds_total=12.5 if group else None,
    )  # fmt: skip


ACCOUNT = KernelAccount(
    pids=17, pids_limit=4915, disk_read_bytes_total=4096, disk_written_bytes_total=8192, disk_reads_total=1,
    disk_writes_total=2, pressure_seconds_total={("cpu", "some"): 1.5, ("memory", "full"): 0.25},
)  # fmt: skip


def pane(server: str, session: str, pane: str, scale: int = 1, *, dead: bool = False) -> PaneReport:
    return PaneReport(
        server=server, session=session, window=str(scale), pane=pane, window_name=f"{HOSTILE[:20]}-{scale}",
        dead=dead, history_bytes=1_267_108, history_lines=1999, history_limit_lines=2000,
        usage=NOTHING if dead else usage(scale), account=KernelAccount() if dead else ACCOUNT,
    )  # fmt: skip


def agent(
    server: str,
    session: str,
    name: str,
    pane: str,
    *,
    program: str,
    scale: int = 1,
    state: AgentState = AgentState.WORKING,
) -> AgentReport:
    up = state is not AgentState.EXITED
    return AgentReport(
        server=server, session=session, agent=name, window=str(scale), pane=pane, program=program,
        version="2.1.197" if program == "claude" else "", role="lead" if scale == 1 else "",
        window_name=f"w{scale}", pid=5000 + scale if up else None, usage=usage(scale) if up else NOTHING,
        up=up, state=state, state_since_timestamp_seconds=NOW - 60 * scale,
        state_source=StateSource.AGENT_FILE if up else StateSource.PROCESS,
        attach=AttachPoint(
            socket="/tmp/tmux-1000/it's $(reboot)", session="$3", window=f"@{scale}", pane=pane,
        ) if up else None,
        waiting_reason=WaitingReason.PERMISSION if state is AgentState.WAITING else None,
        restarts_total=scale - 1, declared=not up, crashed=not up,
        helpers={HelperKind.MCP_SERVER: 2 * scale, HelperKind.SHELL: 1} if up and program == "claude" else {},
        helpers_memory_bytes={HelperKind.MCP_SERVER: 7_000_000 * scale} if up and program == "claude" else {},
        listening_processes={"3000": 1, "8080": 2},
        workspaces={
            (WorkspaceKind.WORK, "feature"): Workspace(bytes=4096 * scale, oldest=5.0),
            (WorkspaceKind.LOG, ""): Workspace(bytes=512, oldest=1_700_000_000.0),
        },
        state_seconds_total={AgentState.UNKNOWN: 0.0, state: 1.5 * scale},
        state_cpu_seconds_total={AgentState.UNKNOWN: 0.0, state: 0.25 * scale},
    )  # fmt: skip


def scheduler(
    server: str,
    session: str,
    state: SchedulerState,
    *,
    pid: int,
    due: float | None = NOW + 900,
    memory: int | None = 2_097_152,
    fds: int | None = 3,
    remarks: tuple[SchedulerRemark, ...] = (),
) -> SchedulerReport:
    return SchedulerReport(
        server=server, session=session, state=state,
        reason="the target pane is there" if state is SchedulerState.ARMED else f"it is {state}",
        targets=("work:0.0",), process=ProcessId(pid, 123_456), due_timestamp_seconds=due,
        memory_bytes=memory, cpu_seconds_total=0.01, open_fds=fds, remarks=remarks,
    )  # fmt: skip


def leak(
    server: str,
    session: str,
    kind: LeakKind,
    *,
    pid: int,
    memory: int | None = 12_582_912,
    fds: int | None = 5,
    age: float = 7200,
    files: int | None = None,
) -> LeakReport:
    return LeakReport(
        server=server, session=session, pane="%9" if session else "", kind=kind, reason="its pane is gone",
        name="node serve.js", process=ProcessId(pid, 1_234), start_time_seconds=NOW - age,
        memory_bytes=memory, cpu_seconds_total=2.5, open_fds=fds,
        ports=frozenset({5173}) if memory else frozenset(),
        files=ProcessId(files, 1_234) if files else None,
    )  # fmt: skip


def figures(
    operation: str, seconds: tuple[float, ...] = (), *, failed: int = 0, traced: bool = False
) -> OperationFigures:
    """An operation that took these times."""
    objective = objective_of(operation, ())
    duration = Histogram(
        bounds=OPERATION_BOUNDS,
        counts=tuple(sum(each <= bound for each in seconds) for bound in OPERATION_BOUNDS),
        count=len(seconds),
        sum=sum(seconds),
        exemplars={3: Exemplar(trace_id="0af7651916cd43dd8448eb211c80319c", value=0.01, timestamp=NOW)}
        if traced
        else {},
    )
    return OperationFigures(
        operation=operation,
        duration=duration,
        errors={**dict.fromkeys(FAILURES, 0), "timeout": failed},
        retries_total=2 * failed,
        in_flight=len(seconds) // 2,
        memory_grown_bytes_total=4096 * len(seconds),
        memory_shrunk_bytes_total=0,
        slow_total=objective and sum(each > objective.seconds for each in seconds),
        objective_seconds=objective and objective.seconds,
        objective_ratio=objective and objective.ratio,
    )


OPERATIONS = OperationsReport(
    operations=(
        *(figures(name) for name in CLASSES),
        figures("deploy", (0.01, 2.0, 5.0, 10.0, 500.0), failed=1, traced=True),
    ),
    lost={**dict.fromkeys(OperationLoss, 0), OperationLoss.DROPPED: 3},
)


def example_report() -> Report:
    """Three servers (up, held, down), hostile names, agents of two programs, schedulers of four states."""
    return Report(
        timestamp=NOW,
        duration_seconds=0.0375,
        interval_seconds=5.0,
        complete=False,
        samples={"complete": 41, "partial": 2},
        servers=(UP, HELD, DOWN),
        sessions=(
            session("default", "work", 2, group="pair"),
            session("default", HOSTILE, 1),
            session("claude-swarm-1", "team", 3),
        ),
        panes=(
            pane("default", "work", "%0", 1),
            pane("default", "work", "%1", 1, dead=True),
            pane("default", HOSTILE, "%2", 0),
            pane("default", HOSTILE, "%7", 1),
            pane("claude-swarm-1", "team", "%0", 3),
        ),
        agents=(
            replace(
                agent("default", "work", "lead", "%0", program="claude", scale=1),
                spending=SPENDING,
            ),
            agent(
                "default", HOSTILE, f"{HOSTILE}:0", "%7", program="codex", scale=2, state=AgentState.WAITING
            ),
            agent("claude-swarm-1", "team", "lead", "%0", program="claude", scale=3, state=AgentState.IDLE),
            agent("default", "work", "gone", "%3", program="aider", scale=4, state=AgentState.EXITED),
        ),
        schedulers=(
            scheduler(
                "default", "work", SchedulerState.ARMED, pid=6001, remarks=(SchedulerRemark.TARGET_AT_SHELL,)
            ),
            scheduler("default", "work", SchedulerState.ARMED, pid=6002, due=NOW + 60),
            scheduler("default", "", SchedulerState.DANGLING, pid=6003, due=NOW - 5),
            scheduler("default", HOSTILE, SchedulerState.OPAQUE, pid=6004, due=None, memory=None, fds=None),
            scheduler("", "", SchedulerState.UNKNOWN, pid=6005, due=None),
        ),
        scheduler_cpu_seconds_total={
            ("default", "work", SchedulerState.ARMED): 0.02,
            ("default", "work", SchedulerState.OVERDUE): 0.03,
            ("default", "", SchedulerState.DANGLING): 0.01,
            ("default", HOSTILE, SchedulerState.OPAQUE): 0.0,
            ("", "", SchedulerState.UNKNOWN): 0.01,
        },
        scheduler_outcomes_total={
            ("default", "work", SchedulerOutcome.FIRED): 7,
            ("default", "gone", SchedulerOutcome.MISSED): 1,
            ("default", "", SchedulerOutcome.CANCELLED): 1,
        },
        agent_recovery={"default": histogram((0.02, 1.5)), "claude-swarm-1": histogram()},
        agent_outages={"default": histogram((1.5,)), "claude-swarm-1": histogram()},
        leaks=(
            leak("default", "work", LeakKind.MCP_SERVER, pid=7001),
            leak("default", "work", LeakKind.MCP_SERVER, pid=7002, age=9000),
            leak("default", "ended", LeakKind.DEV_SERVER, pid=7003),
            leak("default", "", LeakKind.SHELL_JOB, pid=7004, memory=None, fds=None),
            leak("default", "", LeakKind.SCHEDULER, pid=6003),
        ),
        leaked_cpu_seconds_total={
            ("default", "work", LeakKind.MCP_SERVER): 1.25,
            ("default", "ended", LeakKind.DEV_SERVER): 0.5,
            ("default", "", LeakKind.SHELL_JOB): 0.0,
            ("default", "", LeakKind.SCHEDULER): 0.01,
        },
        stale_sockets=2,
        unreadable_processes={Unreadable.PERMISSION: 4},
        unattributed_cpu_seconds_total=1.5,
        discovery_missed_total=2,
        spending_problems={
            ("claude", each): int(each is SpendingProblem.MALFORMED) for each in SpendingProblem
        },
        session_spending={("default", "work"): SESSION_SPENDING},
        quotas=QUOTAS,
        collector_success={"tmux": False, "processes": True},
        problems=(Problem(source="claude-swarm-1", reason=QueryFailure.HUNG, detail="no answer within 2 s"),),
        remediator=RemediatorReport(up=True, status=OBSERVER),
        host=HOST,
        operations=OPERATIONS,
    )


def large_report(sessions: int, panes_per_session: int = 1) -> Report:
    """A fleet of equal sessions on one server, each pane with one agent; for measuring."""
    names = tuple(f"agent-{number:04}" for number in range(sessions))
    keys = tuple(
        (name, f"%{number}") for number, name in enumerate(n for n in names for _ in range(panes_per_session))
    )
    return replace(
        example_report(),
        servers=(UP,),
        sessions=tuple(session("default", name, index) for index, name in enumerate(names, 1)),
        panes=tuple(pane("default", name, key, index) for index, (name, key) in enumerate(keys, 1)),
        agents=tuple(
            agent("default", name, f"{name}:{key}", key, program="claude", scale=index)
            for index, (name, key) in enumerate(keys, 1)
        ),
        schedulers=tuple(
            scheduler("default", name, SchedulerState.ARMED, pid=9000 + index)
            for index, name in enumerate(names)
        ),
    )
