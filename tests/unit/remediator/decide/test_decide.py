"""What a policy of each kind decides, cycle by cycle: figures, ladders, approvals, breakers, protection."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.support.literals.report import agent, leak, pane, session
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
from tmux_exporter.commands.views.policy import matches_view
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Mode, Refusal, Signal, TargetKind
from tmux_exporter.facts.report import AgentReport, Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.candidates import (
    TargetCandidate,
    fits_match,
    target_of,
    targets_in_scope,
)
from tmux_exporter.remediator.decide.conditions import ConditionStates, evaluate
from tmux_exporter.remediator.decide.decide import note, step_refused
from tmux_exporter.remediator.decide.order import Stage
from tmux_exporter.remediator.decide.protection import Hold, protection_refusal
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import (
    Breaker,
    Condition,
    LadderStep,
    NamePattern,
    OnExceed,
    OptIn,
    Policy,
    PolicySet,
    Protection,
    TargetMatch,
    Throttle,
    When,
)

P = ORPHANED_SCHEDULERS
GIB = 2**30
MEMORY = Condition(metric="tmux_agent_memory_bytes", above=4.0 * GIB, clear_below=3.0 * GIB)
BIG = Policy(
    name="big",
    mode=Mode.ENFORCE,
    match=TargetMatch(kind=TargetKind.AGENT, programs=("claude",)),
    when=When(conditions=(MEMORY,)),
    ladder=(
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.SNAPSHOT),
        LadderStep(action=Action.THROTTLE, after=60.0, throttle=Throttle(lease=600.0, memory_high=GIB)),
        LadderStep(
            action=Action.STOP, after=120.0, method=Method.AGENT_PROCESS, signal=Signal.INT, grace=30.0
        ),
        LadderStep(action=Action.KILL, after=30.0),
    ),
    hold=60.0,
    warmup=0.0,
)


def coder(memory: int | None = 5 * GIB, **changes: Any) -> AgentReport:
    made = agent("default", "work", "coder", "%3", program="claude")
    usage = replace(made.usage, memory_bytes=memory)
    return replace(made, usage=usage, pid=700, process=ProcessId(700, 9_000), **changes)


def shown(*agents: AgentReport, attached: int = 0) -> Report:
    of = replace(session("default", "work"), attached_clients=attached)
    return seen(agents=agents, sessions=(of,), panes=(pane("default", "work", "%3"),))


def done(cycles: Cycles, decision: Decision, *outcomes: tuple[Action, ActionOutcome], report: Report) -> None:
    """Tell what came of an act."""
    assert decision.order is not None
    cycles.state = note(
        cycles.state, decision.order, decision.candidate, outcomes, report=report, now=cycles.now
    )


def taken(found: list[tuple[float, Decision]]) -> list[tuple[float, Action]]:
    return [(at, decision.action) for at, decision in found if decision.action is not None]


def test_a_ladder_is_climbed_step_by_step() -> None:
    found = Cycles(BIG).run(shown(coder()), 300)
    steps = taken(found)
    assert [action for _, action in steps] == ["warn", "snapshot", "throttle", "stop"]
    warned = steps[0][0]
    assert [at - warned for at, _ in steps] == [0, 0, 60, 180]
    (throttle,) = [decision for _, decision in found if decision.action is Action.THROTTLE]
    assert throttle.refusal is None and throttle.rung is BIG.ladder[2]
    (stop,) = [decision for _, decision in found if decision.action is Action.STOP]
    assert stop.order and stop.order.method is Method.AGENT_PROCESS
    assert stop.order.target.processes == (ProcessId(700, 9_000),)
    assert stop.order.stages == (Stage(action=Action.STOP, signal=Signal.INT, seconds=30.0),)


def stopped(policy: Policy = BIG) -> tuple[Cycles, Decision]:
    cycles = Cycles(policy)
    found = cycles.run(shown(coder()), 300)
    (stop,) = [decision for _, decision in found if decision.action is Action.STOP]
    return cycles, stop


def test_a_kill_comes_later_and_only_after_a_stop_in_vain() -> None:
    cycles, stop = stopped()
    done(cycles, stop, (Action.STOP, ActionOutcome.SURVIVED), report=shown(coder()))
    kills = [decision for _, decision in cycles.run(shown(coder()), 100) if decision.action is Action.KILL]
    assert len(kills) == 1
    assert kills[0].order is not None
    assert kills[0].order.stages == (Stage(action=Action.KILL, signal=Signal.KILL, seconds=BIG.gone_within),)


@pytest.mark.parametrize(
    "outcome", [ActionOutcome.REFUSED, ActionOutcome.VANISHED, ActionOutcome.FAILED, None]
)
def test_no_kill_without_a_stop_in_vain(outcome: ActionOutcome | None) -> None:
    cycles, stop = stopped()
    if outcome is not None:
        done(cycles, stop, (Action.STOP, outcome), report=shown(coder()))
    later = [action for _, action in taken(cycles.run(shown(coder()), BIG.cooldown - 100))]
    assert "kill" not in later
    # What signalled nothing is tried again.
    assert ("stop" in later) is (outcome in (ActionOutcome.REFUSED, ActionOutcome.VANISHED))


NOTHING_SENT = [(Action.STOP, ActionOutcome.REFUSED), (Action.STOP, ActionOutcome.VANISHED)]


@pytest.mark.parametrize("outcome", NOTHING_SENT)
def test_an_attempt_without_a_signal_is_repeated_ever_later(outcome: tuple[Action, ActionOutcome]) -> None:
    cycles, stop = stopped()
    tries = [cycles.now]
    while len(tries) < 12:
        done(cycles, stop, outcome, report=shown(coder()))
        found = [decision for decision in cycles.see(shown(coder())) if decision.order is not None]
        while not found:
            found = [decision for decision in cycles.see(shown(coder())) if decision.order is not None]
        (stop,) = found
        assert stop.order is not None and stop.order.stages[0].action is Action.STOP
        tries.append(cycles.now)
    waits = [later - before for before, later in pairwise(tries)]
    assert waits == [min(INTERVAL * 2**number, BIG.cooldown) for number in range(11)]


@pytest.mark.parametrize("outcome", NOTHING_SENT)
def test_a_try_that_signalled_nothing_costs_no_budget(outcome: tuple[Action, ActionOutcome]) -> None:
    cycles = Cycles(replace(P, per_hour=1, per_target_per_hour=1))
    report = seen(orphan(), orphan(600))
    (first,) = [decision for _, decision in cycles.run(report, 1200) if decision.order is not None]
    done(cycles, first, outcome, report=report)
    assert cycles.state.stops == () and cycles.state.policies[P.name].stops == ()
    (again,) = [each for each in cycles.see(report) if each.order is not None]
    done(cycles, again, (Action.STOP, ActionOutcome.DONE), report=report)
    assert [decision for _, decision in cycles.run(report, 1200) if decision.order is not None] == []


def test_a_refused_kill_is_still_one_after_a_stop_in_vain() -> None:
    cycles, stop = stopped()
    done(cycles, stop, (Action.STOP, ActionOutcome.SURVIVED), report=shown(coder()))
    (kill,) = [decision for _, decision in cycles.run(shown(coder()), BIG.cooldown - 100) if decision.order]
    assert kill.action is Action.KILL
    done(cycles, kill, (Action.KILL, ActionOutcome.REFUSED), report=shown(coder()))
    (again,) = [each for each in cycles.see(shown(coder())) if each.order is not None]
    assert again.action is Action.KILL


def test_a_kill_that_follows_at_once_is_one_order() -> None:
    quick = with_stop(BIG, grace=3.0)
    quick = replace(quick, ladder=(*quick.ladder[:-1], LadderStep(action=Action.KILL, after=5.0)))
    _, stop = stopped(quick)
    assert stop.order is not None
    assert [(stage.action, stage.seconds) for stage in stop.order.stages] == [("stop", 5.0), ("kill", 5.0)]


def test_what_is_recommended_stays_in_the_plan_until_it_is_gone() -> None:
    cycles = Cycles(replace(BIG, mode=Mode.RECOMMEND))
    assert Action.STOP in {decision.action for _, decision in cycles.run(shown(coder()), 300)}
    for _ in range(10):
        assert cycles.see(shown(coder())) == ()
        assert [order.target.name for order in cycles.verdict.plan] == ["coder"]
    cycles.see(shown())
    assert cycles.verdict.plan == ()


def test_who_applies_a_plan_also_takes_a_kill_that_comes_late() -> None:
    cycles = Cycles(with_stop(BIG, approvals=1))
    cycles.run(shown(coder()), 300)
    (order,) = cycles.verdict.plan
    assert [(stage.action, stage.seconds) for stage in order.stages] == [
        (Action.STOP, 30.0),
        (Action.KILL, BIG.gone_within),
    ]


def test_what_was_stopped_is_in_no_plan_while_it_is_left_to_cool_down() -> None:
    cycles, _ = stopped()
    cycles.see(shown(coder()))
    assert cycles.verdict.plan == ()


def test_hysteresis_holds_between_the_bounds_and_clears_below() -> None:
    cycles = Cycles(BIG)
    cycles.run(shown(coder(5 * GIB)), 30)
    assert taken(cycles.run(shown(coder(int(3.5 * GIB))), 60)) != [], "between the bounds it still holds"
    cycles = Cycles(BIG)
    cycles.run(shown(coder(5 * GIB)), 50)
    cycles.see(shown(coder(2 * GIB)))
    assert taken(cycles.run(shown(coder(int(3.5 * GIB))), 300)) == [], "below the lower one it begins again"


def test_a_figure_that_cannot_be_read_neither_advances_nor_forgets() -> None:
    cycles = Cycles(BIG)
    cycles.run(shown(coder()), 55)
    for _ in range(5):
        assert actions(cycles.see(shown(coder(None)))) == []
    assert actions(cycles.see(shown(coder()))) == ["warn", "snapshot"]
    cycles = Cycles(BIG)
    cycles.run(shown(coder()), 55)
    cycles.run(shown(coder(None)), BIG.max_age + 2 * INTERVAL)
    assert taken(cycles.run(shown(coder()), BIG.hold - INTERVAL)) == [], "for too long: it begins again"


def rate(values: list[Any], over: float = 60.0, renamed_at: int | None = None) -> list[bool | None]:
    """What a condition on a rate says, look by look, 10 seconds apart, of one that gets another name."""
    when = When(
        conditions=(
            Condition(metric="tmux_agent_cpu_seconds_total", above=0.9, clear_below=0.3, rate_over=over),
        )
    )
    before: ConditionStates | None = None
    found = []
    for number, value in enumerate(values):
        made = coder()
        one = replace(made, usage=replace(made.usage, cpu_seconds_total=value))
        if renamed_at is not None and number >= renamed_at:
            one = replace(one, session="other")
        candidate = TargetCandidate(target=target_of(one), subject=one)
        before = evaluate(when, candidate, seen(), before, 10.0 * number)
        found.append(before.verdict(when))
    return found


def test_a_rate_is_told_once_its_time_has_passed() -> None:
    assert rate([10.0 * n for n in range(8)]) == [None] * 6 + [True, True]
    assert rate([1.0 * n for n in range(8)]) == [None] * 6 + [False, False]
    assert rate([*[10.0 * n for n in range(7)], None])[-1] is None


def test_a_rate_begins_anew_where_a_counter_follows_another_label() -> None:
    used = [*(1.0 * n for n in range(8)), *(1000.0 + n for n in range(8))]
    assert True in rate(used)
    assert rate(used, renamed_at=8) == [*[None] * 6, False, False, *[None] * 6, False, False]


def test_an_attached_session_is_told_of_and_never_touched() -> None:
    found = Cycles(BIG).run(shown(coder(), attached=1), 600)
    assert [action for _, action in taken(found)] == ["warn", "snapshot", "throttle"]
    (throttle,) = [decision for _, decision in found if decision.action is Action.THROTTLE]
    assert throttle.refusal is Refusal.ATTACHED_SESSION
    allowed = Cycles(replace(BIG, allow=(OptIn.ATTACHED_SESSION,)))
    assert "stop" in [action for _, action in taken(allowed.run(shown(coder(), attached=1), 600))]


def test_what_needs_a_person_is_planned_and_not_done() -> None:
    cycles = Cycles(with_stop(P, approvals=1))
    found = cycles.run(seen(orphan()), 1500)
    assert [action for _, action in taken(found)] == ["warn"]
    assert [decision.refusal for _, decision in found if decision.refusal] == ["warmup", "approval"]
    (order,) = cycles.verdict.plan
    assert order.target.processes == (ProcessId(500, 9_000), ProcessId(501, 9_000))


def test_what_budgets_and_numbers_refuse_is_planned_and_what_a_veto_refuses_is_not() -> None:
    cycles = Cycles(replace(P, max_match=1))
    cycles.run(seen(orphan(), orphan(600)), 1500)
    assert len(cycles.verdict.plan) == 2
    cycles.see(seen(orphan(due_timestamp_seconds=WALL + cycles.now + 20), orphan(600)))
    assert [order.target.processes[0].pid for order in cycles.verdict.plan] == [600]
    cycles = Cycles(P)
    cycles.run(seen(orphan()), P.warmup)
    assert cycles.verdict.plan == ()


def test_more_than_expected_opens_the_breaker_where_the_policy_says_abort() -> None:
    many = [orphan(pid) for pid in range(500, 524, 2)]
    cycles = Cycles(replace(P, max_match=10, on_exceed=OnExceed.ABORT))
    found = cycles.run(seen(*many), 1200)
    assert "stop" not in [action for _, action in taken(found)]
    assert cycles.verdict.opened == {P.name}
    few = cycles.run(seen(*many[:3]), 600)
    assert taken(few) == []
    assert [decision.refusal for _, decision in few] == ["breaker"] * 3
    later = taken(cycles.run(seen(*many[:3]), P.breaker.half_open_after or 0.0))
    assert [action for _, action in later] == ["stop"], "one is let through"


def test_what_survives_opens_the_breaker() -> None:
    cycles = Cycles(replace(P, per_cycle=1, breaker=Breaker(failed_verifications=2)))
    report = seen(orphan(), orphan(600), orphan(700))
    stops = [each for _, each in cycles.run(report, 650) if each.action is Action.STOP][:2]
    assert len(stops) == 2
    for stop, is_open in zip(stops, (False, True), strict=True):
        outcomes = ((Action.STOP, ActionOutcome.SURVIVED), (Action.KILL, ActionOutcome.SURVIVED))
        done(cycles, stop, *outcomes, report=report)
        cycles.see(report)
        assert (P.name in cycles.verdict.opened) is is_open


def test_what_is_missed_once_it_is_gone_opens_the_breaker() -> None:
    others = (replace(session("default", "other")),)
    cycles = Cycles(P)
    report = seen(orphan(targets=("gone:0",)), sessions=others)
    (stop,) = [each for _, each in cycles.run(report, 650) if each.action is Action.STOP]
    done(cycles, stop, (Action.STOP, ActionOutcome.DONE), report=report)
    cycles.see(seen(sessions=others))
    assert cycles.verdict.opened == set()
    cycles.see(seen(sessions=(*others, session("default", "gone"))))
    assert cycles.verdict.opened == {P.name}


def test_a_session_that_was_there_before_is_not_missed() -> None:
    there = (session("default", "gone"),)
    cycles = Cycles(P)
    report = seen(orphan(targets=("gone:7",)), sessions=there)
    (stop,) = [each for _, each in cycles.run(report, 650) if each.action is Action.STOP]
    done(cycles, stop, (Action.STOP, ActionOutcome.DONE), report=report)
    cycles.see(seen(sessions=there))
    assert cycles.verdict.opened == set()


def test_an_agent_that_comes_back_again_and_again_is_left_to_a_person() -> None:
    cycles = Cycles(replace(BIG, breaker=Breaker(restarts=2), per_hour=10))
    stops = 0
    for number in range(4):
        report = shown(replace(coder(), process=ProcessId(700 + number, 9_000), pid=700 + number))
        for _, decision in cycles.run(report, 300):
            if decision.action is Action.STOP:
                stops += 1
                done(cycles, decision, (Action.STOP, ActionOutcome.DONE), report=report)
                break
    assert stops == 2
    assert cycles.verdict.opened == {"big"}


@pytest.mark.parametrize(
    "hold",
    [
        Hold(until=WALL + 1e6),
        Hold(until=WALL + 1e6, process=ProcessId(501, 9_000)),
        Hold(until=WALL + 1e6, server="default"),
        Hold(until=WALL + 1e6, session="gone"),
    ],
)
def test_a_hold_outranks_every_policy_until_it_ends(hold: Hold) -> None:
    candidate = TargetCandidate(target=target_of(orphan()), subject=orphan())
    assert protection_refusal(P, candidate, seen(), (hold,), WALL) is Refusal.HELD
    assert protection_refusal(P, candidate, seen(), (hold,), WALL + 1e6) is None
    other = orphan(700, aimed=("x",), server="x", targets=("y:0",))
    if hold != Hold(until=WALL + 1e6):
        assert (
            protection_refusal(
                P, TargetCandidate(target=target_of(other), subject=other), seen(), (hold,), WALL
            )
            is None
        )


@pytest.mark.parametrize(
    ("protected", "spared"),
    [
        (Protection(sessions=(NamePattern("gone"),)), True),
        (Protection(sessions=(NamePattern("go*", glob=True),)), True),
        (Protection(servers=(NamePattern("default"),)), True),
        (
            Protection(
                servers=(NamePattern("other"),),
                sessions=(NamePattern("x"),),
                agents=(NamePattern("*", glob=True),),
            ),
            False,
        ),
    ],
)
def test_a_file_protects_by_name(protected: Protection, spared: bool) -> None:
    cycles = Cycles(replace(P, protected=protected))
    found = cycles.run(seen(orphan()), 1500)
    assert ("stop" not in [action for _, action in taken(found)]) is spared
    assert (Refusal.PROTECTED in [decision.refusal for _, decision in found]) is spared
    assert (cycles.verdict.plan == ()) is spared or not spared


def test_an_option_of_tmux_protects_an_agent_and_a_session() -> None:
    here = pane("default", "work", "%3")
    guarded = replace(here, protected=True)
    agents = replace(BIG, hold=0.0)
    for panes, spared in (((here,), False), ((guarded,), True)):
        assert (taken(Cycles(agents).run(replace(shown(coder()), panes=panes), 60)) == []) is spared
    candidate = TargetCandidate(target=target_of(orphan(session="work")), subject=orphan(session="work"))
    assert protection_refusal(P, candidate, seen(panes=(guarded,)), (), WALL) is Refusal.PROTECTED
    assert protection_refusal(P, candidate, seen(panes=(here,)), (), WALL) is None


def test_two_policies_never_end_the_same_thing_in_one_cycle() -> None:
    cycles = Cycles(P)
    cycles.more = (replace(P, name="twin"),)
    found = cycles.run(seen(orphan()), 650)
    stops = [(at, decision.policy.name) for at, decision in found if decision.action is Action.STOP]
    assert [name for _, name in stops][:1] == [P.name]
    assert len({at for at, _ in stops}) == len(stops)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, leak_kinds=(LeakKind.OTHER,)), True),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, leak_kinds=(LeakKind.AGENT,)), False),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, opted_in=True), False),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, opted_in=True, argv_sha256=("ab",)), True),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, opted_in=True, argv_sha256=("cd",)), False),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, servers=(NamePattern("default"),)), True),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, servers=(NamePattern("other"),)), False),
        (TargetMatch(kind=TargetKind.LEAKED_PROCESS, sessions=(NamePattern("wor*", glob=True),)), True),
    ],
)
def test_which_leaks_a_match_is_for(match: TargetMatch, fits: bool) -> None:
    one = replace(leak("default", "work", LeakKind.OTHER, pid=500), argv_sha256="ab")
    assert fits_match(match, TargetCandidate(target=target_of(one), subject=one), seen()) is fits


@pytest.mark.parametrize("weak", ["by_marker", "by_folder", "by_lineage"])
def test_what_only_a_marker_or_a_folder_ties_is_no_candidate(weak: str) -> None:
    plain = leak("default", "work", LeakKind.OTHER, pid=500)
    tied = replace(plain, process=ProcessId(501, 1), **{weak: True})  # type: ignore[arg-type]
    policy = replace(P, match=TargetMatch(kind=TargetKind.LEAKED_PROCESS))
    assert [each.subject for each in targets_in_scope(policy, seen(leaks=(plain, tied)))] == [plain]


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"history_bytes": 1000}, True),
        ({"history_bytes": 10**12}, False),
        ({"dead": True}, False),
        ({"attached": False}, True),
        ({"attached": True}, False),
    ],
)
def test_which_panes_a_match_is_for(changes: dict[str, Any], fits: bool) -> None:
    one = replace(pane("default", "work", "%3"), history_bytes=5000, dead=False)
    of = replace(session("default", "work"), attached_clients=0)
    match = TargetMatch(kind=TargetKind.PANE, **changes)
    assert (
        fits_match(match, TargetCandidate(target=target_of(one), subject=one), seen(sessions=(of,))) is fits
    )


def test_a_pane_is_told_of_while_its_server_answers() -> None:
    policy = Policy(
        name="trim",
        mode=Mode.ENFORCE,
        match=TargetMatch(kind=TargetKind.PANE),
        ladder=(LadderStep(action=Action.WARN), LadderStep(action=Action.CLEAR_HISTORY)),
        hold=10.0,
        warmup=0.0,
    )
    panes = (pane("default", "work", "%3"),)
    cycles = Cycles(policy)
    assert [action for _, action in taken(cycles.run(seen(panes=panes), 60))] == ["warn", "clear_history"]
    hung = replace(SERVER, up=False)
    cycles = Cycles(policy)
    assert taken(cycles.run(seen(panes=panes, servers=(hung,)), 60)) == []
    assert refusals(cycles.see(seen(panes=panes, servers=(hung,)))) == []


def test_what_is_matched_now_is_shown_with_what_speaks_against_it_and_leaks_with_their_hash() -> None:
    one = replace(leak("default", "work", LeakKind.OTHER, pid=900), argv_sha256="ab" * 32)
    naming = replace(P, name="leaks", match=TargetMatch(kind=TargetKind.LEAKED_PROCESS, opted_in=True))
    cycles = Cycles(P)
    cycles.more = (naming,)
    late = orphan(due_timestamp_seconds=WALL + 300.0)
    cycles.see(seen(orphan(600), late, orphan(700, state=SchedulerState.ARMED), leaks=(one,)), after=290)
    policies = PolicySet(policies=(P, naming))
    report = seen(orphan(600), late, orphan(700, state=SchedulerState.ARMED), leaks=(one,))
    rows = matches_view(policies, cycles.verdict, report).rows
    told = [(row.policy, row.candidate.target.processes[0].pid, row.matched, row.refusal) for row in rows]
    assert told == [(P.name, 600, True, "warmup"), (P.name, 500, True, "too_late"), ("leaks", 900, False, "")]
    text = matches_view(policies, cycles.verdict, report).as_table()
    assert "yes, left alone: too_late" in text and "ab" * 32 in text
    assert (
        matches_view(PolicySet(policies=(P,)), cycles.verdict, seen()).as_table() == "nothing is matched now"
    )


def test_what_is_only_told_of_may_be_in_any_state() -> None:
    telling = replace(
        P,
        match=replace(P.match, states=(SchedulerState.OPAQUE,)),
        ladder=(LadderStep(action=Action.WARN),),
        warmup=0.0,
        hold=0.0,
    )
    found = Cycles(telling).run(seen(orphan(state=SchedulerState.OPAQUE, sleep=None)), 60)
    assert [action for _, action in taken(found)] == ["warn"]


PANES = Policy(
    name="panes",
    mode=Mode.ENFORCE,
    match=TargetMatch(kind=TargetKind.PANE),
    ladder=(
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.SAVE, after=60.0),
        LadderStep(action=Action.CLEAR_HISTORY),
    ),
    hold=60.0,
    warmup=0.0,
    cooldown=600.0,
    max_match_ratio=1.0,
)


def test_a_refused_step_on_a_pane_is_taken_again_with_all_of_them_after_ever_longer_pauses() -> None:
    report = seen(panes=(pane("default", "work", "%3"),))
    cycles = Cycles(PANES)
    found: list[tuple[float, Action | None]] = []
    while len(found) < 11:
        for decision in (each for _, each in cycles.run(report, INTERVAL)):
            found.append((cycles.now, decision.action))
            # The save works; what it needs to clear it is missing each time.
            if decision.action is Action.CLEAR_HISTORY:
                cycles.state = step_refused(cycles.state, decision, interval=INTERVAL, now=cycles.now)
    steps = (Action.SAVE, Action.CLEAR_HISTORY)
    assert [action for _, action in found] == [Action.WARN, *steps * 5]
    times = [at for at, action in found if action is Action.SAVE]
    assert [later - at for at, later in pairwise(times)] == [INTERVAL * 2**each for each in range(4)]


def test_a_step_that_is_refused_after_another_one_of_its_cycle_waits_no_longer() -> None:
    report = seen(panes=(pane("default", "work", "%3"),))
    cycles = Cycles(PANES)
    found = [decision for _, decision in cycles.run(report, 200)]
    save, clear = found[1:]
    once = step_refused(cycles.state, save, interval=INTERVAL, now=cycles.now)
    assert step_refused(once, clear, interval=INTERVAL, now=cycles.now) == once


def test_steps_on_panes_that_were_too_many_are_taken_once_they_are_few() -> None:
    two = seen(panes=(pane("default", "work", "%3"), pane("default", "work", "%4")))
    cycles = Cycles(replace(PANES, max_match=1))
    found = [decision for _, decision in cycles.run(two, 200) if decision.action is not Action.WARN]
    assert {each.refusal for each in found} == {Refusal.MAX_MATCH}
    assert len(found) < 20, "after ever longer pauses"
    later = [each for _, each in cycles.run(replace(two, panes=two.panes[:1]), PANES.cooldown) if each.action]
    assert [(each.action, each.refusal) for each in later] == [
        (Action.SAVE, None),
        (Action.CLEAR_HISTORY, None),
    ]


THROTTLE = LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=60.0, pause=True))
LADDER = (THROTTLE, LadderStep(action=Action.SNAPSHOT), *BIG.ladder[-2:])


def test_a_throttle_that_is_refused_in_the_act_is_tried_again_and_delays_no_end() -> None:
    cycles = Cycles(replace(BIG, ladder=LADDER))
    found: list[tuple[float, Action | None]] = []
    while cycles.now < 1000:
        for decision in (each for _, each in cycles.run(shown(coder()), INTERVAL)):
            found.append((cycles.now, decision.action))
            if decision.action is Action.THROTTLE:
                cycles.state = step_refused(cycles.state, decision, interval=INTERVAL, now=cycles.now)
    times = [at for at, action in found if action is Action.THROTTLE]
    assert [later - at for at, later in pairwise(times)][:5] == [INTERVAL * 2**each for each in range(5)]
    assert [action for _, action in found].count(Action.SNAPSHOT) == 1
    plain = Cycles(replace(BIG, ladder=LADDER)).run(shown(coder()), 1000)
    stops = [at for at, each in plain if each.action is Action.STOP]
    assert stops and [at for at, action in found if action is Action.STOP][:1] == stops[:1]


def test_a_throttle_that_was_not_allowed_is_told_of_once_and_taken_as_soon_as_it_is() -> None:
    cycles = Cycles(replace(BIG, ladder=LADDER))
    first = [each for _, each in cycles.run(shown(coder(), attached=1), 600)]
    later = [each for _, each in cycles.run(shown(coder()), 100)]
    refusals = [[each.refusal for each in part if each.action is Action.THROTTLE] for part in (first, later)]
    assert refusals == [[Refusal.ATTACHED_SESSION], [None]]
