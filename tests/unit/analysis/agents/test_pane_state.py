"""Agent state from title signs and window activity."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import listing
from tmux_exporter.analysis.agents.hook_state import WindowActivity
from tmux_exporter.analysis.agents.pane_state import activity_clue, title_clue, window_activity
from tmux_exporter.facts.agents import AgentState, Clue, WaitingReason


def clue(quiet: float, *windows: str) -> Clue:
    listed = listing({"orc": list(windows) or ["one"]})
    listed = replace(listed, windows=tuple(replace(each, activity=1000) for each in listed.windows))
    return activity_clue(window_activity(listed)["%0"], 1000.0 + quiet)


def test_a_window_that_moves_is_at_work_and_a_quiet_one_is_idle_since() -> None:
    moving = clue(2.5)
    assert (moving.state, moving.since, moving.certain) == (AgentState.WORKING, None, False)
    quiet = clue(60.0)
    assert (quiet.state, quiet.since, quiet.certain) == (AgentState.IDLE, 1000.0, False)
    assert clue(-5.0).state is AgentState.WORKING, "clocks are not that exact"


def test_a_second_pane_may_be_the_one_that_moves() -> None:
    assert clue(1.0, "two+").state is None
    assert clue(60.0, "two+").state is AgentState.IDLE


def test_without_a_time_nothing_is_said() -> None:
    listed = listing({"orc": ["one"]})
    assert activity_clue(window_activity(listed)["%0"], 1000.0).state is None
    assert activity_clue(window_activity(replace(listed, windows=()))["%0"], 1000.0).state is None


@pytest.mark.parametrize(
    ("program", "sign", "state", "certain", "reason"),
    [
        ("claude", "⠂", AgentState.WORKING, False, None),
        ("claude", "⠐", AgentState.WORKING, False, None),
        ("claude", "✳", AgentState.IDLE, False, None),
        ("codex", "⠋", AgentState.WORKING, False, None),
        ("codex", "!", AgentState.WAITING, True, WaitingReason.PERMISSION),
        ("gemini", "◇", AgentState.IDLE, True, None),
        ("gemini", "✦", AgentState.WORKING, True, None),
        ("gemini", "⏲", AgentState.WORKING, True, None),
        ("gemini", "✋", AgentState.WAITING, True, WaitingReason.PERMISSION),
        ("claude", "✋", None, True, None),
        ("claude", "", None, True, None),
    ],
)
def test_signs_of_titles(
    program: str, sign: str, state: AgentState | None, certain: bool, reason: WaitingReason | None
) -> None:
    clue = title_clue(program, sign, WindowActivity(moved=1000.0, alone=True), 1001.0)
    assert clue and (clue.state, clue.certain, clue.reason) == (state, certain, reason)


def test_a_title_of_a_program_without_signs_says_nothing() -> None:
    assert title_clue("aider", "✳", WindowActivity(moved=1000.0, alone=True), 1001.0) is None


@pytest.mark.parametrize(("program", "sign"), [("claude", "⠂"), ("gemini", "✦")])
def test_a_title_that_says_work_is_not_believed_over_a_quiet_window(program: str, sign: str) -> None:
    for alone in (True, False):
        window = WindowActivity(moved=1000.0, alone=alone)
        young, old = (title_clue(program, sign, window, 1000.0 + quiet) for quiet in (9.0, 11.0))
        assert young is not None and young.state is AgentState.WORKING
        assert old is not None and old.state is None
    unknown = title_clue(program, sign, WindowActivity(moved=None, alone=True), 9000.0)
    assert unknown is not None and unknown.state is AgentState.WORKING
