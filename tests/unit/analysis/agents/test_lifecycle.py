"""Lifecycle of agents over samples: up, exited, absent; and which clue decides the state."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.literals.facts import pane
from tests.support.literals.lives import Story, agent, declared, says, shell
from tmux_exporter.analysis.agents.decide_state import decide_state
from tmux_exporter.config import ExpectedAgent
from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason

NAME = "$0:0"
TITLE, TEXT, ACTIVITY = StateSource.PANE_TITLE, StateSource.PANE_TEXT, StateSource.WINDOW_ACTIVITY


def test_an_agent_has_exited_when_two_looks_in_a_row_miss_it() -> None:
    story = Story()
    up = story.look(shell(front=False), agent(300), clues=[says(AgentState.WORKING)])[NAME]
    assert (up.up, up.status.state, up.restarted) == (True, AgentState.WORKING, False)
    first = story.look(shell())[NAME]
    assert (first.up, first.agent, first.status.state) == (True, None, AgentState.WORKING)
    missed = story.now
    second = story.look(shell())[NAME]
    assert (second.up, second.status.state, second.status.since) == (False, AgentState.EXITED, missed)
    assert second.status.why == "its process has ended, and its pane is back at the shell"
    assert (second.program, second.status.source) == ("claude", StateSource.PROCESS)
    assert story.look(shell())[NAME].status == second.status


def test_one_look_that_misses_it_says_nothing() -> None:
    story = Story()
    story.look(shell(front=False), agent(300), clues=[says(AgentState.IDLE)])
    story.look(shell())
    tracked = story.look(shell(front=False), agent(300), clues=[says(AgentState.IDLE)])[NAME]
    assert (tracked.up, tracked.restarted, tracked.recovered_seconds) == (True, False, None)
    # And the next one that misses it is a first one again.
    assert story.look(shell())[NAME].up


@pytest.mark.parametrize("blind", [{"complete": False}, {"up": False}])
def test_a_look_that_sees_only_half_proves_nothing(blind: dict[str, bool]) -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    for _ in range(5):
        assert story.look(shell(), **blind)[NAME].up  # type: ignore[arg-type]
    story.look(shell())
    assert story.look(shell(), **blind)[NAME].up  # type: ignore[arg-type]
    assert not story.look(shell())[NAME].up


def test_what_the_pane_does_without_its_agent_is_told() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    dead = replace(pane("%0", None), dead=True)
    story.look(panes=[dead])
    assert story.look(panes=[dead])[NAME].status.why.endswith("its pane is dead")
    story = Story()
    story.look(shell(front=False), agent(300))
    other = agent(301, "vim")
    story.look(shell(front=False), other)
    assert story.look(shell(front=False), other)[NAME].status.why.endswith("its pane runs something else")


def test_an_agent_ends_with_its_pane() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    assert story.look(panes=[pane("%1", None)]) == {}
    assert story.memory().tracked_agents == ()


def test_a_restart_and_how_long_it_took() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    seen = story.now
    story.look(shell())
    story.look(shell())
    # It started 12 s after it was last seen.
    again = agent(301, start=int((seen + 12 - 1000) * 100))
    tracked = story.look(shell(front=False), again)[NAME]
    assert (tracked.up, tracked.restarted, tracked.recovered_seconds) == (True, True, 12.0)
    tracked = story.look(shell(front=False), again)[NAME]
    assert (tracked.restarted, tracked.recovered_seconds) == (False, None)


def test_a_restart_between_two_looks_is_one_too() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    again = agent(301, start=int((story.now + 2 - 1000) * 100))
    tracked = story.look(shell(front=False), again)[NAME]
    assert (tracked.restarted, tracked.recovered_seconds) == (True, 2.0)


def test_at_the_slow_tick_a_restart_counts_once_and_what_is_open_is_said() -> None:
    story = Story(step=15.0)
    story.look(shell(front=False), agent(300))
    again = agent(301, start=int((story.now + 11 - 1000) * 100))
    tracked = story.look(shell(front=False), again)[NAME]
    assert (tracked.restarted, tracked.recovered_seconds, story.tracked_agents.in_doubt) == (
        True,
        11.0,
        False,
    )
    story.look(shell())
    missed = story.now
    assert story.tracked_agents.in_doubt
    assert story.tracked_agents.asks_again
    status = story.look(shell())[NAME].status
    assert (status.state, status.since) == (AgentState.EXITED, missed)
    assert not story.tracked_agents.in_doubt


def test_a_shell_that_becomes_the_next_one_was_no_agent_before() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    seen = story.now
    older = agent(301, start=int((seen - 60 - 1000) * 100))
    for _ in range(3):
        story.look(shell())
    tracked = story.look(shell(front=False), older)[NAME]
    assert (tracked.up, tracked.restarted, tracked.recovered_seconds) == (True, True, story.now - seen)


def test_one_that_overlaps_with_the_next_was_never_down() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    older = agent(301, start=int((story.now - 60 - 1000) * 100))
    tracked = story.look(shell(front=False), older)[NAME]
    assert (tracked.restarted, tracked.recovered_seconds) == (True, 0.0)


def test_another_program_in_its_pane_takes_the_place_of_one_that_has_ended() -> None:
    story = Story()
    story.look(shell(front=False), agent(300))
    assert [each.program for each in story.look(shell(front=False), agent(301, "codex")).values()] == [
        "codex"
    ]
    story.look(shell())
    (tracked,) = story.look(shell()).values()
    assert (tracked.program, tracked.up) == ("codex", False)


def test_of_two_in_one_pane_one_may_end() -> None:
    story = Story()
    both = (agent(300), agent(301, "codex"))
    assert list(story.look(shell(front=False), *both)) == [NAME, f"{NAME}#2"]
    story.look(shell(front=False), both[1])
    tracked_agents = story.look(shell(front=False), both[1])
    assert {name: tracked.up for name, tracked in tracked_agents.items()} == {f"{NAME}#2": True, NAME: False}


def test_a_pane_that_is_named_an_agent_and_only_shows_a_prompt_is_one_that_is_down() -> None:
    story = Story()
    tracked = story.look(shell(), panes=[declared("bot")])["bot"]
    assert (tracked.up, tracked.status.state, tracked.program) == (False, AgentState.EXITED, "")
    first = tracked.status.since
    assert story.look(shell(), panes=[declared("bot")])["bot"].status.since == first
    running = story.look(shell(front=False), agent(201, "bot"), panes=[declared("bot")])["bot"]
    assert (running.up, running.program) == (True, "other")
    story.look(shell(), panes=[declared("bot")])
    assert not story.look(shell(), panes=[declared("bot")])["bot"].up


def test_a_named_pane_does_not_become_another_agent_when_its_own_ends() -> None:
    story = Story()
    story.look(shell(front=False), agent(300), panes=[declared("bot")])
    looks = [story.look(shell(front=False), agent(301, "vim"), panes=[declared("bot")]) for _ in range(3)]
    (tracked,) = looks[-1].values()
    assert (tracked.name, tracked.program, tracked.up) == ("bot", "claude", False)


EXPECTED = (ExpectedAgent(session="$0", agent="lead"), ExpectedAgent(server="ci", session="s", agent="qa"))


def test_an_expected_agent_that_is_nowhere_is_down_and_unknown_while_nobody_can_tell() -> None:
    story = Story()
    tracked_agents = story.look(shell(), expected=EXPECTED)
    assert [(each.up, each.status.state) for each in tracked_agents.values()] == [
        (False, AgentState.EXITED)
    ] * 2
    assert (tracked_agents["qa"].server, tracked_agents["qa"].session, tracked_agents["qa"].pane) == (
        "ci",
        "s",
        None,
    )
    since = tracked_agents["lead"].status.since
    tracked_agents = story.look(shell(), up=False, expected=EXPECTED)
    assert tracked_agents["lead"].status.state is AgentState.UNKNOWN
    assert tracked_agents["lead"].status.since == since
    assert story.look(shell(), complete=False, expected=EXPECTED)["qa"].status.state is AgentState.UNKNOWN


def test_who_was_declared_is_told_whether_it_runs_or_not() -> None:
    story = Story()
    running = story.look(shell(front=False), agent(300), expected=EXPECTED)
    assert {name: each.declared for name, each in running.items()} == {NAME: False, "lead": True, "qa": True}
    running = story.look(shell(front=False), agent(300), panes=[declared("lead")], expected=EXPECTED[:1])
    assert {name: each.declared for name, each in running.items()} == {"lead": True}
    assert Story().look(shell(), panes=[declared("bot")])["bot"].declared
    assert Story().look(shell(front=False), agent(300), panes=[declared("bot")])["bot"].declared


@pytest.mark.parametrize(
    ("status", "signal", "crashed"),
    [(0, None, False), (1, None, True), (130, None, False), (None, 15, False), (None, 9, True)],
)
def test_a_dead_pane_says_whether_its_agent_failed(
    status: int | None, signal: int | None, crashed: bool
) -> None:
    story = Story()
    assert not story.look(shell(front=False), agent(300))[NAME].crashed
    dead = replace(pane("%0", None), dead=True, dead_status=status, dead_signal=signal)
    assert not story.look(panes=[dead])[NAME].crashed
    assert story.look(panes=[dead])[NAME].crashed is crashed
    # Somebody brings the pane back, and then the agent.
    story.look(shell())
    back = story.look(shell(front=False), agent(301))[NAME]
    assert (back.restarted, back.crashed, back.had_crashed) == (True, False, crashed)
    assert not story.look(shell(front=False), agent(301))[NAME].had_crashed


def test_the_page_names_the_state_of_an_agent_that_is_only_declared() -> None:
    page = (Path(__file__).parents[4] / "docs" / "agents.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page.partition("\n## State\n")[2], re.MULTILINE))
    assert rows.keys() >= set(AgentState)
    absent = Story().look(shell(), panes=[declared("bot")], expected=EXPECTED)
    assert {tracked.status.state for tracked in absent.values()} == {
        state for state in AgentState if "declared" in rows[state]
    }


def test_an_expected_agent_that_runs_is_one_agent() -> None:
    story = Story()
    running = story.look(shell(front=False), agent(300), panes=[declared("lead")], expected=EXPECTED[:1])
    assert [(each.name, each.up) for each in running.values()] == [("lead", True)]
    (gone,) = story.look(panes=[pane("%1", None)], expected=EXPECTED[:1]).values()
    assert (gone.name, gone.up) == ("lead", False)


def test_what_an_agent_says_of_itself_is_believed_at_once() -> None:
    story = Story()
    tree = (shell(front=False), agent(300))
    story.look(*tree, clues=[says(AgentState.WORKING)])
    asks = says(AgentState.WAITING, reason=WaitingReason.PERMISSION, since=2007.5)
    status = story.look(*tree, clues=[asks])[NAME].status
    assert (status.state, status.reason, status.since) == (
        AgentState.WAITING,
        WaitingReason.PERMISSION,
        2007.5,
    )
    other = says(AgentState.WAITING, reason=WaitingReason.QUESTION)
    status = story.look(*tree, clues=[other])[NAME].status
    assert (status.reason, status.since) == (WaitingReason.QUESTION, story.now)
    assert story.look(*tree, clues=[other])[NAME].status.since == status.since


def test_a_weak_source_lifts_at_once_and_needs_two_looks_to_lower() -> None:
    story = Story()
    tree = (shell(front=False), agent(300))
    story.look(*tree, clues=[says(AgentState.WORKING, source=TITLE)])
    quiet = [says(AgentState.IDLE, source=ACTIVITY)]
    assert story.look(*tree, clues=quiet)[NAME].status.state is AgentState.WORKING
    assert story.tracked_agents.in_doubt
    first = story.now
    status = story.look(*tree, clues=quiet)[NAME].status
    assert (status.state, status.since) == (AgentState.IDLE, first)
    assert (
        story.look(*tree, clues=[says(AgentState.WORKING, source=ACTIVITY)])[NAME].status.since == story.now
    )
    # A look between two that agree starts the count anew.
    story.look(*tree, clues=quiet)
    story.look(*tree, clues=[says(AgentState.WORKING, source=ACTIVITY)])
    assert story.look(*tree, clues=quiet)[NAME].status.state is AgentState.WORKING


def test_nothing_to_go_by_is_unknown_after_two_looks() -> None:
    story = Story()
    tree = (shell(front=False), agent(300))
    assert story.look(*tree)[NAME].status.state is AgentState.UNKNOWN
    story.look(*tree, clues=[says(AgentState.IDLE)])
    assert story.look(*tree)[NAME].status.state is AgentState.IDLE
    assert story.look(*tree)[NAME].status.state is AgentState.UNKNOWN


def test_since_is_never_before_the_start_nor_in_the_future() -> None:
    story = Story()
    tree = (shell(front=False), agent(300, start=50_000))
    assert story.look(*tree, clues=[says(AgentState.IDLE, since=3.0)])[NAME].status.since == 1500.0
    assert story.look(*tree, clues=[says(AgentState.WORKING, since=1e12)])[NAME].status.since == story.now


def test_the_strongest_source_that_says_something_decides() -> None:
    file = says(None)
    hook = says(AgentState.WAITING, source=StateSource.HOOK)
    title = says(AgentState.IDLE, source=TITLE)
    moving = says(AgentState.WORKING, source=ACTIVITY)
    assert decide_state([moving, title, hook, file]) == (hook, (file, title, moving))
    assert decide_state([moving, title])[0] == title
    assert decide_state([moving, title, replace(title, source=TEXT, certain=True)])[0].source is TEXT
    best, passed = decide_state([file])
    assert (best.state, best.source, passed) == (AgentState.UNKNOWN, StateSource.NONE, (file,))


def test_a_screen_tells_an_idle_agent_from_one_that_is_stopped_by_a_limit() -> None:
    limit = says(AgentState.WAITING, source=TEXT, reason=WaitingReason.USAGE_LIMIT)
    assert decide_state([says(AgentState.IDLE), limit])[0] is limit
    assert decide_state([says(AgentState.WORKING), limit])[0].state is AgentState.WORKING
    asks = replace(limit, reason=WaitingReason.PERMISSION)
    assert decide_state([says(AgentState.IDLE), asks])[0].state is AgentState.IDLE
    # A title is the same at a dialog and at rest.
    assert decide_state([says(AgentState.IDLE, source=TITLE), asks])[0] is asks


def test_a_screen_says_for_what_it_waits_where_another_source_says_that_it_does() -> None:
    menu = says(AgentState.WAITING, reason=WaitingReason.DIALOG, since=7.0)
    limit = replace(says(AgentState.WAITING, source=TEXT, reason=WaitingReason.USAGE_LIMIT), until=9e9)
    best, passed = decide_state([menu, limit])
    assert (best.source, best.reason, best.until, best.since) == (
        menu.source, WaitingReason.USAGE_LIMIT, 9e9, 7.0,
    )  # fmt: skip
    assert passed == (limit,)
    assert decide_state([menu, says(AgentState.IDLE, source=TEXT)])[0] is menu


def test_a_settled_screen_is_believed_at_once_and_one_in_motion_at_the_second_sample() -> None:
    story = Story()
    tree = (shell(front=False), agent(300))
    story.look(*tree, clues=[says(AgentState.WORKING, source=TEXT)])
    moving = says(AgentState.WAITING, source=TEXT, reason=WaitingReason.TRUST)
    assert story.look(*tree, clues=[moving])[NAME].status.state is AgentState.WORKING
    settled = replace(moving, settled=True, since=story.now - 1.0, until=9e9)
    status = story.look(*tree, clues=[settled])[NAME].status
    assert (status.state, status.reason, status.until) == (AgentState.WAITING, WaitingReason.TRUST, 9e9)
    # It goes on waiting, although its window moves: since when stays.
    later = replace(settled, since=story.now)
    assert story.look(*tree, clues=[later])[NAME].status.since == status.since
    assert story.memory().tracked_agents[0].from_screen


def test_a_screen_in_motion_is_asked_for_again_soon_and_once() -> None:
    story = Story()

    def asks_again(state: AgentState, source: StateSource = TEXT) -> bool:
        story.look(shell(front=False), agent(300), clues=[says(state, source=source)])
        return story.tracked_agents.asks_again

    assert [asks_again(each) for each in (AgentState.WAITING, AgentState.IDLE, AgentState.IDLE)] == [
        False, True, False,
    ]  # fmt: skip
    assert story.memory().tracked_agents[0].state is AgentState.IDLE
    # A quiet window is no screen: it may be a pause.
    assert [asks_again(AgentState.WORKING), asks_again(AgentState.IDLE, ACTIVITY)] == [False, False]
    assert story.tracked_agents.in_doubt


def test_a_later_exporter_knows_who_was_here_and_since_when() -> None:
    story = Story()
    tree = (shell(front=False), agent(300))
    asks = says(AgentState.WAITING, source=ACTIVITY, reason=WaitingReason.QUESTION)
    story.look(*tree, clues=[asks], expected=EXPECTED)
    since = story.look(*tree, clues=[asks], expected=EXPECTED)[NAME].status.since
    later = Story(story.memory())
    later.now = story.now + 100
    tracked = later.look(*tree, clues=[asks], expected=EXPECTED)
    assert (tracked[NAME].status.since, tracked[NAME].restarted) == (since, False)
    assert tracked["qa"].status.since < story.now
    # One that ended while no exporter ran is missed as any other; one that was down stays down.
    gone = Story(story.memory())
    gone.now = later.now
    gone.look(shell())
    assert not gone.look(shell())[NAME].up
    assert not Story(gone.memory()).look(shell())[NAME].up


def test_one_glance_at_a_screen_never_demotes() -> None:
    works = says(AgentState.WORKING, source=TEXT)
    asks = replace(says(AgentState.WAITING, source=TEXT, reason=WaitingReason.PERMISSION), certain=True)
    story = Story()

    def look(clue: Clue) -> AgentState:
        return story.look(shell(front=False), agent(300), clues=[clue])[NAME].status.state

    assert [look(each) for each in (works, asks, works, asks, asks)] == [
        AgentState.WORKING,
        AgentState.WORKING,
        AgentState.WORKING,
        AgentState.WORKING,
        AgentState.WAITING,
    ]
    assert look(works) is AgentState.WORKING, "up it goes at once"


def test_a_limit_that_a_file_of_usage_tells_is_believed_first() -> None:
    limit = Clue(
        source=StateSource.USAGE_FILE,
        why="",
        state=AgentState.WAITING,
        reason=WaitingReason.USAGE_LIMIT,
        until=9e9,
    )
    menu = says(AgentState.WAITING, reason=WaitingReason.DIALOG)
    for other in (says(AgentState.IDLE), says(AgentState.WORKING), menu):
        assert decide_state([other, limit])[0] is limit
    # Its end may stand on the screen alone.
    untold, shown = replace(limit, until=None), replace(limit, source=TEXT, until=7e9)
    assert decide_state([says(AgentState.IDLE), untold, shown])[0].until == 7e9


def test_a_used_up_quota_stops_who_does_nothing_or_tries_again() -> None:
    used_up = Clue(
        source=StateSource.USAGE_FILE, why="", reason=WaitingReason.USAGE_LIMIT, since=3.0, until=9e9
    )
    limit = says(AgentState.WAITING, source=TEXT, reason=WaitingReason.USAGE_LIMIT)
    best, passed = decide_state([says(AgentState.IDLE), used_up])
    assert (best.state, best.reason, best.until, best.since) == (
        AgentState.WAITING, WaitingReason.USAGE_LIMIT, 9e9, 3.0,
    )  # fmt: skip
    assert passed == (says(AgentState.IDLE),)
    assert decide_state([says(AgentState.WORKING), used_up])[0].state is AgentState.WORKING
    retries, _ = decide_state([says(AgentState.WORKING), used_up, limit])
    assert (retries.source, retries.until) == (TEXT, 9e9)
    asks = says(AgentState.WAITING, reason=WaitingReason.PERMISSION)
    assert decide_state([asks, used_up])[0] is asks
    assert decide_state([says(AgentState.WORKING, source=ACTIVITY), used_up])[0].state is AgentState.WORKING
