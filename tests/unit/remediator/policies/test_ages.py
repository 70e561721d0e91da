"""Ages of what a policy is for: read from times of the report, said as people say them."""

from dataclasses import replace

import pytest

from tests.support.literals.report import agent, leak, pane, scheduler
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.metrics import FIGURES

NOW = 1_795_500_000.0
IDLE = FIGURES["tmux_agent_idle_seconds"]


@pytest.mark.parametrize(
    ("state", "age"),
    [
        (AgentState.IDLE, 600.0), (AgentState.WORKING, 0.0), (AgentState.WAITING, 0.0),
        (AgentState.EXITED, 0.0), (AgentState.UNKNOWN, None),
    ],
)  # fmt: skip
def test_an_agent_has_been_idle_since_its_state_began(state: AgentState, age: float | None) -> None:
    made = replace(
        agent("default", "work", "coder", "%3", program="claude"),
        state=state,
        state_since_timestamp_seconds=NOW - 600,
    )
    assert IDLE.read(made, NOW) == age


def test_what_runs_has_the_age_of_its_process() -> None:
    left = replace(leak("default", "work", LeakKind.OTHER, pid=5), start_time_seconds=NOW - 7200)
    assert FIGURES["tmux_leaked_age_seconds"].read(left, NOW) == 7200.0
    made = replace(scheduler("default", "work", SchedulerState.ARMED, pid=6), start_time_seconds=NOW - 60)
    assert FIGURES["tmux_scheduler_age_seconds"].read(made, NOW) == 60.0
    shown = pane("default", "work", "%3")
    usage = replace(shown.usage, oldest_process_start_time_seconds=NOW - 30)
    assert FIGURES["tmux_pane_age_seconds"].read(replace(shown, usage=usage), NOW) == 30.0
    gone = replace(shown, usage=replace(usage, oldest_process_start_time_seconds=None))
    assert FIGURES["tmux_pane_age_seconds"].read(gone, NOW) is None


def test_a_clock_that_was_set_back_makes_nothing_younger_than_new() -> None:
    left = replace(leak("default", "work", LeakKind.OTHER, pid=5), start_time_seconds=NOW + 5)
    assert FIGURES["tmux_leaked_age_seconds"].read(left, NOW) == 0.0


@pytest.mark.parametrize(
    ("seconds", "words"), [(28_800.0, "8h"), (5400.0, "1.5h"), (90.0, "1.5min"), (0.4, "0.4s")]
)
def test_an_age_is_told_in_a_unit_that_people_read(seconds: float, words: str) -> None:
    assert (IDLE.told(seconds), IDLE.words, IDLE.parse("8h")) == (words, "idle", 28_800.0)
