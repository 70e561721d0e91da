"""The policy, cycle by cycle: when it tells, when it ends, and when it does nothing."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.remediator.orphans import (
    INTERVAL,
    SERVER,
    WALL,
    Cycles,
    actions,
    orphan,
    refusals,
    seen,
    with_stop,
)
from tmux_exporter.facts.process import Problem, ProcessId
from tmux_exporter.facts.remediation import Action, Mode, Refusal
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS

P = ORPHANED_SCHEDULERS
HUNG = replace(SERVER, up=False, held=True, problem=Problem(source="tmux", reason="hung"))


def warm() -> Cycles:
    """A remediator that has run for its warm-up and seen nothing."""
    cycles = Cycles()
    cycles.run(seen(), P.warmup)
    return cycles


def due() -> Cycles:
    """One whose only orphan was told of `stop_after` seconds ago, less a cycle."""
    cycles = warm()
    cycles.run(seen(orphan()), P.hold + P.stop_after)
    return cycles


def of(found: list[tuple[float, Decision]], action: Action) -> list[float]:
    return [at for at, decision in found if decision.action is action]


def test_the_numbers_are_those_of_the_shipped_policy() -> None:
    assert (P.name, P.mode) == ("orphaned-schedulers", Mode.ENFORCE)
    assert (P.hold, P.stop_after, P.remaining, P.grace, P.gone_within) == (300, 300, 30, 3, 5)
    assert (P.warmup, P.max_age, P.cooldown) == (300, 30, 600)
    assert (P.per_cycle, P.per_hour, P.budget_window) == (5, 60, 3600)
    assert (P.max_match, P.max_match_ratio) == (50, 0.9)


def test_only_waits_for_people_scale() -> None:
    scaled = P.scaled(0.01)
    assert (scaled.hold, scaled.stop_after, scaled.warmup) == (3, 3, 3)
    assert (scaled.cooldown, scaled.budget_window) == (6, 36)
    waits = {"hold": 300.0, "warmup": 300.0, "cooldown": 600.0, "budget_window": 3600.0}
    assert replace(with_stop(scaled, after=300.0), **waits) == P  # type: ignore[arg-type]
    assert P.scaled(1.0) == P
    assert P.digest == replace(P).digest != scaled.digest


def test_an_orphan_is_told_of_and_then_ended() -> None:
    found = warm().run(seen(orphan()), 900)
    first = P.warmup + INTERVAL
    assert [decision.refusal for _, decision in found if decision.refusal] == []
    (warned,), (stopped,) = of(found, Action.WARN), of(found, Action.STOP)
    assert P.hold <= warned - first <= P.hold + INTERVAL
    assert stopped == warned + P.stop_after
    assert all(decision.candidate.target.processes[0] == ProcessId(500, 9_000) for _, decision in found)


def test_after_a_start_nothing_is_done_before_the_warm_up() -> None:
    cycles = Cycles()
    found = cycles.run(seen(orphan()), P.warmup - INTERVAL)
    assert [(decision.action, decision.refusal) for _, decision in found] == [(None, Refusal.WARMUP)]
    assert actions(cycles.see(seen(orphan()))) == []
    assert actions(cycles.see(seen(orphan()))) == [Action.WARN]


def test_not_even_a_word_is_said_before_the_warm_up() -> None:
    cycles = Cycles(replace(P, hold=0.0))
    assert of(cycles.run(seen(orphan()), P.warmup - INTERVAL), Action.WARN) == []
    assert actions(cycles.see(seen(orphan()))) == [Action.WARN]


@pytest.mark.parametrize("step", [3600.0, -3600.0, 10.5, -10.5])
def test_after_a_step_of_the_clock_everything_begins_again(step: float) -> None:
    cycles = due()
    cycles.step += step
    decisions = cycles.see(seen(orphan()))
    assert (actions(decisions), refusals(decisions)) == ([], [Refusal.CLOCK_JUMP])
    found = cycles.run(seen(orphan()), P.warmup + P.stop_after - 2 * INTERVAL)
    assert of(found, Action.STOP) == []
    assert len(of(found, Action.WARN)) == 1


def test_a_clock_that_is_slewed_is_not_stepped() -> None:
    cycles = due()
    cycles.step += 9.0
    assert actions(cycles.see(seen(orphan()))) == [Action.STOP]


def test_one_look_is_not_enough_however_old_it_is() -> None:
    cycles = warm()
    cycles.see(seen(orphan()))
    # The same listing again and again: its server is not asked anew.
    for number in range(1, 5):
        assert cycles.see(seen(orphan()), aged=0.1 + number * INTERVAL) == ()
    assert actions(cycles.see(seen(orphan()), after=P.hold, aged=P.max_age)) == [Action.WARN]
    slow = warm()
    slow.policy = replace(P, max_age=1e9)
    slow.see(seen(orphan()))
    assert slow.see(seen(orphan()), after=2 * P.hold, aged=0.1 + 2 * P.hold) == ()


def test_half_a_view_is_no_look() -> None:
    cycles = warm()
    cycles.policy = replace(P, hold=0.0)
    for _ in range(3):
        assert actions(cycles.see(seen(orphan(), servers=(HUNG,)))) == []
    assert cycles.see(seen(orphan())) == ()
    assert actions(cycles.see(seen(orphan()))) == [Action.WARN]


def test_two_looks_must_be_a_cycle_apart() -> None:
    cycles = warm()
    cycles.policy = replace(P, hold=0.0)
    assert cycles.see(seen(orphan())) == ()
    assert cycles.see(seen(orphan()), after=0.5) == ()
    assert actions(cycles.see(seen(orphan()), after=INTERVAL)) == [Action.WARN]


@pytest.mark.parametrize(
    "state",
    [state for state in SchedulerState if state not in (SchedulerState.DANGLING, SchedulerState.UNKNOWN)],
)
def test_one_look_that_says_otherwise_begins_the_wait_again(state: SchedulerState) -> None:
    cycles = due()
    assert cycles.see(seen(orphan(state=state))) == ()
    assert cycles.run(seen(orphan()), P.hold - INTERVAL) == []


def test_an_unknown_that_is_a_complete_look_begins_the_wait_again_too() -> None:
    cycles = due()
    cycles.see(seen(orphan(state=SchedulerState.UNKNOWN)))
    assert cycles.run(seen(orphan()), P.hold - INTERVAL) == []


def test_while_its_server_hangs_the_wait_is_held_and_nothing_is_done() -> None:
    cycles = due()
    unknown = seen(orphan(state=SchedulerState.UNKNOWN), servers=(HUNG,))
    decisions = cycles.see(unknown)
    assert (actions(decisions), refusals(decisions)) == ([], [Refusal.SERVER_UNKNOWN])
    assert cycles.run(unknown, 4 * INTERVAL) == [], "a reason is told once"
    assert actions(cycles.see(seen(orphan()))) == [Action.STOP]


def test_a_server_that_hangs_for_longer_begins_the_wait_again() -> None:
    cycles = due()
    cycles.run(seen(orphan(state=SchedulerState.UNKNOWN), servers=(HUNG,)), P.max_age + INTERVAL)
    assert cycles.run(seen(orphan()), P.hold - INTERVAL) == []


def test_when_the_processes_cannot_be_listed_nothing_is_done_and_nothing_is_forgotten() -> None:
    cycles = due()
    assert cycles.see(seen(collector_success={"processes": False})) == ()
    assert cycles.verdict.blind
    assert actions(cycles.see(seen(orphan()))) == [Action.STOP]
    assert not cycles.verdict.blind


def test_one_that_is_gone_is_forgotten() -> None:
    cycles = due()
    cycles.see(seen())
    assert cycles.watches == {}


@pytest.mark.parametrize(
    "changes", [{"process": ProcessId(500, 9_001)}, {"sleep": ProcessId(501, 9_001)}, {"sleep": None}]
)
def test_another_process_of_the_pair_is_another_scheduler(changes: dict[str, Any]) -> None:
    assert actions(due().see(seen(orphan(**changes)))) == []


def test_the_same_one_is_tried_again_only_after_the_cooldown() -> None:
    found = due().run(seen(orphan()), P.budget_window + P.cooldown)
    first, second, third = of(found, Action.STOP)
    assert second - first == P.cooldown
    assert third - first == P.budget_window, "more than twice an hour the same one is never tried"
    assert Refusal.BUDGET in [decision.refusal for _, decision in found]


def test_a_cycle_has_a_budget_and_the_longest_known_go_first() -> None:
    cycles = warm()
    old = [orphan(pid) for pid in range(900, 916, 2)]
    cycles.run(seen(*old), 10 * INTERVAL)
    everything = seen(orphan(500), *old)
    found = cycles.run(everything, P.hold + P.stop_after)
    stopped = [
        decision.candidate.target.processes[0].pid for _, decision in found if decision.action is Action.STOP
    ]
    assert stopped == [900, 902, 904, 906, 908, 910, 912, 914]
    first, second = sorted(set(of(found, Action.STOP)))
    assert second == first + INTERVAL
    refused = [
        decision.candidate.target.processes[0].pid
        for _, decision in found
        if decision.refusal is Refusal.BUDGET
    ]
    assert refused == [910, 912, 914]
    later = cycles.run(everything, 10 * INTERVAL)
    assert [
        decision.candidate.target.processes[0].pid for _, decision in later if decision.action is Action.STOP
    ] == [500]


def test_an_hour_has_a_budget() -> None:
    cycles = warm()
    cycles.policy = replace(P, per_hour=3)
    orphans = seen(*(orphan(pid) for pid in range(900, 910, 2)))
    found = cycles.run(orphans, P.hold + P.stop_after + 2 * INTERVAL)
    assert len(of(found, Action.STOP)) == 3
    later = cycles.run(orphans, P.budget_window)
    assert of(later, Action.STOP)[0] - of(found, Action.STOP)[0] == P.budget_window
    assert len(of(later, Action.STOP)) == 3


@pytest.mark.parametrize(
    ("orphans", "others", "stopped"),
    [
        (50, 50, True), (51, 50, False), (10, 0, True), (11, 0, False), (18, 2, True), (19, 2, False),
        (19, 3, True),
    ],
)  # fmt: skip
def test_too_many_matches_are_reported_and_not_ended(orphans: int, others: int, stopped: bool) -> None:
    cycles = warm()
    armed = [orphan(pid, state=SchedulerState.ARMED) for pid in range(5000, 5000 + 2 * others, 2)]
    everything = seen(*(orphan(pid) for pid in range(900, 900 + 2 * orphans, 2)), *armed)
    found = cycles.run(everything, P.hold + P.stop_after + INTERVAL)
    assert len(of(found, Action.WARN)) == orphans
    assert bool(of(found, Action.STOP)) is stopped
    refused = sum(decision.refusal is Refusal.MAX_MATCH for _, decision in found)
    assert refused == (0 if stopped else orphans), "each is refused once"


def test_what_a_policy_is_not_for_does_not_count_either() -> None:
    cycles = warm()
    cycles.policy = replace(P, servers=("default",))
    others = [orphan(pid, state=SchedulerState.ARMED, aimed=("other",)) for pid in range(5000, 5200, 2)]
    everything = seen(*(orphan(pid) for pid in range(900, 922, 2)), *others)
    found = cycles.run(everything, P.hold + P.stop_after + INTERVAL)
    assert of(found, Action.STOP) == []
    assert sum(decision.refusal is Refusal.MAX_MATCH for _, decision in found) == 11


def test_matches_are_counted_whatever_may_be_done_about_them() -> None:
    cycles = Cycles()
    cycles.see(seen(orphan(500), orphan(600), orphan(700, state=SchedulerState.ARMED)))
    assert cycles.matches == 2


def test_a_reason_that_comes_back_is_told_again() -> None:
    cycles = due()
    late = seen(orphan(due_timestamp_seconds=WALL + cycles.now + 20))
    assert refusals(cycles.see(late)) == [Refusal.TOO_LATE]
    assert refusals(cycles.see(late)) == []
    cycles.policy = with_stop(P, after=1e9)
    assert refusals(cycles.see(seen(orphan()))) == []
    assert refusals(cycles.see(seen(orphan(due_timestamp_seconds=WALL + cycles.now)))) == [Refusal.TOO_LATE]
