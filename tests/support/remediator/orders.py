"""Orders as a policy gives them, and what surrounds a process that nothing speaks against."""

from dataclasses import replace

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Method, Signal, TargetKind
from tmux_exporter.facts.report import SchedulerReport
from tmux_exporter.remediator.decide.candidates import target_of
from tmux_exporter.remediator.decide.last_checks import ProcessContext
from tmux_exporter.remediator.decide.order import Order, Stage, Target
from tmux_exporter.remediator.policies.policy import Policy, TargetMatch

HARMLESS = ProcessContext(unit="", reachable=False, connections=frozenset())

STOP = Stage(action=Action.STOP, signal=Signal.TERM, seconds=0.5)
KILL = Stage(action=Action.KILL, signal=Signal.KILL, seconds=5.0)


def pair_order(policy: Policy, scheduler: SchedulerReport) -> Order:
    """To end a scheduler, shell first."""
    return Order(
        policy=policy,
        target=target_of(scheduler),
        method=Method.SCHEDULER_PAIR,
        stages=(replace(STOP, seconds=policy.grace), replace(KILL, seconds=policy.gone_within)),
    )


def single_order(
    policy: Policy,
    method: Method,
    process: ProcessId,
    *stages: Stage,
    server: str = "",
    argv_sha256: str = "",
) -> Order:
    """To end an agent or a leaked process, which the policy names by its hash unless it describes it.

    A STOP where no stages are given.
    """
    kind = TargetKind.AGENT if method is Method.AGENT_PROCESS else TargetKind.LEAKED_PROCESS
    if policy.match.kind is TargetKind.SCHEDULER:
        policy = replace(policy, match=TargetMatch(kind=kind, argv_sha256=(argv_sha256,), opted_in=True))
    target = Target(kind=kind, server=server, session="", processes=(process,), argv_sha256=argv_sha256)
    return Order(policy=policy, target=target, method=method, stages=stages or (STOP,))
