"""Make the orders of a policy: what ends or throttles a target, by which stages and why; pure."""

from dataclasses import dataclass, replace

from tmux_exporter.facts.remediation import Action, Method, Signal, TargetKind
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.conditions import ConditionStates
from tmux_exporter.remediator.decide.culprit import Culprit
from tmux_exporter.remediator.decide.order import Order, Reason, Stage
from tmux_exporter.remediator.policies.document import METHODS
from tmux_exporter.remediator.policies.policy import LadderStep, Policy, Whom

LONGEST_IN_ACT = 10.0
"""A kill within this many seconds after its stop is one act with it; a later kill is a new decision."""

LONGEST_IN_PLAN = 600.0
"""The same limit for an applied plan, where no other target waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What an order rests on: target, figures, who holds them, and for how many seconds it matches."""

    candidate: TargetCandidate
    states: ConditionStates | None
    culprit: Culprit | None
    held: float


def ending_order(policy: Policy, grounds: Grounds, *, longest: float = LONGEST_IN_ACT) -> Order | None:
    """Stop and, where that is one act with it, kill; None where there is nothing to end."""
    stop, kill = policy.stop, policy.kill
    if stop is None or stop.method is None:
        return None
    if kill is None or max(stop.grace, kill.after) > longest:
        # A later kill is a new decision: waiting for it here would block the loop.
        stages: tuple[Stage, ...] = (Stage(action=Action.STOP, signal=stop.signal, seconds=stop.grace),)
    else:
        seconds = max(stop.grace, kill.after)
        stages = Stage(action=Action.STOP, signal=stop.signal, seconds=seconds), _kill_stage(policy)
    return _order(policy, grounds, stop.method, stages)


def late_kill_order(policy: Policy, grounds: Grounds) -> Order | None:
    """The kill alone, of what has outlived its stop."""
    stop = policy.stop
    if stop is None or stop.method is None:
        return None
    return _order(policy, grounds, stop.method, (_kill_stage(policy),))


def is_in_act(stop: LadderStep, kill: LadderStep) -> bool:
    """Whether the kill is one act with the stop."""
    return max(stop.grace, kill.after) <= LONGEST_IN_ACT


def throttle_order(policy: Policy, grounds: Grounds, rung: LadderStep) -> Order | None:
    """What a throttle is judged by; of a leaked process it holds all that descends from it, too."""
    kind = grounds.candidate.target.kind
    if rung.throttle is not None and rung.throttle.whole_pane:
        # It holds the pane, whoever holds the figures.
        return Order(
            policy=policy,
            target=grounds.candidate.target,
            method=METHODS[kind],
            stages=(),
            reasons=_reasons(policy, grounds),
            held=grounds.held,
        )
    order = _order(policy, grounds, METHODS[kind], ())
    leaked = kind is TargetKind.LEAKED_PROCESS
    return replace(order, with_below=True) if order is not None and leaked else order


def _kill_stage(policy: Policy) -> Stage:
    return Stage(action=Action.KILL, signal=Signal.KILL, seconds=policy.gone_within)


def _order(policy: Policy, grounds: Grounds, method: Method, stages: tuple[Stage, ...]) -> Order | None:
    culprit = grounds.culprit
    if policy.whom is Whom.CULPRIT and culprit is None:
        return None
    return Order(
        policy=policy,
        target=grounds.candidate.target,
        method=method,
        stages=stages,
        culprit=culprit.process if culprit else None,
        with_below=policy.whom is Whom.TREE or (culprit is not None and not culprit.itself),
        reasons=_reasons(policy, grounds),
        held=grounds.held,
    )


def _reasons(policy: Policy, grounds: Grounds) -> tuple[Reason, ...]:
    """The figures that hold, with how much of each would end."""
    states, culprit = grounds.states, grounds.culprit
    shares = {each.condition: each.held for each in culprit.holdings} if culprit else {}
    readings = states.readings(policy.when) if states else ()
    return tuple(
        Reason(
            metric=each.metric,
            value=value,
            above=each.above,
            held=shares.get(each, value),
            rate_over=each.rate_over,
        )
        for each, value in readings
    )
