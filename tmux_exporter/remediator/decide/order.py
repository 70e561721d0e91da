"""Orders: which target to terminate, by which signals, for which policy; pure."""

from dataclasses import dataclass

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
    """

    policy: Policy
    target: Target
    method: Method
    stages: tuple[Stage, ...]
    plan_sha256: str = ""
