"""An orchestrator that starts thousands of schedulers in fast time: none that is wanted is ever ended.

Every one that has lost its target is seen within a cycle, and ended as soon as waits and budgets allow.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.simulation.orchestrator import INTERVAL, World
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Refusal
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.decide import decide, note, start
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Breaker, Policy, PolicySet

SHIPPED = replace(ORPHANED_SCHEDULERS, max_match=10_000, max_match_ratio=1.0)
"""The shipped one, but for how many may match: here most of a fleet loses its targets."""

UNBOUND = replace(SHIPPED, per_cycle=10_000, per_hour=1_000_000, breaker=Breaker(regrets=1_000_000))


@dataclass(slots=True, kw_only=True)
class Story:
    """What came of a run."""

    made: int = 0
    stops: list[tuple[float, ProcessId]] = field(default_factory=list)
    wanted: list[ProcessId] = field(default_factory=list)
    unseen: list[ProcessId] = field(default_factory=list)
    invented: list[ProcessId] = field(default_factory=list)
    late: list[tuple[ProcessId, float]] = field(default_factory=list)
    short: list[tuple[float, int]] = field(default_factory=list)
    steps: dict[ProcessId, list[tuple[float, Action]]] = field(default_factory=lambda: defaultdict(list))
    most_at_once: int = 0
    opened_at: float | None = None


def live(policy: Policy, cycles: int, *, enforce: bool = True, **of_the_world: Any) -> Story:
    """So many cycles of a world; what is decided is carried out at once where it is enforced."""
    world = World(7, **of_the_world)
    sampler = world.sampler()
    policies = PolicySet(policies=(policy,), per_cycle=10_000, per_hour=1_000_000)
    state = start(Moment(wall=world.clock.time(), monotonic=world.clock.monotonic()))
    story = Story()
    for _ in range(cycles):
        world.advance()
        report = sampler.sample()
        now = world.clock.monotonic()
        verdict = decide(
            policies, report, state, Moment(wall=world.clock.time(), monotonic=now), frozenset({1})
        )
        state = verdict.state
        shown = {each.process for each in report.schedulers if each.state is SchedulerState.DANGLING}
        if world.whole and not world.hung:
            look_for_what_is_missed(world, shown, story)
        if verdict.opened and story.opened_at is None:
            story.opened_at = now
        story.most_at_once = max(story.most_at_once, len(report.schedulers))
        ended = 0
        for decision in verdict.decisions:
            if decision.action is None:
                continue
            shell = decision.candidate.target.processes[0]
            story.steps[shell].append((now, decision.action))
            if decision.order is None:
                continue
            ended += 1
            story.stops.append((now, shell))
            if world.is_wanted(shell):
                story.wanted.append(shell)
            if enforce:
                world.end(shell)
                outcomes = ((Action.STOP, ActionOutcome.DONE),)
                state = note(state, decision.order, decision.candidate, outcomes, report=report, now=now)
        if any(each.refusal is Refusal.BUDGET for each in verdict.decisions):
            story.short.append((now, ended))
    story.made = world.made
    return story


def look_for_what_is_missed(world: World, shown: set[ProcessId], story: Story) -> None:
    """Compare what is shown as dangling with what is, on a look that is whole."""
    now = world.clock.time()
    for key, each in world.check_ins.items():
        lost = each.session not in world.sessions
        # One that is about to fire is called so.
        if lost and each.due - now > 10 and key not in shown:
            story.unseen.append(key)
        if not lost and key in shown:
            story.invented.append(key)
        since = each.dangling_since
        if since is not None and each.due - now >= 60:
            waited = now - max(since, each.made)
            if waited > ORPHANED_SCHEDULERS.hold + ORPHANED_SCHEDULERS.stop_after + 3 * INTERVAL:
                story.late.append((key, waited))


def safe(story: Story) -> None:
    assert story.wanted == [], "none that is wanted is ended"
    assert story.unseen == [], "each that lost its target is seen in the next look"
    assert story.invented == []


def within_budgets(story: Story, policy: Policy) -> None:
    per_cycle: dict[float, int] = defaultdict(int)
    times = [at for at, _ in story.stops]
    for at in times:
        per_cycle[at] += 1
        assert sum(at - policy.budget_window < other <= at for other in times) <= policy.per_hour
    assert max(per_cycle.values()) <= policy.per_cycle
    for at, ended in story.short:
        spent = sum(at - policy.budget_window < other <= at for other in times)
        assert ended == policy.per_cycle or spent == policy.per_hour, "what a budget holds back it has to"


def test_in_a_bad_world_none_that_is_wanted_is_ended_and_budgets_hold() -> None:
    policy = replace(SHIPPED, breaker=Breaker(regrets=1_000_000))
    story = live(policy, 160, per_cycle=2, faults=True)
    safe(story)
    within_budgets(story, policy)
    assert len(story.stops) > 10


def test_in_a_calm_world_each_that_is_lost_is_ended_in_time() -> None:
    story = live(replace(UNBOUND, warmup=0.0), 100, per_cycle=2, faults=False)
    safe(story)
    assert story.late == []
    assert len(story.stops) > 10


@pytest.mark.long
def test_to_observe_and_to_enforce_differ_only_in_what_was_ended() -> None:
    enforced, observed = (
        live(UNBOUND, 90, per_cycle=2, faults=True, enforce=enforce) for enforce in (True, False)
    )
    assert len(enforced.stops) > 10
    assert enforced.made == observed.made
    assert enforced.steps.keys() == observed.steps.keys()
    for shell, steps in enforced.steps.items():
        assert observed.steps[shell][: len(steps)] == steps


@pytest.mark.long
def test_what_is_missed_stops_the_policy() -> None:
    """Sessions come back in this world: the shipped breaker sees that and lets nothing more be ended."""
    story = live(SHIPPED, 160, per_cycle=2, faults=False)
    safe(story)
    assert story.opened_at is not None
    rest = SHIPPED.breaker.half_open_after
    assert rest is not None
    after = [at for at, _ in story.stops if at > story.opened_at]
    assert all(at >= story.opened_at + rest for at in after)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_check_ins() -> None:
    policy = replace(SHIPPED, breaker=Breaker(regrets=1_000_000))
    story = live(policy, 400, per_cycle=25, faults=True, interval=30.0, longest=1300)
    assert story.made == 10_000
    assert story.most_at_once > 500
    safe(story)
    within_budgets(story, policy)
    assert len(story.stops) > 150
