"""Whose screen is read when: by what their windows do, and never twice for the same."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import answering, silent, tmux_server, tmux_view
from tests.support.literals.facts import pane as listed_pane
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.agents import Agent, AgentState, Clue, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView, Window
from tmux_exporter.sampling.stages import screen_schedule
from tmux_exporter.sampling.stages.screen_schedule import ScreenWatch, places_of
from tmux_exporter.sources.tmux.screens import Asked, Screen

SERVER = tmux_server(100)
KEY = PaneKey(SERVER.id, "%0")
ASKS = ("Do you want to proceed?", "❯ 1. Yes", "Esc to cancel")
WORKS = ("esc to interrupt",)


def agent(pid: int = 300, program: str = "claude", pane: str = "%0") -> Agent:
    return Agent(
        name="one", pane=PaneKey(SERVER.id, pane), process=ProcessId(pid, 1), program=program, version="",
        role="", reason="", members=frozenset(), programs=(),
    )  # fmt: skip


class Story:
    """One pane, whose window moves and whose screen changes as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.rows: tuple[str, ...] = ()
        self.problem = ""
        self.refuses = False
        self.to_read: list[tuple[str, ...]] = []
        monkeypatch.setattr(screen_schedule, "ScreenReader", lambda **_: self)
        self.watch = ScreenWatch(uid=0, clock=self.clock)
        self.moved = self.clock.time() - 60

    def read(self, asked: Sequence[Asked], **_: object) -> Mapping[PaneKey, Screen]:
        self.to_read += [tuple(key.pane for key in each.panes) for each in asked]
        if self.refuses:
            return {}
        screen = Screen(taken_at=self.clock.monotonic(), rows=self.rows, problem=self.problem)
        return {key: screen for each in asked for key in each.panes}

    def view(self, *, up: bool = True, fresh: bool = True) -> TmuxView:
        if fresh:
            self.listed_at = self.clock.monotonic()
        panes = (listed_pane("%0", 200), replace(listed_pane("%1", 201), window_id="@1"))
        told = (answering if up else silent)(SERVER, *panes)
        if told.listing is None:
            return tmux_view(told)
        windows = tuple(
            Window(id=name, name="", automatic_rename=False, activity=int(self.moved))
            for name in dict.fromkeys(pane.window_id for pane in panes)
        )
        listing = replace(told.listing, windows=windows, taken_at=self.listed_at)
        return tmux_view(replace(told, listing=listing))

    def look(self, *agents: Agent, up: bool = True, fresh: bool = True) -> Clue | None:
        agents = agents or (agent(),)
        wanted = frozenset(each.process for each in agents)
        said = self.watch.look(places_of(self.view(up=up, fresh=fresh)), agents, wanted, TmuxSettings())
        self.clock.advance(5.0)
        return said.get(agents[0].process)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(monkeypatch)


def state(clue: Clue | None) -> AgentState | None:
    assert clue is not None
    return clue.state


def test_a_screen_is_read_once_and_again_only_when_its_window_has_moved(story: Story) -> None:
    story.rows = ASKS
    assert [state(story.look()) for _ in range(5)] == [AgentState.WAITING] * 5
    assert story.to_read == [("%0",)]
    story.rows, story.moved = WORKS, story.clock.time() - 2
    assert state(story.look()) is AgentState.WORKING
    assert story.to_read == [("%0",)] * 2


def test_a_screen_that_was_read_in_the_second_in_which_it_moved_is_read_again(story: Story) -> None:
    story.moved = story.clock.time()
    story.look()
    story.look()
    story.look()
    assert len(story.to_read) == 2


def test_nobody_is_asked_again_before_its_server_has_answered_again(story: Story) -> None:
    story.moved = story.clock.time()
    story.look()
    for _ in range(3):
        story.look(fresh=False)
    assert len(story.to_read) == 1


def test_a_server_that_does_not_answer_is_not_asked_for_more(story: Story) -> None:
    story.look()
    story.moved = story.clock.time()
    assert story.look(up=False) is None
    assert len(story.to_read) == 1


def test_an_agent_that_was_started_again_has_another_screen(story: Story) -> None:
    story.rows = ASKS
    story.look()
    story.look(agent(301))
    assert len(story.to_read) == 2


def test_work_is_forgotten_when_the_window_has_long_been_quiet(story: Story) -> None:
    story.rows, story.moved = WORKS, story.clock.time() - 2
    assert [state(story.look()) for _ in range(4)] == [AgentState.WORKING, AgentState.WORKING, None, None]


def test_what_was_read_before_the_window_moved_says_nothing_any_more(story: Story) -> None:
    story.rows = ASKS
    story.look()
    story.moved, story.refuses = story.clock.time() - 2, True
    clue = story.look()
    assert clue and (clue.state, clue.why) == (None, "its window has moved since its text was read")
    assert story.look(agent(301)) == replace(clue, why="its text has not had its turn yet")


def test_the_end_of_a_limit_is_told_until_it_has_passed(story: Story) -> None:
    end = time.strftime("%I:%M%p", time.gmtime(story.clock.time() + 120)).lower()
    prompt = ("", "❯ ", "? for shortcuts")
    story.rows = (f"  ⎿  You've hit your session limit · resets {end} (UTC)", *prompt)
    clue = story.look()
    assert clue and (clue.state, clue.reason, clue.settled) == (
        AgentState.WAITING, WaitingReason.USAGE_LIMIT, True,
    )  # fmt: skip
    assert clue.until is not None and 60 < clue.until - story.clock.time() + 5.0 <= 120
    assert clue.since == int(story.moved)
    story.clock.advance(120)
    clue = story.look()
    assert clue and (clue.state, clue.until, len(story.to_read)) == (AgentState.IDLE, None, 1)


def test_a_whole_dialog_is_settled_and_half_of_one_is_not(story: Story) -> None:
    for rows, settled in ((ASKS, True), (("Enter to select",), False)):
        story.rows, story.moved = rows, story.clock.time()
        clue = story.look()
        assert clue and (clue.state, clue.settled) == (AgentState.WAITING, settled)


def test_a_failure_says_so_and_is_tried_again(story: Story) -> None:
    story.problem = "tmux did not show its text in time"
    clue = story.look()
    assert clue and (clue.state, clue.why) == (None, story.problem)
    story.problem, story.rows = "", ASKS
    assert state(story.look()) is AgentState.WAITING


def test_a_pane_with_two_agents_is_not_read(story: Story) -> None:
    clue = story.look(agent(300), agent(301, "codex"))
    assert clue and (clue.state, clue.why) == (None, "its pane holds other agents too")
    assert story.to_read == []


def test_who_was_read_longest_ago_comes_first(story: Story) -> None:
    one, other = agent(), agent(301, pane="%1")
    story.look(one)
    story.moved = story.clock.time()
    story.look(one, other)
    assert story.to_read[-1] == ("%1", "%0")


def test_no_text_is_kept(story: Story) -> None:
    story.rows = ("hunter2", *ASKS)
    story.look()
    assert "hunter2" not in repr(vars(story.watch))
