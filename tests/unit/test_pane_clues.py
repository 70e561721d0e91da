"""What a pane's window tells of its agent."""

from dataclasses import replace

from tests.support.listings import listing
from tmux_exporter.agent_facts import AgentState, Clue
from tmux_exporter.analysis.pane_clues import activity_clue, stillness


def clue(quiet: float, *windows: str) -> Clue:
    listed = listing({"orc": list(windows) or ["one"]})
    moved = tuple(replace(each, activity=1000) for each in listed.windows)
    listed = replace(listed, windows=moved)
    return activity_clue(stillness(listed, listed.panes[0]), 1000.0 + quiet)


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
    assert activity_clue(stillness(listed, listed.panes[0]), 1000.0).state is None
    no_window = replace(listed, windows=())
    assert activity_clue(stillness(no_window, listed.panes[0]), 1000.0).state is None
