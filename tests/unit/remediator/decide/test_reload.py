"""Other policies while it runs: nothing gets shorter by that, and what was ended still counts."""

from dataclasses import replace

from tests.support.remediator.orphans import Cycles, orphan, seen, with_stop
from tmux_exporter.facts.remediation import Action, Mode
from tmux_exporter.remediator.decide.breaker import OpenReason, opened
from tmux_exporter.remediator.decide.decide import reloaded
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Policy, PolicySet

P = replace(ORPHANED_SCHEDULERS, warmup=60.0)
"""Told of after 300 s, ended 300 s later."""


def change(cycles: Cycles, policy: Policy) -> None:
    """Let another policy hold from now on."""
    before, after = (PolicySet(policies=(each,)) for each in (cycles.policy, policy))
    cycles.state = reloaded(before, after, cycles.state, cycles.moment())
    cycles.policy = policy


def ended(cycles: Cycles, seconds: float) -> list[float]:
    """When in that time the end of something was asked for."""
    return [at for at, each in cycles.run(seen(orphan()), seconds) if each.action is Action.STOP]


def test_the_same_policies_change_nothing() -> None:
    cycles = Cycles(P)
    ended(cycles, 500)
    change(cycles, replace(P))
    (at,) = ended(cycles, 300)
    assert at < 620


def test_a_lower_wait_is_waited_for_from_its_beginning() -> None:
    cycles = Cycles(P)
    assert ended(cycles, 590) == []
    change(cycles, with_stop(replace(P, hold=100.0), after=50.0))
    at, *_ = ended(cycles, 600)
    assert 590 + 100 + 50 <= at <= 590 + 100 + 50 + 15


def test_a_wait_that_is_shorter_than_the_warm_up_does_not_cut_that() -> None:
    cycles = Cycles(P)
    ended(cycles, 590)
    change(cycles, with_stop(replace(P, hold=0.0), after=0.0))
    at, *_ = ended(cycles, 300)
    assert at >= 590 + 60


def test_another_mode_alone_waits_anew_too() -> None:
    cycles = Cycles(replace(P, mode=Mode.OBSERVE))
    assert ended(cycles, 590) == []
    change(cycles, P)
    assert ended(cycles, 590) == []


def test_no_target_is_tried_again_sooner_and_budgets_go_on() -> None:
    cycles = Cycles(replace(P, cooldown=2_000.0))
    (first,) = ended(cycles, 650)
    change(cycles, with_stop(replace(P, cooldown=2_000.0, hold=0.0), after=0.0))
    (second,) = ended(cycles, 2_100)
    assert second - first >= 2_000
    change(cycles, replace(cycles.policy, per_target_per_hour=1, cooldown=0.0))
    assert ended(cycles, 1_000) == []


def test_an_open_breaker_stays_open() -> None:
    cycles = Cycles(P)
    ended(cycles, 100)
    state = cycles.state.policies[P.name]
    open_now = replace(state, breaker_state=opened(state.breaker_state, OpenReason.MAX_MATCH, cycles.now))
    cycles.state = replace(cycles.state, policies={P.name: open_now})
    change(cycles, replace(P, hold=0.0))
    ended(cycles, 10)
    assert cycles.verdict.opened == {P.name}
