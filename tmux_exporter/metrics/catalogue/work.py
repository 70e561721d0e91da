"""Declared families of the work in the panes: agents, leaks, schedulers, operations."""

from functools import partial

from tmux_exporter.facts.agents import AgentState, HelperKind, WaitingReason
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.facts.workspaces import WorkspaceKind
from tmux_exporter.metrics.catalogue.family import COMMANDS_OPTION, Spec
from tmux_exporter.metrics.catalogue.usage import INFO_HELP, INFO_LABELS, usage_specs
from tmux_exporter.wire.operation_line import FAILURES

AGENT = ("server", "session", "agent")
LEAK = ("server", "session", "kind")
SCHEDULER = ("server", "session", "state")

WORKSPACES_OPTION = "metrics.workspaces"
PORTS_OPTION = "metrics.ports"

ERROR_REASONS = FAILURES
MEMORY_CHANGES = ("grown", "shrunk")

_agent = partial(
    Spec,
    subject="agent",
    labels=AGENT,
    closed={"state": tuple(AgentState), "reason": tuple(WaitingReason), "kind": tuple(HelperKind)},
)
_leak = partial(Spec, subject="leak", labels=LEAK, closed={"kind": tuple(LeakKind)})
_scheduler = partial(
    Spec,
    subject="scheduler",
    labels=SCHEDULER,
    closed={"state": tuple(SchedulerState), "outcome": tuple(SchedulerOutcome)},
)
_operation = partial(Spec, subject="operation", labels=("operation",))
_command = partial(Spec, subject="operation", labels=("server", "command"), option=COMMANDS_OPTION)

AGENTS = (
    _agent(
        "tmux_agent_info",
        "A coding agent that runs in a pane, and what is known of it; empty where it is not known. "
        + INFO_HELP.format(group="agent"),
        labels=(*AGENT, "pane", "program", "version", "role", "window_name", *INFO_LABELS),
    ),
    *usage_specs("agent", AGENT),
    _agent(
        "tmux_agent_same_command_processes",
        "Most living processes of the agent that run one and the same command line: what it starts over "
        "and over and never ends shows here while it lives; so do the workers of one build.",
    ),
    _agent(
        "tmux_agent_helpers",
        "What the agent has started and still runs, by kind: an MCP server, a language server, a browser, a "
        "shell or a subagent of its program counts once, with all processes below it. Only kinds that are "
        "there.",
        labels=(*AGENT, "kind"),
        sparse=True,
    ),
    _agent(
        "tmux_agent_helpers_memory_bytes",
        "Anonymous plus shared memory of what the agent has started, by kind: a part of "
        "tmux_agent_memory_bytes; the rest is its own program, and commands that it runs itself.",
        labels=(*AGENT, "kind"),
        sparse=True,
    ),
    Spec(
        "tmux_workspace_bytes",
        "Disk space of the folder that the agent works in, and of the one that it logs to, with all below "
        "them on the same file system, as du -x tells it: a file with several names counts once. A folder "
        "within a git worktree stands for the whole; worktree is the name of a linked one. Agents of one "
        "folder have it each: take the maximum, no sum. Measured every ten minutes or more; not there where "
        "it could not be read wholly, and for a home folder (metrics.workspaces).",
        subject="agent",
        labels=(*AGENT, "kind", "worktree"),
        closed={"kind": tuple(WorkspaceKind)},
        sparse=True,
        option=WORKSPACES_OPTION,
        figure="workspace_bytes",
    ),
    _agent(
        "tmux_agent_log_oldest_timestamp_seconds",
        "When the file in the agent's log folder that was written longest ago was last written (Unix time): "
        "how far back its log goes. As old as tmux_workspace_bytes is, and there where that is of the kind "
        "log (metrics.workspaces).",
        option=WORKSPACES_OPTION,
    ),
    _agent(
        "tmux_agent_listening_processes",
        "Processes of the agent that listen on the TCP port; the lowest 20 ports. Read once a minute "
        "(metrics.ports).",
        labels=(*AGENT, "port"),
        option=PORTS_OPTION,
    ),
    _agent(
        "tmux_agent_up",
        "1 while the agent's process runs, 0 while it does not though its pane is still there or it is "
        "declared (agents.expected, @agent). Two samples in a row have to miss it.",
    ),
    _agent(
        "tmux_agent_declared",
        "1 for an agent that somebody declared: in agents.expected, or by @agent of its pane.",
    ),
    _agent(
        "tmux_agent_crashed",
        "1 while the dead pane of an agent that has ended shows that it failed: with a status other than 0 "
        "and 130, or by a signal other than SIGHUP, SIGINT and SIGTERM. What a shell started, nobody tells.",
    ),
    _agent(
        "tmux_agent_restarts_total",
        "How often another process of the same program came in the place of the agent's since the "
        "exporter saw it first.",
    ),
    _agent(
        "tmux_agent_state",
        "1 for the state that the agent is in, 0 for every other state. It is idle also where its "
        "source cannot tell idle from waiting.",
        labels=(*AGENT, "state"),
    ),
    _agent(
        "tmux_agent_state_since_timestamp_seconds",
        "Since when the agent is in its state, in seconds since the epoch.",
    ),
    _agent(
        "tmux_agent_state_seconds_total",
        "Time that the agent spent in each state since the exporter saw it first; the time between two "
        "samples counts for the state at the second, as far as its source does not tell that it began later.",
        labels=(*AGENT, "state"),
        sparse=True,
    ),
    _agent(
        "tmux_agent_state_cpu_seconds_total",
        "CPU time that the agent's processes used in each state since the exporter saw it first; what "
        "they used between two samples counts for the state at the second.",
        labels=(*AGENT, "state"),
        sparse=True,
    ),
    _agent(
        "tmux_agent_waiting_since_timestamp_seconds",
        "Since when the agent waits and for what, in seconds since the epoch; only there while it waits.",
        labels=(*AGENT, "reason"),
        sparse=True,
    ),
    _agent(
        "tmux_agent_usage_limit_reset_timestamp_seconds",
        "When the usage limit that the agent waits for ends, as a file of its program or its screen says, in "
        "seconds since the epoch; only there while it waits for one and a time is named.",
    ),
    _agent(
        "tmux_agent_recovery_seconds",
        "How long agents were down before they were up again in the same place, from when the process "
        "before was last seen to the start of the next one.",
        labels=("server",),
        histogram=True,
    ),
    _agent(
        "tmux_agent_outage_seconds",
        "The same of agents that are declared (agents.expected, @agent), or whose dead pane showed that they "
        "had failed; one that was quit and started again later had no outage.",
        labels=("server",),
        histogram=True,
    ),
)

LEAKS = (
    _leak(
        "tmux_leaked_processes",
        "Processes that outlived the pane that started them, and schedulers that will never arrive, by "
        "kind; session is that of the pane, also when it is gone.",
    ),
    _leak(
        "tmux_leaked_memory_bytes",
        "Anonymous plus shared memory of leaked processes; swap is not counted.",
        sparse=True,
    ),
    _leak(
        "tmux_leaked_cpu_seconds_total",
        "CPU time of leaked processes since they were first seen as leaked.",
        sparse=True,
    ),
    _leak(
        "tmux_leaked_open_fds",
        "Open file descriptors of leaked processes.",
        sparse=True,
    ),
    _leak(
        "tmux_leaked_oldest_start_time_seconds",
        "Start of the oldest leaked process, in seconds since the epoch.",
        sparse=True,
    ),
    _leak(
        "tmux_leaked_listening_processes",
        "Leaked processes that listen on the TCP port; the lowest 20 ports of a session and kind. Read once "
        "a minute.",
        labels=(*LEAK, "port"),
        sparse=True,
    ),
)

SCHEDULERS = (
    _scheduler(
        "tmux_schedulers",
        "Pending schedulers (a background shell that sleeps and then types into a pane), each in one "
        "state. session is the resolved target's, else the one that made it, else empty.",
    ),
    _scheduler(
        "tmux_scheduler_memory_bytes",
        "Anonymous plus shared memory of the pending schedulers' processes; swap is not counted.",
        sparse=True,
    ),
    _scheduler(
        "tmux_scheduler_cpu_seconds_total",
        "CPU time of schedulers while they were in each state, since the exporter saw them first.",
        sparse=True,
    ),
    _scheduler(
        "tmux_scheduler_open_fds",
        "Open file descriptors of the pending schedulers' processes.",
        sparse=True,
    ),
    _scheduler(
        "tmux_scheduler_next_due_timestamp_seconds",
        "When the earliest of the pending schedulers is due, in seconds since the epoch; in the past "
        "while one is overdue, not there while none has a known time.",
        labels=("server", "session"),
    ),
    _scheduler(
        "tmux_scheduler_outcomes_total",
        "Schedulers that ended since the exporter saw them first, by what became of them as far as "
        "samples tell: fired (it was due and its target was there), missed (its target was gone, its keys "
        "led elsewhere, or it sends only after a failure), cancelled (it ended before it was due, or the "
        "remediator ended it), unknown.",
        labels=("server", "session", "outcome"),
    ),
)

OPERATIONS = (
    _operation(
        "tmux_operation_duration_seconds",
        "How long reported operations took; finished ones are counted, failed ones included, each with "
        "all its attempts.",
        histogram=True,
        figure="duration",
    ),
    _operation(
        "tmux_operation_slow_total",
        "Reported operations that took longer than their objective (operations.objectives); not there for "
        "a name without one.",
    ),
    _operation(
        "tmux_operation_objective_seconds",
        "How long operations of this name may take (operations.objectives).",
    ),
    _operation(
        "tmux_operation_objective_ratio",
        "Which part of the operations of this name has to be done within that time (operations.objectives).",
    ),
    _operation(
        "tmux_operation_errors_total",
        "Reported operations that failed, by reason.",
        figure="errors",
        labels=("operation", "reason"),
        closed={"reason": ERROR_REASONS},
    ),
    _operation(
        "tmux_operation_retries_total", "Further attempts at a reported operation after one that failed."
    ),
    _operation(
        "tmux_operations_in_flight",
        "Reported operations that have begun and not finished.",
        figure="in_flight",
    ),
    _operation(
        "tmux_operation_memory_change_bytes_total",
        "By how much the resident memory of the programs that reported operations had grown or shrunk "
        "when these ended; grown minus shrunk, per operation, is what each leaves behind.",
        labels=("operation", "direction"),
        closed={"direction": MEMORY_CHANGES},
    ),
)

COMMANDS = (
    _command(
        "tmux_command_duration_seconds",
        "How long tmux commands of this user took from start to end of their client, from any program, "
        "by the kernel's events (operations.watch_commands). The server is empty where none of that socket "
        "is known.",
        histogram=True,
        figure="duration",
    ),
    _command(
        "tmux_command_errors_total",
        "tmux commands of this user that failed: their client ended with another status than 0.",
        figure="errors_total",
    ),
)
