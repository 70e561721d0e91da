"""What samples prove of a leaked process: its pane, who is connected to it, since when nobody is."""

from dataclasses import replace

import pytest

from tests.support.literals.facts import pane_key, process, tmux_server
from tmux_exporter.analysis.leaks.proof import LeakProof, is_connected
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Connection, LeakDetails
from tmux_exporter.facts.report import Remembered

SERVER = tmux_server(100)
PANE, OTHER = pane_key(SERVER, "%1"), pane_key(SERVER, "%2")
LEFT, BELOW = process(500, 1), process(501, 500)
OPEN: Connection = ("0100007F:1F90", "0100007F:C350")
BACK: Connection = (OPEN[1], OPEN[0])
QUIET = LeakDetails(listens=False, connections=frozenset())


def owner(evidence: Evidence, kind: OwnerKind = OwnerKind.PANE) -> Owner:
    return Owner(kind=kind, evidence=evidence, reason="", server=SERVER.id, pane=PANE)


@pytest.mark.parametrize(
    ("evidence", "proven"),
    [
        (Evidence.TREE, True), (Evidence.KERNEL_SESSION, True), (Evidence.TTY, True),
        (Evidence.ENVIRONMENT, False), (Evidence.MEMORY, False), (Evidence.AGENT_MARKER, False),
    ],
)  # fmt: skip
def test_a_pane_is_proven_by_what_the_kernel_shows_and_stays_so(evidence: Evidence, proven: bool) -> None:
    proof = LeakProof()
    proof.observe([LEFT.id], {LEFT.id: owner(evidence)})
    assert proof.is_proven(LEFT.id, PANE) is proven
    proof.observe([LEFT.id], {LEFT.id: owner(Evidence.ENVIRONMENT, OwnerKind.LEAKED)})
    assert proof.is_proven(LEFT.id, PANE) is proven
    assert not proof.is_proven(LEFT.id, OTHER) and not proof.is_proven(LEFT.id, None)
    proof.observe([LEFT.id], {})
    assert not proof.is_proven(LEFT.id, PANE)


def test_what_an_earlier_run_has_proven_is_proven() -> None:
    known = Remembered(
        process=LEFT.id, origin=SERVER.id, pane="%1", server="", session="", leaked=True, by_folder=False
    )
    assert not LeakProof([known]).is_proven(LEFT.id, PANE)
    assert LeakProof([replace(known, proven=True)]).is_proven(LEFT.id, PANE)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ([frozenset({OPEN})], True), ([frozenset({OPEN}), frozenset({BACK})], False),
        ([frozenset({OPEN, BACK})], False), ([frozenset(), None], None), ([frozenset({OPEN}), None], True),
        ([frozenset()], False), ([], False), ([None], None),
    ],
)  # fmt: skip
def test_only_what_leads_out_of_a_tree_connects_it(
    tree: list[frozenset[Connection] | None], expected: bool | None
) -> None:
    assert is_connected(tree) is expected


def test_it_is_quiet_since_the_last_connection_of_it_or_of_anything_below_it() -> None:
    proof = LeakProof()
    left = {500: LEFT, 501: BELOW}
    used = {LEFT.id: QUIET, BELOW.id: LeakDetails(listens=True, connections=frozenset({OPEN}))}
    first = proof.uses(left, used, 10.0)
    assert (first[LEFT.id].listens, first[LEFT.id].quiet_since) == (True, None)
    calm = dict.fromkeys((LEFT.id, BELOW.id), QUIET)
    for now in (20.0, 30.0):
        assert proof.uses(left, calm, now)[LEFT.id] == (False, 20.0)
    unread = {LEFT.id: QUIET}
    assert proof.uses(left, unread, 40.0)[LEFT.id] == (None, None)
    assert proof.uses(left, calm, 50.0)[LEFT.id].quiet_since == 50.0
