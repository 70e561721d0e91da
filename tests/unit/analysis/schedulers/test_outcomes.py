"""Outcomes of schedulers that are gone, inferred sample by sample."""

from dataclasses import replace

import pytest

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.schedulers.outcomes import KEPT_SECONDS, SchedulerOutcomes
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.schedulers import Scheduler, SchedulerOutcome, SchedulerRemark, SchedulerState

SHELL = ProcessId(500, 500)
WORK = ("default", "work")
DUE = 5_000.0
BEFORE, AFTER = DUE - 0.5, DUE + 3.0


def scheduler(state: SchedulerState, due: float | None = DUE) -> Scheduler:
    return Scheduler(
        process=SHELL, sleep=ProcessId(501, 500), state=state, reason="as the test says", targets=("work:0",),
        server=None, session_id=None, due=due,
    )  # fmt: skip


class Watched:
    """Samples of one scheduler at WORK."""

    def __init__(self) -> None:
        self.outcomes = SchedulerOutcomes()
        self.monotonic = 10.0

    def see(self, state: SchedulerState, due: float | None = DUE, now: float = DUE - 100) -> None:
        there = table(process(500), taken_at=self.monotonic)
        self.outcomes.observe(there, {WORK: [scheduler(state, due)]}, now)

    def gone(self, now: float, *, complete: bool = True, ended: tuple[ProcessId, ...] = ()) -> None:
        self.outcomes.observe(table(complete=complete, taken_at=self.monotonic), {}, now, ended)

    def counts(self, session: SessionKey = WORK) -> dict[SchedulerOutcome, int]:
        totals = self.outcomes.totals([WORK], self.monotonic)
        return {
            outcome: totals[*session, outcome] for outcome in SchedulerOutcome if totals[*session, outcome]
        }


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (SchedulerState.ARMED, SchedulerOutcome.FIRED),
        (SchedulerState.ARMED_ORIGIN_GONE, SchedulerOutcome.FIRED),
        (SchedulerState.DUPLICATE, SchedulerOutcome.FIRED),
        (SchedulerState.DANGLING, SchedulerOutcome.MISSED),
        (SchedulerState.SERVERLESS, SchedulerOutcome.MISSED),
        (SchedulerState.STALE_GENERATION, SchedulerOutcome.MISSED),
        (SchedulerState.MISDIRECTED, SchedulerOutcome.MISSED),
        (SchedulerState.UNKNOWN, SchedulerOutcome.UNKNOWN),
        (SchedulerState.OVERDUE, SchedulerOutcome.UNKNOWN),
        (SchedulerState.FIRING, SchedulerOutcome.UNKNOWN),
        (SchedulerState.OPAQUE, SchedulerOutcome.UNKNOWN),
        (SchedulerState.IMMORTAL, SchedulerOutcome.CANCELLED),
    ],
)
def test_its_last_state_decides_once_it_was_due(state: SchedulerState, outcome: SchedulerOutcome) -> None:
    watched = Watched()
    watched.see(state, due=None if state is SchedulerState.IMMORTAL else DUE)
    assert watched.counts() == {}
    watched.gone(AFTER)
    assert watched.counts() == {outcome: 1}
    watched.gone(AFTER)
    assert watched.counts() == {outcome: 1}, "it goes only once"


def test_one_that_sends_only_after_a_failure_never_fires() -> None:
    watched = Watched()
    it = replace(scheduler(SchedulerState.ARMED), remarks=(SchedulerRemark.NEVER_SENDS,))
    watched.outcomes.observe(table(process(500), taken_at=10.0), {WORK: [it]}, DUE - 100)
    watched.gone(AFTER)
    assert watched.counts() == {SchedulerOutcome.MISSED: 1}


def test_one_beyond_the_horizon_that_was_due_after_all_was_never_judged() -> None:
    watched = Watched()
    watched.see(SchedulerState.IMMORTAL)
    watched.gone(AFTER)
    assert watched.counts() == {SchedulerOutcome.UNKNOWN: 1}


@pytest.mark.parametrize(
    "state", [SchedulerState.ARMED, SchedulerState.DANGLING, SchedulerState.UNKNOWN, SchedulerState.IMMORTAL]
)
def test_one_that_goes_before_it_is_due_was_cancelled(state: SchedulerState) -> None:
    watched = Watched()
    watched.see(state)
    watched.gone(BEFORE)
    assert watched.counts() == {SchedulerOutcome.CANCELLED: 1}


@pytest.mark.parametrize("state", [SchedulerState.OPAQUE, SchedulerState.FIRING])
def test_what_is_not_understood_is_not_cancelled_by_going_early(state: SchedulerState) -> None:
    watched = Watched()
    watched.see(state)
    watched.gone(BEFORE)
    assert watched.counts() == {SchedulerOutcome.UNKNOWN: 1}


def test_one_that_the_remediator_ended_is_cancelled_whenever_that_is_noticed() -> None:
    watched = Watched()
    watched.see(SchedulerState.DANGLING)
    watched.gone(AFTER, ended=(SHELL,))
    assert watched.counts() == {SchedulerOutcome.CANCELLED: 1}
    stranger = Watched()
    stranger.see(SchedulerState.DANGLING)
    stranger.gone(AFTER, ended=(ProcessId(500, 499),))
    assert stranger.counts() == {SchedulerOutcome.MISSED: 1}


@pytest.mark.parametrize(
    ("before", "outcome"),
    [
        (SchedulerState.ARMED, SchedulerOutcome.FIRED),
        (SchedulerState.DANGLING, SchedulerOutcome.MISSED),
        (SchedulerState.UNKNOWN, SchedulerOutcome.UNKNOWN),
    ],
)
def test_while_it_fires_earlier_facts_still_hold(before: SchedulerState, outcome: SchedulerOutcome) -> None:
    watched = Watched()
    watched.see(before)
    watched.see(SchedulerState.FIRING, now=DUE - 3)
    # Its second sleep runs: that one is not over when it goes.
    watched.see(SchedulerState.FIRING, due=DUE + 60, now=DUE + 1)
    watched.gone(AFTER)
    assert watched.counts() == {outcome: 1}


def test_half_a_table_proves_no_end() -> None:
    watched = Watched()
    watched.see(SchedulerState.ARMED)
    watched.gone(AFTER, complete=False)
    assert watched.counts() == {}
    watched.see(SchedulerState.ARMED)
    watched.gone(AFTER)
    assert watched.counts() == {SchedulerOutcome.FIRED: 1}


def test_a_shell_that_lives_on_is_not_gone() -> None:
    watched = Watched()
    watched.see(SchedulerState.ARMED)
    watched.outcomes.observe(table(process(500)), {}, BEFORE)
    assert watched.counts() == {}
    watched.outcomes.observe(table(process(500, state="Z")), {}, AFTER)
    assert watched.counts() == {SchedulerOutcome.FIRED: 1}


def test_another_process_with_its_pid_is_not_it() -> None:
    watched = Watched()
    watched.see(SchedulerState.DANGLING)
    watched.outcomes.observe(table(process(500, start=501)), {}, AFTER)
    assert watched.counts() == {SchedulerOutcome.MISSED: 1}


def test_every_outcome_of_every_place_starts_at_0() -> None:
    totals = SchedulerOutcomes().totals([WORK, ("", "")], 0.0)
    assert totals == {(*session, outcome): 0 for session in (WORK, ("", "")) for outcome in SchedulerOutcome}


def test_a_place_that_is_gone_is_shown_until_somebody_had_time_to_see_its_outcome() -> None:
    watched = Watched()
    watched.see(SchedulerState.ARMED)
    watched.gone(AFTER)
    fired = (*WORK, SchedulerOutcome.FIRED)
    last = watched.monotonic + KEPT_SECONDS
    assert watched.outcomes.totals([], last - 0.1)[fired] == 1
    assert watched.outcomes.totals([], last) == {}
    assert watched.outcomes.totals([WORK], last)[fired] == 0, "one that comes back starts anew"


def test_a_place_with_an_old_outcome_keeps_it_while_it_is_there() -> None:
    watched = Watched()
    watched.see(SchedulerState.ARMED)
    watched.gone(AFTER)
    assert watched.outcomes.totals([WORK], watched.monotonic + 10 * KEPT_SECONDS)[
        (*WORK, SchedulerOutcome.FIRED)
    ]


def test_it_counts_where_it_was_last_seen() -> None:
    watched = Watched()
    watched.see(SchedulerState.ARMED)
    there = table(process(500))
    watched.outcomes.observe(there, {("default", ""): [scheduler(SchedulerState.DANGLING)]}, DUE - 50)
    watched.gone(AFTER)
    assert watched.counts() == {}
    assert watched.counts(("default", "")) == {SchedulerOutcome.MISSED: 1}
