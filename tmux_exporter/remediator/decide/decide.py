"""Decide per cycle: a report and the last state in, decisions and the next state out; pure.

Decisions depend on reports, clocks and outcomes of earlier acts, never on the mode: observing and enforcing
differ only in the signal.
"""

from dataclasses import replace

from tmux_exporter.facts.remediation import Action, ActionOutcome
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide import breaker
from tmux_exporter.remediator.decide.budget import SharedBudget
from tmux_exporter.remediator.decide.candidates import Key, TargetCandidate
from tmux_exporter.remediator.decide.cycle import RETRIED, PolicyCycle, pause_for
from tmux_exporter.remediator.decide.objections import ReportView
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.decide.state import Decision, PolicyState, Retry, State, Verdict, WatchedTarget
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.policies.policy import PANE_STEPS, Policy, PolicySet

_UNTOUCHED = frozenset({ActionOutcome.REFUSED, ActionOutcome.VANISHED})
"""Outcomes of acts in which nothing was signalled."""


def start(moment: Moment) -> State:
    """The state of a remediator that has seen nothing yet."""
    return State(since=moment.monotonic, offset=moment.wall - moment.monotonic)


def decide(
    policies: PolicySet,
    report: Report,
    state: State,
    moment: Moment,
    own: frozenset[int],
    *,
    holds: tuple[Hold, ...] = (),
) -> Verdict:
    """What to do after one more report, taken just before `moment`.

    Asks for each warning and snapshot once, and for termination again after each cooldown. A match is dropped
    when a sample shows otherwise; while it cannot be judged it is kept for `max_age`, and nothing is done.
    `own` are the pids of this process and its ancestors.
    """
    state = _after_jump(policies, state, moment)
    total = SharedBudget(policies, state.stops, moment.monotonic)
    cycles = []
    for policy in policies.policies:
        view = ReportView(policy=policy, report=report, moment=moment, own=own, holds=holds)
        cycle = PolicyCycle(view, state, state.policies.get(policy.name, PolicyState()), total)
        cycle.run()
        cycles.append(cycle)
    after = {cycle.policy.name: cycle.state for cycle in cycles}
    return Verdict(
        decisions=tuple(decision for cycle in cycles for decision in cycle.decisions),
        matches={cycle.policy.name: cycle.matches for cycle in cycles},
        blind=not report.collector_success.get("processes", False),
        plan=tuple(order for cycle in cycles for order in cycle.plan),
        opened=frozenset(name for name, each in after.items() if each.breaker_state.is_open),
        state=replace(state, policies=after, stops=total.counted),
    )


def note(
    state: State,
    order: Order,
    candidate: TargetCandidate,
    outcomes: tuple[tuple[Action, ActionOutcome], ...],
    *,
    report: Report,
    now: float,
) -> State:
    """The state after an act: whether the target is gone, or what survived what.

    An act that was refused, or whose target ended by itself, says nothing about the policy, and costs neither
    its budgets nor the cooldown: it is tried again in the next cycle, then after ever longer pauses.
    """
    policy = order.policy
    results = dict(outcomes)
    if _UNTOUCHED.issuperset(results.values()):
        state = _taken_back(state, policy, candidate.key, report.interval_seconds, now)
    before = state.policies.get(policy.name, PolicyState())
    breaker_state, watches = before.breaker_state, dict(before.watches)
    if not _UNTOUCHED.issuperset(results.values()) and (watch := watches.get(candidate.key)) is not None:
        watches[candidate.key] = replace(watch, refused=0, retry_at=None)
    if ActionOutcome.DONE in results.values():
        breaker_state = breaker.ended(breaker_state, policy.breaker, candidate, report, now)
    elif ActionOutcome.SURVIVED in results.values():
        if (watch := watches.get(candidate.key)) is not None:
            watches[candidate.key] = replace(watch, survived=True)
        if Action.KILL in results or policy.kill is None:
            breaker_state = breaker.survived(breaker_state, policy.breaker, now)
    else:
        breaker_state = replace(breaker_state, tried_at=None)
    after = replace(before, breaker_state=breaker_state, watches=watches)
    return replace(state, policies={**state.policies, policy.name: after})


def step_refused(state: State, decision: Decision, *, interval: float, now: float) -> State:
    """The state in which a refused step is due again, after ever longer pauses.

    Of a pane all steps are: one of them may only be taken after another one.
    """
    policy, key, rung = decision.policy, decision.candidate.key, decision.rung
    before = state.policies.get(policy.name, PolicyState())
    watch = before.watches.get(key)
    if watch is None or rung is None:
        return state
    if rung.action in RETRIED:
        place = policy.ladder.index(rung)
        others = tuple(each for each in watch.retries if each.place != place)
        at = now + pause_for(policy, decision.refused, interval)
        watch = replace(watch, retries=(*others, Retry(place=place, at=at, refused=decision.refused + 1)))
    else:
        place = next(number for number, each in enumerate(policy.ladder) if each.action in PANE_STEPS)
        if watch.rung <= place:
            # Another step of this cycle was refused before it.
            return state
        watch = replace(
            watch,
            rung=place,
            rung_at=now - policy.ladder[place].after,
            refused=watch.refused + 1,
            retry_at=now + pause_for(policy, watch.refused, interval),
        )
    after = replace(before, watches={**before.watches, key: watch})
    return replace(state, policies={**state.policies, policy.name: after})


def _taken_back(state: State, policy: Policy, key: Key, interval: float, now: float) -> State:
    """The state without an act that signalled nothing."""
    before = state.policies.get(policy.name, PolicyState())
    watch = before.watches.get(key)
    if watch is None or watch.acted_at is None:
        return state
    acted_at, survived = watch.before
    retry_at = now + pause_for(policy, watch.refused, interval)
    restored = replace(
        watch, acted_at=acted_at, survived=survived, refused=watch.refused + 1, retry_at=retry_at
    )
    after = replace(
        before,
        watches={**before.watches, key: restored},
        stops=tuple(each for each in before.stops if each != (watch.acted_at, key)),
    )
    stops = list(state.stops)
    if watch.acted_at in stops:
        stops.remove(watch.acted_at)
    return replace(state, policies={**state.policies, policy.name: after}, stops=tuple(stops))


def reloaded(before: PolicySet, after: PolicySet, state: State, moment: Moment) -> State:
    """The state once other policies hold.

    A reload shortens nothing: a changed policy waits from its beginning, all policies warm up again, budgets
    keep their counts, no breaker closes, and no target is tried again sooner.
    """
    if before == after:
        return state
    now = moment.monotonic
    unchanged = {each.name for each in after.policies if each in before.policies}
    policies = {
        name: each if name in unchanged else replace(each, condition_states={}, watches=_anew(each, now))
        for name, each in state.policies.items()
        if name in {policy.name for policy in after.policies}
    }
    return replace(state, since=now, jumped=False, policies=policies)


def _anew(state: PolicyState, now: float) -> dict[Key, WatchedTarget]:
    """What was matched, as if it had been seen never before, but for what was done to it."""
    return {
        key: WatchedTarget(
            since=now,
            judged_at=now,
            seen_at=each.seen_at,
            acted_at=each.acted_at,
            survived=each.survived,
            refused=each.refused,
            retry_at=each.retry_at,
            refusal=each.refusal,
        )
        for key, each in state.watches.items()
    }


def _after_jump(policies: PolicySet, state: State, moment: Moment) -> State:
    """The state with what an unsteady clock makes worthless taken out: a suspended machine is one, too."""
    offset = moment.wall - moment.monotonic
    if abs(offset - state.offset) <= min(each.clock_jump for each in policies.policies):
        return replace(state, offset=offset)
    kept = {name: replace(each, watches={}, condition_states={}) for name, each in state.policies.items()}
    return State(since=moment.monotonic, offset=offset, jumped=True, policies=kept, stops=state.stops)
