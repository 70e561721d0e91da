"""The policy over histories that nobody thought of: never on half a view, never without its waits."""

from dataclasses import replace
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.remediator.orphans import INTERVAL, SERVER, Cycles, orphan, seen
from tmux_exporter.facts.process import Problem
from tmux_exporter.facts.remediation import Action, Mode
from tmux_exporter.facts.report import Report, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS

POLICY = replace(
    ORPHANED_SCHEDULERS.scaled(1 / 30), per_cycle=2, per_hour=4, max_match=5, max_match_few=3, remaining=30.0
)
"""The shipped one with a `for` of 10 s, and limits that small histories reach."""

mostly = st.integers(min_value=0, max_value=9).map(bool)
servers = st.one_of(
    st.just(SERVER),
    st.just(SERVER),
    st.builds(
        replace,
        st.just(SERVER),
        up=mostly,
        held=st.booleans(),
        problem=st.sampled_from([None, Problem(source="tmux", reason="hung")]),
    ),
)


class Shown(NamedTuple):
    """A scheduler as one report shows it."""

    pid: int
    state: SchedulerState
    seconds_left: float | None
    has_sleep: bool
    aimed: tuple[str, ...]


shown = st.builds(
    Shown,
    pid=st.sampled_from(range(500, 512, 2)),
    state=st.one_of(
        st.just(SchedulerState.DANGLING), st.just(SchedulerState.DANGLING), st.sampled_from(SchedulerState)
    ),
    seconds_left=st.one_of(st.just(1000.0), st.floats(min_value=-10, max_value=100), st.none()),
    has_sleep=mostly,
    aimed=st.sampled_from([("default",), ("default",), ("default",), ("other",), ()]),
)


class Look(NamedTuple):
    """One cycle of a history; an `aged` of None is a listing that was used before."""

    shown: list[Shown]
    server: ServerReport
    complete: bool
    aged: float
    after: float
    step: float


steady = st.builds(
    Look,
    shown=st.just([Shown(500, SchedulerState.DANGLING, 1000.0, True, ("default",))]),
    server=st.just(SERVER),
    complete=st.just(True),
    aged=st.just(0.1),
    after=st.just(INTERVAL),
    step=st.just(0.0),
)
odd = st.builds(
    Look,
    shown=st.lists(shown, max_size=6, unique_by=lambda each: each.pid),
    server=servers,
    complete=mostly,
    aged=st.sampled_from([0.1, 0.1, 0.1, 5.1, 29.0, 31.0]),
    after=st.sampled_from([INTERVAL, INTERVAL, 0.5, 60.0]),
    step=st.sampled_from([0.0] * 9 + [100.0]),
)
histories = st.lists(st.one_of(steady, steady, odd), min_size=4, max_size=40)


STEADY = Look(
    shown=[Shown(500, SchedulerState.DANGLING, 1000.0, True, ("default",))],
    server=SERVER,
    complete=True,
    aged=0.1,
    after=INTERVAL,
    step=0.0,
)
HALF_A_LOOK_SHOWS_ANOTHER = STEADY._replace(
    shown=[Shown(500, SchedulerState.OPAQUE, 1000.0, False, ("default",))], complete=False
)
"""The processes could not all be listed, and the shell that was watched is shown with another script."""


def report_of(look: Look, now: float) -> Report:
    """The report of a look, its times told from `now` (wall)."""
    return seen(
        *(
            orphan(
                each.pid,
                state=each.state,
                due_timestamp_seconds=None if each.seconds_left is None else now + each.seconds_left,
                aimed=each.aimed,
                **({} if each.has_sleep else {"sleep": None}),
            )
            for each in look.shown
        ),
        servers=(look.server,),
        collector_success={"processes": look.complete},
    )


def run(history: list[Look], mode: Mode = Mode.ENFORCE) -> list[tuple[float, Report, tuple[Decision, ...]]]:
    cycles = Cycles(replace(POLICY, mode=mode))
    found = []
    for look in history:
        cycles.step += look.step
        report = report_of(look, cycles.moment().wall + look.after)
        decisions = cycles.see(report, after=look.after, aged=look.aged)
        # The time of the decision: a look takes its time, and not always the same.
        found.append((cycles.now, report, decisions))
    return found


def stops(decisions: tuple[Decision, ...]) -> list[SchedulerReport]:
    found = [each.candidate.subject for each in decisions if each.action is Action.STOP]
    return [each for each in found if isinstance(each, SchedulerReport)]


@settings(max_examples=examples(300))
@given(histories)
def test_nothing_is_ended_on_half_a_view(history: list[Look]) -> None:
    for look, (now, report, decisions) in zip(history, run(history), strict=True):
        for scheduler in stops(decisions):
            (server,) = report.servers
            assert look.complete and server.up and not server.held and server.problem is None
            assert look.aged <= POLICY.max_age
            assert scheduler.aimed == ("default",)
            assert scheduler.state is SchedulerState.DANGLING
            assert scheduler.sleep is not None
            (one,) = [each for each in look.shown if each.pid == scheduler.process.pid]
            assert one.seconds_left is not None and one.seconds_left >= POLICY.remaining - 1e-3
            assert now >= POLICY.warmup


@settings(max_examples=examples(300))
@given(histories)
@example([STEADY, HALF_A_LOOK_SHOWS_ANOTHER, *[STEADY] * 12])
def test_what_is_ended_was_seen_orphaned_all_the_time_before(history: list[Look]) -> None:
    whole = run(history)
    for number, (now, _, decisions) in enumerate(whole):
        for scheduler in stops(decisions):
            warned = [
                at
                for at, _, earlier in whole[:number]
                for each in earlier
                if each.action is Action.WARN and each.candidate.target.processes[0] == scheduler.process
            ]
            assert warned and now - max(warned) >= POLICY.stop_after
            since = max(warned) - POLICY.hold
            states = {
                each.state
                for at, report, _ in whole[: number + 1]
                if at >= since
                for each in report.schedulers
                if each.process == scheduler.process
            }
            assert states <= {SchedulerState.DANGLING, SchedulerState.UNKNOWN}


@settings(max_examples=examples(300))
@given(histories)
def test_no_budget_is_ever_overdrawn(history: list[Look]) -> None:
    spent: list[float] = []
    for now, report, decisions in run(history):
        ended = stops(decisions)
        assert len(ended) <= POLICY.per_cycle
        spent += [now] * len(ended)
        assert sum(now - at < POLICY.budget_window for at in spent) <= POLICY.per_hour
        dangling = sum(each.state is SchedulerState.DANGLING for each in report.schedulers)
        assert not ended or dangling <= POLICY.max_match
        assert len({each.process for each in ended}) == len(ended)


@given(histories)
def test_to_observe_and_to_enforce_is_to_decide_the_same(history: list[Look]) -> None:
    def decided(mode: Mode) -> list[tuple[object, ...]]:
        return [
            (
                now,
                each.candidate.subject,
                each.action,
                each.refusal,
                each.order and (each.order.target, each.order.stages),
            )
            for now, _, decisions in run(history, mode)
            for each in decisions
        ]

    assert decided(Mode.OBSERVE) == decided(Mode.ENFORCE)


def test_the_histories_reach_what_they_are_to_hold() -> None:
    """A property about stops says nothing where none happens."""
    calm = [Look([Shown(500, SchedulerState.DANGLING, 1e6, True, ("default",))], SERVER, True, 0.1, 5.0, 0.0)]
    assert [len(stops(decisions)) for _, _, decisions in run(calm * 12)].count(1) == 2
