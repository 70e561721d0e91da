"""Names of agents over several samples."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import listing, server_view, tmux_view
from tmux_exporter.analysis.agents.names import AgentNames, NameRequest, wanted_name
from tmux_exporter.config import NameConfig
from tmux_exporter.facts.process import Problem, ProcessId
from tmux_exporter.facts.tmux import Listing, PaneKey, TmuxView

FLEET = listing({"orc": ["main", "second"], "work": ["main"]})
VIEW = tmux_view(server_view(FLEET))


def _request(
    pane: str = "%0",
    wanted: str = "orc:0",
    *,
    pid: int = 10,
    program: str = "claude",
    session: str = "$0",
    declared: bool = False,
    server: ProcessId = FLEET.server,
) -> NameRequest:
    return NameRequest(
        pane=PaneKey(server, pane),
        session_id=session,
        program=program,
        process=ProcessId(pid, 1),
        wanted=wanted,
        declared=declared,
    )


def _without(listed: Listing, pane: str) -> Listing:
    return replace(listed, panes=tuple(each for each in listed.panes if each.id != pane))


@pytest.mark.parametrize(
    ("agent", "window", "automatic", "name"),
    [
        ("reviewer", "main", False, ("reviewer", True)),
        ("two\nlines", "main", False, ("two\\012lines", True)),
        ("  ", "main", False, ("main", False)),
        ("", "Claude-\x1b[31m", False, ("Claude-\\033[31m", False)),
        ("", "node", True, ("o\\011rc:0", False)),
        ("", "", False, ("o\\011rc:0", False)),
    ],
)
def test_the_option_names_an_agent_else_a_chosen_window_name_else_its_place(
    agent: str, window: str, automatic: bool, name: tuple[str, bool]
) -> None:
    pane = replace(FLEET.panes[0], agent_option=agent)
    named = replace(FLEET.windows[0], name=window, automatic_rename=automatic)
    session = replace(FLEET.sessions[0], name="o\trc")
    assert wanted_name(pane, named, session) == name
    if automatic:
        assert wanted_name(pane, None, session) == name


@pytest.mark.parametrize(
    ("agent", "window", "automatic", "session", "name"),
    [
        ("", "The Boss", False, "shop", ("lead", False)),
        ("", "the_boss", False, "Shop", ("lead", False)),
        ("", "the boss", False, "other", ("the boss", False)),
        ("", "the-boss", True, "shop", ("shop:0", False)),
        ("", "node", True, "night.ly", ("owl", False)),
        ("own", "the boss", False, "shop", ("own", True)),
    ],
)
def test_a_rule_names_an_agent_where_its_option_does_not(
    agent: str, window: str, automatic: bool, session: str, name: tuple[str, bool]
) -> None:
    rules = (
        NameConfig(name="lead", windows=("*boss",), sessions=("shop",)),
        NameConfig(name="owl", sessions=("night-ly", "nothing")),
    )
    pane = replace(FLEET.panes[0], agent_option=agent)
    named = replace(FLEET.windows[0], name=window, automatic_rename=automatic)
    assert wanted_name(pane, named, replace(FLEET.sessions[0], name=session), rules) == name


def test_a_name_that_was_given_outlives_the_rule_that_gave_it() -> None:
    agent_names = AgentNames()
    assert agent_names.assign(VIEW, [_request(wanted="lead"), _request("%1", "lead", pid=11)]) == (
        "lead",
        "lead#2",
    )
    assert agent_names.assign(VIEW, [_request(wanted="main"), _request("%1", "second", pid=11)]) == (
        "lead",
        "lead#2",
    )


def test_a_second_holder_gets_a_number_and_both_keep_their_names() -> None:
    agent_names = AgentNames()
    one, other = _request("%0", "main"), _request("%1", "main", pid=11)
    assert agent_names.assign(VIEW, [one, other]) == ("main", "main#2")
    assert agent_names.assign(VIEW, [other, one]) == ("main#2", "main")
    assert agent_names.assign(VIEW, [other]) == ("main#2",)
    # The first one's pane is still there: it comes back to its name, and nobody else can have it.
    third = _request("%1", "main", pid=12, program="codex")
    assert agent_names.assign(VIEW, [other, third]) == ("main#2", "main#3")
    assert agent_names.assign(VIEW, [other, third, replace(one, process=ProcessId(99, 5))]) == (
        "main#2",
        "main#3",
        "main",
    )


def test_a_newcomer_takes_no_name_whoever_is_older() -> None:
    agent_names = AgentNames()
    one, newcomer = _request("%0", "main"), _request("%1", "main", pid=5)
    assert agent_names.assign(VIEW, [one]) == ("main",)
    assert agent_names.assign(VIEW, [newcomer, one]) == ("main#2", "main")


def test_the_same_name_in_another_session_or_server_is_no_second_holder() -> None:
    requests = [
        _request("%0", "main"),
        _request("%2", "main", session="$1", pid=11),
        _request("%0", "main", server=ProcessId(7, 7)),
    ]
    assert AgentNames().assign(VIEW, requests) == ("main", "main", "main")


def test_a_handed_out_number_is_taken_too() -> None:
    requests = [_request("%0", "a"), _request("%1", "a", pid=11), _request("%2", "a#2", pid=12)]
    assert AgentNames().assign(VIEW, requests) == ("a", "a#2", "a#2#2")


def test_a_name_sticks_when_window_or_session_is_renamed_and_when_it_starts_again() -> None:
    agent_names = AgentNames()
    assert agent_names.assign(VIEW, [_request(wanted="old")]) == ("old",)
    assert agent_names.assign(VIEW, [_request(wanted="new")]) == ("old",)
    assert agent_names.assign(VIEW, []) == ()
    assert agent_names.assign(VIEW, [_request(wanted="newer", pid=20)]) == ("old",)


def test_the_option_renames_and_its_removal_does_not() -> None:
    agent_names = AgentNames()
    assert agent_names.assign(VIEW, [_request(wanted="old")]) == ("old",)
    assert agent_names.assign(VIEW, [_request(wanted="dev", declared=True)]) == ("dev",)
    assert agent_names.assign(VIEW, [_request(wanted="old")]) == ("dev",)
    # A name that somebody has is not taken from him.
    requests = [_request(wanted="qa", declared=True), _request("%1", "qa", pid=11, declared=True)]
    assert agent_names.assign(VIEW, requests[1:]) == ("qa",)
    assert agent_names.assign(VIEW, requests) == ("qa#2", "qa")
    assert agent_names.assign(VIEW, requests) == ("qa#2", "qa")


def test_two_of_one_program_in_one_pane_keep_their_names_by_their_processes() -> None:
    agent_names = AgentNames()
    one, other = _request(pid=10), _request(pid=11)
    assert agent_names.assign(VIEW, [one, other]) == ("orc:0", "orc:0#2")
    assert agent_names.assign(VIEW, [other]) == ("orc:0#2",)
    assert agent_names.assign(VIEW, [other, _request(pid=12)]) == ("orc:0#2", "orc:0")


def test_another_program_in_the_pane_may_use_the_name_meanwhile() -> None:
    agent_names = AgentNames()
    claude, codex = _request(pid=10), _request(pid=11, program="codex")
    assert agent_names.assign(VIEW, [claude]) == ("orc:0",)
    assert agent_names.assign(VIEW, [codex]) == ("orc:0",)
    assert agent_names.assign(VIEW, [claude, codex]) == ("orc:0#2", "orc:0")


def test_a_pane_that_moves_gives_way_in_its_new_session() -> None:
    agent_names = AgentNames()
    resident, mover = _request("%2", "main", session="$1"), _request("%0", "main", pid=11)
    assert agent_names.assign(VIEW, [mover, resident]) == ("main", "main")
    moved = replace(mover, session_id="$1")
    assert agent_names.assign(VIEW, [moved, resident]) == ("main#2", "main")
    assert agent_names.assign(VIEW, [moved, resident]) == ("main#2", "main")


@pytest.mark.parametrize(
    ("view", "forgotten"),
    [
        (tmux_view(server_view(_without(FLEET, "%0"))), True),
        (tmux_view(server_view(FLEET, up=False, ended=True)), True),
        (tmux_view(), True),
        (tmux_view(server_view(listing({"orc": ["x"]}, server=ProcessId(7, 7)))), True),
        (tmux_view(server_view(_without(FLEET, "%0"), up=False)), False),
        (tmux_view(replace(server_view(FLEET, up=False), listing=None)), False),
        (tmux_view(replace(server_view(FLEET, up=False), listing=None, process=None)), False),
        (TmuxView(servers=(), problems=(Problem(source="tmux", reason="denied"),)), False),
    ],
)
def test_a_name_is_forgotten_when_the_end_of_its_pane_is_proven(view: TmuxView, forgotten: bool) -> None:
    agent_names = AgentNames()
    assert agent_names.assign(VIEW, [_request(wanted="old")]) == ("old",)
    agent_names.assign(view, [])
    assert agent_names.assign(VIEW, [_request(wanted="new")]) == ("new" if forgotten else "old",)


def test_what_is_remembered_of_the_absent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmux_exporter.analysis.agents.names._MOST_ABSENT", 2)
    agent_names = AgentNames()
    requests = [_request(program=f"p{number}", wanted=f"n{number}", pid=number) for number in range(4)]
    assert agent_names.assign(VIEW, requests) == ("n0", "n1", "n2", "n3")
    assert agent_names.assign(VIEW, []) == ()
    assert agent_names.assign(VIEW, []) == ()
    renamed = [replace(request, wanted="x" + request.wanted) for request in requests]
    assert agent_names.assign(VIEW, renamed) == ("xn0", "xn1", "n2", "n3")
