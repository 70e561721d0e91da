"""Orders: which target to terminate, by which signals, for which policy; pure."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Method, Signal, TargetKind
from tmux_exporter.remediator.policies.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target of a policy; it stays the same while its processes live.

    `processes` are all that may be signalled for it, in their order: shell and sleep of a scheduler (the
    shell alone where it has no sleep), the root process of an agent, the one process that leaked; none for a
    pane or a server. `server` and `session` are finished labels, empty where they are not known; `name` is
    the agent's label, the pane's id or the kind of the leak. `argv_sha256` is the hash of the command line of
    a leaked process, empty for every other kind.
    """

    kind: TargetKind
    server: str
    session: str
    name: str = ""
    processes: tuple[ProcessId, ...] = ()
    argv_sha256: str = ""


class Reason(NamedTuple):
    """A figure for which something is ended: its value, the bound, and how much of it ends.

    With `rate_over` these are how fast the figure grows a second.
    """

    metric: str
    value: float
    above: float
    held: float
    rate_over: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One signal and how many seconds its target then has; `action` is what its outcome is counted as."""

    action: Action
    signal: Signal
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """To end one target.

    `stages` come one after the other, each only where the one before was seen to have had no effect: the
    first is a STOP, or a KILL whose STOP had none in an earlier cycle. `plan_sha256` is the plan in which a
    person approved of it, empty where the policy itself is allowed to.

    Of an agent `culprit` is the process that is ended instead of its root, and `with_below` says that all
    that descends from it ends with it. `reasons` and `held` (seconds) tell why and for how long by then.
    """

    policy: Policy
    target: Target
    method: Method
    stages: tuple[Stage, ...]
    plan_sha256: str = ""
    culprit: ProcessId | None = None
    with_below: bool = False
    reasons: tuple[Reason, ...] = field(default=(), compare=False)
    held: float = field(default=0.0, compare=False)

    @property
    def first(self) -> ProcessId:
        """The process that is signalled first."""
        return self.culprit or self.target.processes[0]
