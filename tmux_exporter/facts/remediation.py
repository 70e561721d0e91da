"""What the remediator tells of itself: its closed lists, and the frozen facts that it hands to the exporter.

The remediator writes them into a file of the runtime folder, the exporter reads them there; neither imports
the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tmux_exporter.facts.process import ProcessId

FILE_VERSION = 3
"""Version of the file; another one is not read."""


class Mode(StrEnum):
    """How far the remediator may go (closed list, a label), least first; only ENFORCE signals anything."""

    OBSERVE = "observe"
    RECOMMEND = "recommend"
    ENFORCE = "enforce"


def least(*modes: Mode) -> Mode:
    """The mode that allows least: every one of them has to agree to more."""
    order = tuple(Mode)
    return min(modes, key=order.index)


class TargetKind(StrEnum):
    """What a policy can be for (closed list)."""

    SCHEDULER = "scheduler"
    AGENT = "agent"
    LEAKED_PROCESS = "leaked_process"
    PANE = "pane"
    SERVER = "server"


class Method(StrEnum):
    """How something is ended (closed list).

    SCHEDULER_PAIR: a shell first, and only once it is dead its sleep. AGENT_PROCESS: an agent's root process,
    never the shell of its pane. LEAKED_PROCESS: one process whose command line a policy names by its hash.
    """

    SCHEDULER_PAIR = "scheduler_pair"
    AGENT_PROCESS = "agent_process"
    LEAKED_PROCESS = "leaked_process"


class Signal(StrEnum):
    """The signals that may ever be sent (closed list)."""

    TERM = "TERM"
    INT = "INT"
    HUP = "HUP"
    KILL = "KILL"


class Action(StrEnum):
    """What a policy can ask for (closed list, a label). KILL only follows a STOP that had no effect."""

    WARN = "warn"
    SNAPSHOT = "snapshot"
    THROTTLE = "throttle"
    SAVE = "save"
    CLEAR_HISTORY = "clear_history"
    SET_OPTION = "set_option"
    STOP = "stop"
    KILL = "kill"


class ActionOutcome(StrEnum):
    """What came of an action (closed list, a label).

    WOULD: only observed. DONE: seen to have had its effect. SURVIVED: signalled in vain. VANISHED: the target
    ended by itself before it was signalled. REFUSED: the last look spoke against it. FAILED: an error of ours
    or of the machine.
    """

    WOULD = "would"
    DONE = "done"
    SURVIVED = "survived"
    VANISHED = "vanished"
    REFUSED = "refused"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why something that a policy matches is left alone (closed list, a label)."""

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
    HELD = "held"
    PROTECTED = "protected"
    BREAKER = "breaker"
    APPROVAL = "approval"
    UNAVAILABLE = "unavailable"
    MAX_MATCH = "max_match"
    BUDGET = "budget"
    AUDIT = "audit"
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """One policy: what it matched in the last cycle, and its counts since the remediator's start.

    `breaker_open` says that it has done harm or had no effect, and ends nothing for now.
    """

    policy: str
    matches: int
    actions: Mapping[tuple[Action, ActionOutcome], int] = field(default_factory=dict)
    refusals: Mapping[Refusal, int] = field(default_factory=dict)
    breaker_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediatorStatus:
    """The remediator after a cycle, which ended at `cycle_timestamp` (wall) and `cycle_at` (monotonic).

    `blind` means that it could not see well enough to do anything, `reload_successful` that the policies in
    use are those that were read last. `ended` are the shells of the schedulers that it ended lately.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediatorReport:
    """What the exporter knows of a remediator that runs, or has run, for this user.

    `status` is its last word, None where its file cannot be used; `detail` says why, in words.
    """

    up: bool
    status: RemediatorStatus | None = None
    detail: str = ""
