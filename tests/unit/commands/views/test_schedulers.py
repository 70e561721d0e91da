"""The table of pending schedulers: words, order, what counts as trouble."""

import json
from dataclasses import replace

import pytest

from tests.support.literals.report import example_report, scheduler
from tmux_exporter.commands.views.schedulers import TROUBLE, as_dict, as_text, in_trouble
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerRemark, SchedulerState

EMPTY = replace(example_report(), schedulers=())
NOW = EMPTY.timestamp


def report(*schedulers: SchedulerReport) -> Report:
    return replace(EMPTY, schedulers=schedulers)


def pending(
    state: SchedulerState = SchedulerState.ARMED, pid: int = 7000, due: float = 600.0
) -> SchedulerReport:
    return scheduler("default", "work", state, pid=pid, due=NOW + due)


def test_no_scheduler_is_one_line() -> None:
    assert "no scheduler is pending" in as_text(EMPTY)
    assert as_dict(EMPTY)["schedulers"] == []


def test_the_soonest_comes_first_and_what_never_comes_last() -> None:
    never = replace(pending(SchedulerState.IMMORTAL, 7003), due_timestamp_seconds=None)
    late = pending(SchedulerState.OVERDUE, 7002, due=-90)
    shown = report(never, pending(due=725.0), late)
    lines = [line.split() for line in as_text(shown).splitlines()]
    assert [line[0] for line in lines[:4]] == ["STATE", "overdue", "armed", "immortal"]
    assert [line[1:4] for line in lines[1:3]] == [["1m", "30s", "ago"], ["in", "12m", "05s"]]
    assert (lines[3][1], lines[-1]) == ("never", ["3", "pending,", "2", "in", "trouble"])
    assert [each["pid"] for each in as_dict(shown)["schedulers"]] == [7002, 7000, 7003]


def test_remarks_follow_the_reason_in_words() -> None:
    remarked = replace(pending(), reason="its target is there", remarks=(SchedulerRemark.TARGET_AT_SHELL,))
    assert "its target is there; no agent runs in its target's pane" in as_text(report(remarked))
    (shown,) = as_dict(report(remarked))["schedulers"]
    assert list(shown["remarks"]) == ["target_at_shell"]


def test_what_is_not_known_is_a_question_mark() -> None:
    bare = replace(pending(), server="", session="", targets=(), due_timestamp_seconds=None)
    assert as_text(report(bare)).splitlines()[1].split()[:5] == ["armed", "?", "?", "?", "?"]


@pytest.mark.parametrize("state", SchedulerState)
def test_trouble_is_what_will_not_arrive_where_it_should(state: SchedulerState) -> None:
    assert in_trouble(report(pending(), pending(state, 7001))) is (state in TROUBLE)


def test_a_sleep_of_millions_of_years_is_as_good_as_never() -> None:
    shown = report(pending(SchedulerState.IMMORTAL, due=1e300))
    assert as_text(shown).splitlines()[1].split()[1] == "never"
    json.dumps(as_dict(shown), allow_nan=False)
