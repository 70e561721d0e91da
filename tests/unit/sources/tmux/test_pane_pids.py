from dataclasses import replace

import pytest

from tests.support.literals.facts import listing, pane, process, table, tmux_server
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import Query, QueryFailure
from tmux_exporter.sources.tmux.pane_pids import PaneChecks, believe, check_panes
from tmux_exporter.sources.tmux.server import Server

TMUX = tmux_server(10)
NOBODY: frozenset[ProcessId] = frozenset()


def with_server(*processes: Process) -> tuple[Process, ...]:
    return (TMUX, *processes)


def test_a_child_of_the_server_is_believed_and_remembered() -> None:
    seen = table(*with_server(process(11, ppid=10)))
    asked = listing(TMUX, pane("%0", 11))
    checked = check_panes(asked, seen, NOBODY)
    assert checked.listing is asked
    assert checked.proven == {ProcessId(11, 11)}
    assert checked.lies == ""


@pytest.mark.parametrize("stranger", [process(11, ppid=1), process(11, ppid=1, uid=0), process(11, ppid=12)])
def test_a_stranger_is_not_believed_and_the_lie_is_told(stranger: Process) -> None:
    checked = check_panes(listing(TMUX, pane("%0", 11)), table(*with_server(stranger)), NOBODY)
    assert [p.pid for p in checked.listing.panes] == [None]
    assert checked.proven == NOBODY
    assert checked.lies == "pane %0 claims process 11, which is not its own"


def test_the_server_itself_is_no_pane_of_its_own() -> None:
    checked = check_panes(listing(TMUX, pane("%0", 10)), table(*with_server()), NOBODY)
    assert [p.pid for p in checked.listing.panes] == [None]
    assert checked.lies


def test_a_child_of_whoever_has_the_servers_pid_now_is_not_believed() -> None:
    seen = table(process(10, start=2), process(11, ppid=10))
    checked = check_panes(listing(TMUX, pane("%0", 11)), seen, NOBODY)
    assert [p.pid for p in checked.listing.panes] == [None]


def test_a_former_child_is_believed_once_its_parent_is_gone() -> None:
    asked = listing(TMUX, pane("%0", 11))
    checked = check_panes(asked, table(process(11, ppid=1)), frozenset({ProcessId(11, 11)}))
    assert [p.pid for p in checked.listing.panes] == [11]
    assert checked.lies == ""


def test_a_pid_given_to_a_stranger_since_is_not_believed() -> None:
    asked = listing(TMUX, pane("%0", 11))
    seen = table(*with_server(process(11, start=2, ppid=1)))
    checked = check_panes(asked, seen, frozenset({ProcessId(11, 11)}))
    assert [p.pid for p in checked.listing.panes] == [None]
    assert checked.proven == NOBODY


def test_a_pid_that_is_not_in_the_table_is_unknown_and_no_lie() -> None:
    checked = check_panes(listing(TMUX, pane("%0", 11)), table(*with_server()), NOBODY)
    assert [p.pid for p in checked.listing.panes] == [None]
    assert checked.lies == ""


def test_a_child_that_became_another_user_is_its_panes_process() -> None:
    seen = table(*with_server(process(11, ppid=10, uid=0)))
    checked = check_panes(listing(TMUX, pane("%0", 11)), seen, NOBODY)
    assert [p.pid for p in checked.listing.panes] == [11]
    assert checked.lies == ""


def test_two_panes_cannot_have_one_process() -> None:
    seen = table(*with_server(process(11, ppid=10)))
    checked = check_panes(listing(TMUX, pane("%0", 11), pane("%1", 11)), seen, NOBODY)
    assert [p.pid for p in checked.listing.panes] == [11, None]
    assert checked.lies == "pane %1 claims process 11, which is not its own"


def test_many_lies_are_one_line() -> None:
    claims = [pane(f"%{number}", 11) for number in range(1000)]
    checked = check_panes(listing(TMUX, *claims), table(*with_server(process(11))), NOBODY)
    assert checked.lies == "pane %0 claims process 11, which is not its own, and 999 more"


def test_proof_outlives_a_table_that_failed_but_not_the_pane() -> None:
    proven = frozenset({ProcessId(11, 11), ProcessId(12, 12)})
    asked = listing(TMUX, pane("%0", 11))
    assert check_panes(asked, table(complete=False), proven).proven == {ProcessId(11, 11)}
    assert check_panes(asked, table(), proven).proven == NOBODY


def test_a_pane_without_a_pid_stays_without() -> None:
    asked = listing(TMUX, pane("%0", None))
    assert check_panes(asked, table(*with_server()), NOBODY).listing is asked


FRESH = Server(
    path="/s", process=TMUX.id, up=True, listing=listing(TMUX, pane("%0", 11)), queries=(Query(seconds=0.1),)
)


def test_a_lie_in_a_fresh_listing_is_the_servers_problem_and_counted() -> None:
    server, believed = believe(FRESH, table(*with_server(process(11))))
    assert server.up
    assert server.problem and server.problem.reason == "untrusted"
    assert server.queries == (Query(seconds=0.1, failure=QueryFailure.UNTRUSTED),)
    assert believed and [p.pid for p in believed.panes] == [None]
    assert server.listing is FRESH.listing


@pytest.mark.parametrize("older", [replace(FRESH, queries=()), replace(FRESH, up=False)])
def test_a_pid_reused_since_an_older_listing_is_no_lie(older: Server) -> None:
    server, believed = believe(older, table(*with_server(process(11))))
    assert (server.problem, server.queries) == (None, older.queries)
    assert believed and [p.pid for p in believed.panes] == [None]


def test_a_pane_process_once_proven_is_remembered_with_the_server() -> None:
    server, _ = believe(FRESH, table(*with_server(process(11, ppid=10))))
    _, believed = believe(server, table(process(11, ppid=1)))
    assert believed and [p.pid for p in believed.panes] == [11]


def test_no_listing_nothing_to_believe() -> None:
    server = replace(FRESH, listing=None)
    assert believe(server, table()) == (server, None)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param((TMUX, process(11, ppid=1, uid=0)), id="the process of the pane is no child any more"),
        pytest.param((TMUX, process(11, start=5, ppid=1)), id="its pid is another process's"),
        pytest.param((process(10, start=2), process(11, ppid=10)), id="so is the server's"),
        pytest.param((TMUX,), id="it ended"),
        pytest.param((TMUX, process(11, ppid=10, cpu_ticks=7)), id="it only ran"),
    ],
)
def test_a_listing_is_checked_again_where_one_of_its_processes_has_changed(
    later: tuple[Process, ...],
) -> None:
    checks = PaneChecks()
    server = Server(path="/s", process=TMUX.id, up=True, listing=listing(TMUX, pane("%0", 11)))
    tables = [table(*with_server(process(11, ppid=10))), table(*later)]
    found = server
    for seen in tables:
        expected = believe(found, seen)
        ((found, shown),) = checks.believe_all([found], seen)
        assert (found, shown) == expected
