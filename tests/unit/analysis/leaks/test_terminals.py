"""Who sits at a terminal whose master is held by processes left behind: nobody, unless something says so."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.facts import UID, pane_key, process, table, tmux_server
from tmux_exporter.analysis.leaks.terminals import Terminals, pts_number
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Descriptors, LeakDetails, Namespaces, Process, ProcessTable

HOME = Namespaces("pid:[1]", "mnt:[1]")
PTS_7 = 136 << 8 | 7
PTS_8 = 136 << 8 | 8
PTS_300 = 136 << 8 | 44 | 1 << 20
NOTHING = Descriptors(masters=frozenset(), terminals=frozenset(), sockets=False)
MASTER = Descriptors(masters=frozenset({7}), terminals=frozenset({"/dev/pts/3 (deleted)"}), sockets=False)
ON_IT = Descriptors(masters=frozenset(), terminals=frozenset({"/dev/pts/7"}), sockets=False)
PANE = pane_key(tmux_server(100), "%1")
SCRIPT = process(300, 1, namespaces=HOME)
CLAUDE = process(301, 300, tty=PTS_7, namespaces=HOME)
XTERM = process(400, 1)
SSHD = process(401, 1, uid=0)
LEAKED = Owner(kind=OwnerKind.LEAKED, evidence=Evidence.MEMORY, reason="", server=PANE.server, pane=PANE)


def reading(*others: Process, orphans: tuple[Process, ...] = (SCRIPT, CLAUDE)) -> ProcessTable:
    return replace(table(process(1, 0, uid=0), *orphans, *others), namespaces=HOME, uid=UID)


def terminals(
    held: dict[int, Descriptors | None], *others: Process, orphans: tuple[Process, ...] = (SCRIPT, CLAUDE)
) -> Terminals:
    return Terminals(
        {each.id.pid: each for each in orphans},
        {each.id: LeakDetails(descriptors=held[each.id.pid]) for each in orphans},
        reading(*others, orphans=orphans),
        dict.fromkeys((each.id for each in orphans), LEAKED),
    )


def left(
    held: dict[int, Descriptors | None], *others: Process, meant: Any = lambda _: False, **more: Any
) -> frozenset[int]:
    found = terminals(held, *others, **more)
    return found.unattended({each: held.get(each.pid) for each in found.possible_holders()}, meant)


LEFT: dict[int, Descriptors | None] = {300: MASTER, 301: ON_IT, 400: NOTHING}


def test_numbers_of_terminals() -> None:
    assert [pts_number(tty) for tty in (PTS_7, PTS_300, 4 << 8 | 1, 0)] == [7, 300, None, None]


def test_nobody_sits_at_a_terminal_whose_master_only_what_is_left_holds() -> None:
    assert left(LEFT, XTERM) == {PTS_7}
    # Of processes of other users that nothing ties to it nobody can say anything, and nobody needs to.
    assert terminals(LEFT, XTERM, SSHD).possible_holders() == (XTERM.id,)


def test_nobody_is_asked_where_no_orphan_holds_a_master() -> None:
    assert terminals({300: NOTHING, 301: ON_IT}, XTERM).possible_holders() == ()
    assert left({300: NOTHING, 301: ON_IT, 400: MASTER}, XTERM) == frozenset()


@pytest.mark.parametrize(
    "held",
    [
        LEFT | {400: MASTER},
        LEFT | {300: replace(MASTER, sockets=True)},
        LEFT | {300: replace(MASTER, terminals=frozenset({"/dev/pts/9"}))},
        LEFT | {300: replace(MASTER, terminals=frozenset({"/dev/tty1"}))},
        LEFT | {301: None},
    ],
    ids=["another holds it", "a display", "another terminal", "the console", "who may hold it is unreadable"],
)
def test_somebody_may_sit_at_it(held: dict[int, Descriptors | None]) -> None:
    assert left(held, XTERM) == frozenset()


@pytest.mark.parametrize(
    "related",
    [
        process(299, 1, uid=0),
        process(302, 301, uid=0),
        process(302, 301),
    ],
    ids=["above it", "another user's below it", "ours below it"],
)
def test_who_is_related_and_unreadable_may_hold_it(related: Process) -> None:
    script = replace(SCRIPT, ppid=299) if related.id.pid == 299 else SCRIPT
    assert left(LEFT, related, orphans=(script, CLAUDE)) == frozenset()
    assert left(LEFT | {related.id.pid: NOTHING}, related, orphans=(script, CLAUDE)) == {PTS_7}


def test_a_holder_that_is_meant_to_stay_keeps_it_for_somebody() -> None:
    assert left(LEFT, meant=lambda each: each is SCRIPT) == frozenset()


def test_in_another_mount_namespace_numbers_are_other_terminals() -> None:
    elsewhere = replace(SCRIPT, namespaces=Namespaces("pid:[1]", "mnt:[2]"))
    assert left(LEFT, orphans=(elsewhere, CLAUDE)) == frozenset()


def test_a_terminal_within_a_terminal_is_seen_where_the_outer_one_is() -> None:
    inner, agent = (
        process(302, 301, tty=PTS_7, namespaces=HOME),
        process(303, 302, tty=PTS_8, namespaces=HOME),
    )
    orphans = (SCRIPT, CLAUDE, inner, agent)
    held = LEFT | {302: replace(ON_IT, masters=frozenset({8})), 303: NOTHING}
    assert left(held, orphans=orphans) == {PTS_7, PTS_8}
    assert left(held | {300: replace(MASTER, sockets=True)}, orphans=orphans) == frozenset()
