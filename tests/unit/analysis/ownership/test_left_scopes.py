"""Whether the scope of a pane that no sample has seen was left behind."""

from dataclasses import replace

import pytest

from tests.support.literals.facts import answering, pane, process, table, tmux_server, tmux_view
from tmux_exporter.analysis.ownership.ledgers import left_by
from tmux_exporter.facts.ledgers import PaneScope
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.tmux import TmuxView

SERVER = tmux_server(100)
TABLE = table(SERVER)
STARTED = TABLE.start_time(SERVER.id)
SCOPE = PaneScope(folder="/cg/tmux-spawn-1.scope", pane_pid=77, server_pid=100, made_at=STARTED + 60)
VIEW = tmux_view(answering(SERVER, pane("%1", 250)))
(ANSWER,) = VIEW.servers
assert ANSWER.listing is not None
OLDER = replace(ANSWER, listing=replace(ANSWER.listing, taken_at=TABLE.taken_at - 1))


def test_a_server_that_has_no_such_pane_has_left_it() -> None:
    owner = left_by(SCOPE, TABLE, VIEW)
    assert owner is not None and owner.server == SERVER.id and owner.pane is None


@pytest.mark.parametrize("made_at", [STARTED + 60, STARTED - 60], ids=["ended", "another has its pid"])
def test_a_server_that_has_ended_has_left_it(made_at: float) -> None:
    found = table() if made_at > STARTED else TABLE
    owner = left_by(SCOPE._replace(made_at=made_at), found, VIEW)
    assert owner is not None and owner.server != SERVER.id
    assert "which has ended" in owner.reason


@pytest.mark.parametrize(
    ("found", "view"),
    [
        (TABLE, tmux_view(answering(SERVER, pane("%0", 77)))),
        (TABLE, tmux_view(answering(SERVER, pane("%1", 250), pane("%2", None, dead=True)))),
        (TABLE, tmux_view()),
        (TABLE, replace(VIEW, servers=(replace(ANSWER, up=False),))),
        (TABLE, replace(VIEW, servers=(replace(ANSWER, listing=None),))),
        (TABLE, replace(VIEW, servers=(OLDER,))),
        (replace(table(process(1)), complete=False), VIEW),
    ],
    ids=["it is there", "a dead pane", "unknown server", "no answer", "no listing", "old listing", "half"],
)
def test_what_is_not_known_leaves_nothing(found: ProcessTable, view: TmuxView) -> None:
    assert left_by(SCOPE, found, view) is None
