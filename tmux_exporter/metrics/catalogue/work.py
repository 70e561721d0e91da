"""Declared families of the work in the panes: agents, leaks, schedulers, operations."""

from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.metrics.catalogue.family import COMMANDS_OPTION, Kind, Spec
from tmux_exporter.metrics.catalogue.usage import MEMORY_SOURCE_HELP, usage_specs
from tmux_exporter.wire.operation_line import FAILURES

AGENT = ("server", "session", "agent")
LEAK = ("server", "session", "kind")
SCHEDULER = ("server", "session", "state")

AGENT_STATES = tuple(AgentState)
WAITING_REASONS = tuple(WaitingReason)
ERROR_REASONS = FAILURES
MEMORY_CHANGES = ("grown", "shrunk")

AGENTS = (
    Spec(
        name="tmux_agent_info",
        kind=Kind.INFO,
        labels=(*AGENT, "pane", "program", "version", "role", "window_name", "memory_source"),
        subject="agent",
        help="A coding agent that runs in a pane, and what is known of it; empty where it is not known. "
        + MEMORY_SOURCE_HELP.format(group="agent"),
    ),
    *usage_specs("agent", AGENT),
    Spec(
        name="tmux_agent_same_command_processes",
        kind=Kind.GAUGE,
        labels=AGENT,
        subject="agent",
        help="Most living processes of the agent that run one and the same command line: what it starts over "
        "and over and never ends shows here while it lives; so do the workers of one build.",
    ),
    Spec(
        name="tmux_agent_up",
        kind=Kind.GAUGE,
        labels=AGENT,
        subject="agent",
        help="1 while the agent's process runs, 0 while it does not though its pane is still there or it is "
        "declared (agents.expected, @agent). Two looks in a row have to miss it.",
    ),
    Spec(
        name="tmux_agent_restarts_total",
        kind=Kind.COUNTER,
        labels=AGENT,
        subject="agent",
        help="How often another process of the same program came in the place of the agent's since the "
        "exporter saw it first.",
    ),
    Spec(
        name="tmux_agent_state",
        kind=Kind.GAUGE,
        labels=(*AGENT, "state"),
        closed={"state": AGENT_STATES},
        subject="agent",
        help="1 for the state that the agent is in, 0 for every other state. It is idle also where its "
        "source cannot tell idle from waiting.",
    ),
    Spec(
        name="tmux_agent_state_since_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=AGENT,
        subject="agent",
        help="Since when the agent is in its state, in seconds since the epoch.",
    ),
    Spec(
        name="tmux_agent_state_seconds_total",
        kind=Kind.COUNTER,
        unit="seconds",
        labels=(*AGENT, "state"),
        closed={"state": AGENT_STATES},
        subject="agent",
        help="Time that the agent spent in each state since the exporter saw it first; the time between two "
        "samples counts for the state at the second.",
    ),
    Spec(
        name="tmux_agent_state_cpu_seconds_total",
        kind=Kind.COUNTER,
        unit="seconds",
        labels=(*AGENT, "state"),
        closed={"state": AGENT_STATES},
        subject="agent",
        help="CPU time that the agent's processes used in each state since the exporter saw it first; what "
        "they used between two samples counts for the state at the second.",
    ),
    Spec(
        name="tmux_agent_waiting_since_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=(*AGENT, "reason"),
        closed={"reason": WAITING_REASONS},
        subject="agent",
        help="Since when the agent waits and for what, in seconds since the epoch; only there while it "
        "waits.",
    ),
    Spec(
        name="tmux_agent_recovery_seconds",
        kind=Kind.HISTOGRAM,
        unit="seconds",
        labels=("server",),
        subject="agent",
        help="How long agents were down before they were up again in the same place, from when the process "
        "before was last seen to the start of the next one.",
    ),
)

LEAKS = (
    Spec(
        name="tmux_leaked_processes",
        kind=Kind.GAUGE,
        labels=LEAK,
        closed={"kind": tuple(LeakKind)},
        subject="leak",
        help="Processes that outlived the pane that started them, and schedulers that will never arrive, by "
        "kind; session is that of the pane, also when it is gone.",
    ),
    Spec(
        name="tmux_leaked_memory_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=LEAK,
        closed={"kind": tuple(LeakKind)},
        subject="leak",
        help="Anonymous plus shared memory of leaked processes; swap is not counted.",
    ),
    Spec(
        name="tmux_leaked_cpu_seconds_total",
        kind=Kind.COUNTER,
        unit="seconds",
        labels=LEAK,
        closed={"kind": tuple(LeakKind)},
        subject="leak",
        help="CPU time of leaked processes since they were first seen as leaked.",
    ),
    Spec(
        name="tmux_leaked_open_fds",
        kind=Kind.GAUGE,
        labels=LEAK,
        closed={"kind": tuple(LeakKind)},
        subject="leak",
        help="Open file descriptors of leaked processes.",
    ),
    Spec(
        name="tmux_leaked_oldest_start_time_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=LEAK,
        closed={"kind": tuple(LeakKind)},
        subject="leak",
        help="Start of the oldest leaked process, in seconds since the epoch.",
    ),
)

_STATES = {"state": tuple(SchedulerState)}

SCHEDULERS = (
    Spec(
        name="tmux_schedulers",
        kind=Kind.GAUGE,
        labels=SCHEDULER,
        closed=_STATES,
        subject="scheduler",
        help="Pending schedulers (a background shell that sleeps and then types into a pane), each in one "
        "state. session is the resolved target's, else the one that made it, else empty.",
    ),
    Spec(
        name="tmux_scheduler_memory_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=SCHEDULER,
        closed=_STATES,
        subject="scheduler",
        help="Anonymous plus shared memory of the pending schedulers' processes; swap is not counted.",
    ),
    Spec(
        name="tmux_scheduler_cpu_seconds_total",
        kind=Kind.COUNTER,
        unit="seconds",
        labels=SCHEDULER,
        closed=_STATES,
        subject="scheduler",
        help="CPU time of schedulers while they were in each state, since the exporter saw them first.",
    ),
    Spec(
        name="tmux_scheduler_open_fds",
        kind=Kind.GAUGE,
        labels=SCHEDULER,
        closed=_STATES,
        subject="scheduler",
        help="Open file descriptors of the pending schedulers' processes.",
    ),
    Spec(
        name="tmux_scheduler_next_due_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=("server", "session"),
        subject="scheduler",
        help="When the earliest of the pending schedulers is due, in seconds since the epoch; in the past "
        "while one is overdue, not there while none has a known time.",
    ),
    Spec(
        name="tmux_scheduler_outcomes_total",
        kind=Kind.COUNTER,
        labels=("server", "session", "outcome"),
        closed={"outcome": tuple(SchedulerOutcome)},
        subject="scheduler",
        help="Schedulers that ended since the exporter saw them first, by what became of them as far as "
        "samples tell: fired (it was due and its target was there), missed (its target was gone, its keys "
        "led elsewhere, or it sends only after a failure), cancelled (it ended before it was due, or the "
        "remediator ended it), unknown.",
    ),
)

OPERATIONS = (
    Spec(
        name="tmux_operation_duration_seconds",
        kind=Kind.HISTOGRAM,
        unit="seconds",
        labels=("operation",),
        subject="operation",
        help="How long reported operations took; finished ones are counted, failed ones included, each with "
        "all its attempts.",
    ),
    Spec(
        name="tmux_operation_errors_total",
        kind=Kind.COUNTER,
        labels=("operation", "reason"),
        closed={"reason": ERROR_REASONS},
        subject="operation",
        help="Reported operations that failed, by reason.",
    ),
    Spec(
        name="tmux_operation_retries_total",
        kind=Kind.COUNTER,
        labels=("operation",),
        subject="operation",
        help="Further attempts at a reported operation after one that failed.",
    ),
    Spec(
        name="tmux_operations_in_flight",
        kind=Kind.GAUGE,
        labels=("operation",),
        subject="operation",
        help="Reported operations that have begun and not finished.",
    ),
    Spec(
        name="tmux_operation_memory_change_bytes_total",
        kind=Kind.COUNTER,
        unit="bytes",
        labels=("operation", "direction"),
        closed={"direction": MEMORY_CHANGES},
        subject="operation",
        help="By how much the resident memory of the programs that reported operations had grown or shrunk "
        "when these ended; grown minus shrunk, per operation, is what each leaves behind.",
    ),
    Spec(
        name="tmux_command_duration_seconds",
        kind=Kind.HISTOGRAM,
        unit="seconds",
        labels=("server", "command"),
        option=COMMANDS_OPTION,
        subject="operation",
        help="How long tmux commands of this user took from start to end of their client, whoever gave them, "
        "by the kernel's events (operations.watch_commands). The server is empty where none of that socket "
        "is known.",
    ),
    Spec(
        name="tmux_command_errors_total",
        kind=Kind.COUNTER,
        labels=("server", "command"),
        option=COMMANDS_OPTION,
        subject="operation",
        help="tmux commands of this user that failed: their client ended with another status than 0.",
    ),
)
