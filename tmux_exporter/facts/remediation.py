"""Status of the remediator: modes, actions, outcomes, refusals, and the report that the exporter reads.

The remediator writes them to a file in the runtime folder and the exporter reads that file; neither imports
the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tmux_exporter.facts.log import LogOutcome
from tmux_exporter.facts.process import ProcessId

FILE_VERSION = 3
"""Version of the file; another one is not read."""


class Mode(StrEnum):
    """How far the remediator may go (closed list, a label), least first; only ENFORCE signals anything."""

    OBSERVE = "observe"
    RECOMMEND = "recommend"
    ENFORCE = "enforce"


def least(*modes: Mode) -> Mode:
    """The most restrictive of these modes."""
    order = tuple(Mode)
    return min(modes, key=order.index)


class TargetKind(StrEnum):
    """The kind of target of a policy (closed list)."""

    SCHEDULER = "scheduler"
    AGENT = "agent"
    LEAKED_PROCESS = "leaked_process"
    PANE = "pane"
    SERVER = "server"


class Method(StrEnum):
    """How a target is ended (closed list).

    SCHEDULER_PAIR: a shell first, and only once it is dead its sleep. AGENT_PROCESS: an agent's root process,
    or the process of its tree that holds the figure of its policy, never the shell of its pane.
    LEAKED_PROCESS: one process whose command line a policy names by its hash, or that it describes by kind,
    program and age.
    """

    SCHEDULER_PAIR = "scheduler_pair"
    AGENT_PROCESS = "agent_process"
    LEAKED_PROCESS = "leaked_process"


class Signal(StrEnum):
    """The signals that the remediator may send (closed list)."""

    TERM = "TERM"
    INT = "INT"
    HUP = "HUP"
    KILL = "KILL"


class Action(StrEnum):
    """The actions of a policy (closed list, a label). KILL only follows a STOP without effect."""

    WARN = "warn"
    SNAPSHOT = "snapshot"
    THROTTLE = "throttle"
    RAISE_FD_LIMIT = "raise_fd_limit"
    SAVE = "save"
    CLEAR_HISTORY = "clear_history"
    SET_OPTION = "set_option"
    CLOSE_DEAD_PANE = "close_dead_pane"
    STOP = "stop"
    KILL = "kill"


class LeaseMeans(StrEnum):
    """What holds a throttle for its lease (closed list, a label).

    SCOPE: a cgroup of the user's systemd, whose timer ends it. PAUSE: SIGSTOP, whose keeper continues it.
    """

    SCOPE = "scope"
    PAUSE = "pause"


class CulpritKind(StrEnum):
    """Which process of an agent held the figures (closed list, a label).

    AGENT: its root process itself. DESCENDANT: a process below it, with all that this has started.
    """

    AGENT = "agent"
    DESCENDANT = "descendant"


CULPRIT_ACTIONS = (Action.THROTTLE, Action.RAISE_FD_LIMIT, Action.STOP, Action.KILL)
"""What is done to a culprit."""


class Reclaimed(StrEnum):
    """Where bytes were won back (closed list, a label): of ended processes, or of a history of tmux."""

    MEMORY = "memory"
    HISTORY = "history"


class ActionOutcome(StrEnum):
    """The result of an action (closed list, a label).

    WOULD: only observed. DONE: the effect was seen. SURVIVED: the signals had no effect. VANISHED: the target
    ended by itself before a signal. REFUSED: a last check failed. FAILED: an error of the remediator or of
    the machine.
    """

    WOULD = "would"
    DONE = "done"
    SURVIVED = "survived"
    VANISHED = "vanished"
    REFUSED = "refused"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why the remediator does not act on a match of a policy (closed list, a label)."""

    BLIND = "blind"
    WARMUP = "warmup"
    CLOCK_JUMP = "clock_jump"
    SERVER_UNKNOWN = "server_unknown"
    STALE = "stale"
    STATE = "state"
    NOT_A_PAIR = "not_a_pair"
    TOO_LATE = "too_late"
    TMUX_SERVER = "tmux_server"
    OWN_PROCESS = "own_process"
    OTHER_UID = "other_uid"
    PANE_SHELL = "pane_shell"
    ATTACHED_SESSION = "attached_session"
    LISTENING_SOCKET = "listening_socket"
    LIVE_DESCENDANT = "live_descendant"
    NAMESPACE = "namespace"
    SERVICE = "service"
    NOT_STOPPED = "not_stopped"
    UNKILLABLE = "unkillable"
    EVIDENCE = "evidence"
    CHANGED = "changed"
    NO_CULPRIT = "no_culprit"
    UNPROVEN = "unproven"
    IN_USE = "in_use"
    USAGE_LIMIT = "usage_limit"
    HELD = "held"
    PROTECTED = "protected"
    BREAKER = "breaker"
    APPROVAL = "approval"
    UNAVAILABLE = "unavailable"
    NO_RETURN = "no_return"
    MAX_MATCH = "max_match"
    BUDGET = "budget"
    AUDIT = "audit"
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """One policy: its matches in the last cycle, and its counters since the remediator's start.

    `breaker_open`: its actions did harm or had no effect, so it ends nothing for now. `leases` are those that
    are in force, the first of them until `lease_end_timestamp` (wall time); `memory_high_events` is how often
    the kernel has slowed down what was in a lease's scope. `culprits` counts what was done to a process of an
    agent that held its figures, `reclaimed` the bytes that were measured before an act and gone after it.
    """

    policy: str
    matches: int
    actions: Mapping[tuple[Action, ActionOutcome], int] = field(default_factory=dict)
    refusals: Mapping[Refusal, int] = field(default_factory=dict)
    breaker_open: bool = False
    leases: Mapping[LeaseMeans, int] = field(default_factory=dict)
    lease_end_timestamp: float | None = None
    memory_high_events: int = 0
    culprits: Mapping[tuple[Action, CulpritKind], int] = field(default_factory=dict)
    reclaimed: Mapping[Reclaimed, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediatorStatus:
    """The remediator after a cycle, which ended at `cycle_timestamp` (wall) and `cycle_at` (monotonic).

    `blind`: it could not see enough to act. `reload_successful`: the policies in use are those read last.
    `ended` are the shells of the schedulers that it ended lately, `log_lines` its own.
    """

    process: ProcessId
    mode: Mode
    interval_seconds: float
    cycle_timestamp: float
    cycle_at: float
    blind: bool
    audit_healthy: bool
    reload_successful: bool = True
    policies: tuple[PolicyStatus, ...] = ()
    ended: tuple[ProcessId, ...] = ()
    log_lines: Mapping[LogOutcome, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediatorReport:
    """What the exporter knows about a remediator that runs, or has run, for this user.

    `status` is its last status, None where its file cannot be used; `detail` says why, in words.
    """

    up: bool
    status: RemediatorStatus | None = None
    detail: str = ""
