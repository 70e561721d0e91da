"""Counter keys: which groups get the usage of a process, and usage that init or a tmux server reaps."""

from dataclasses import replace

import pytest

from tests.support.literals.facts import answering, pane, pane_key, process, table, tmux_server, tmux_view
from tmux_exporter.analysis.report.counter_keys import (
    UNATTRIBUTED,
    catch_all_keys,
    process_keys,
    server_key,
    session_key,
    socket_label,
)
from tmux_exporter.analysis.report.counter_keys import pane_key as account_of_pane
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import ServerView

SERVER = tmux_server(100)
SHELL = process(200, 100)
INIT = process(1, 0, start=0)


def owned(kind: OwnerKind) -> Owner:
    """An owner of this kind: the server and, but for a server's, pane %0 of it."""
    pane_of = None if kind in (OwnerKind.SERVER, OwnerKind.OTHER) else pane_key(SERVER, "%0")
    return Owner(kind=kind, evidence=Evidence.TREE, reason="", server=SERVER.id, pane=pane_of)


def snapshot(*processes: tuple[Process, OwnerKind | None], views: tuple[ServerView, ...]) -> Snapshot:
    """These processes with the kind of their owner, None for strangers."""
    return Snapshot(
        table=table(*(each for each, _ in processes)),
        view=tmux_view(*views),
        owners={each.id: owned(kind) for each, kind in processes if kind is not None},
        agents=(),
        schedulers=(),
        session_labels={(SERVER.id, "$0"): "main"},
    )


def accounts_of_sinks(*processes: tuple[Process, OwnerKind | None]) -> set[int]:
    found = catch_all_keys(snapshot(*processes, views=(answering(SERVER, pane("%0", 200)),)))
    assert all(keys == {UNATTRIBUTED} for keys in found.values())
    return {process_id.pid for process_id in found}


def test_a_server_pays_for_itself_and_a_member_for_pane_and_session() -> None:
    job = process(201, 100)
    seen = snapshot(
        (INIT, None),
        (SERVER, OwnerKind.SERVER),
        (SHELL, OwnerKind.PANE),
        (job, OwnerKind.SERVER),
        (process(300, 1), OwnerKind.LEAKED),
        views=(answering(SERVER, pane("%0", 200)),),
    )
    assert process_keys(seen) == {
        SHELL.id: {account_of_pane("default", "main", pane("%0", 200)), session_key("default", "main")},
        SERVER.id: {server_key("default")},
        job.id: {UNATTRIBUTED},
    }


def test_what_servers_and_init_get_of_ended_children_is_unattributed() -> None:
    assert accounts_of_sinks(
        (INIT, None), (SERVER, OwnerKind.SERVER), (SHELL, OwnerKind.PANE), (process(300, 1), None)
    ) == {1, 100}


def test_so_is_what_another_adopter_of_orphans_gets_who_is_not_of_tmux() -> None:
    manager, supervisor, stranger = process(50, 1), process(51, 1), process(52, 1)
    server = replace(SERVER, ppid=51)
    orphan = process(210, 50)
    assert accounts_of_sinks(
        (INIT, None), (manager, None), (supervisor, OwnerKind.LEAKED), (stranger, None),
        (server, OwnerKind.SERVER), (SHELL, OwnerKind.PANE), (orphan, OwnerKind.PANE),
        (process(211, 52), OwnerKind.OTHER),
    ) == {1, 50, 51, 100}  # fmt: skip


def test_a_member_that_adopts_orphans_is_no_sink() -> None:
    assert accounts_of_sinks(
        (SERVER, OwnerKind.SERVER), (SHELL, OwnerKind.PANE), (process(210, 200), OwnerKind.PANE)
    ) == {100}


def test_without_a_server_nothing_is_unattributed() -> None:
    assert catch_all_keys(snapshot((INIT, None), (process(300, 1), OwnerKind.LEAKED), views=())) == {}


def test_a_server_whose_process_is_gone_has_its_account_still() -> None:
    view = answering(SERVER, pane("%0", None))
    assert catch_all_keys(snapshot((INIT, None), views=(view,))) == {
        SERVER.id: {UNATTRIBUTED},
        INIT.id: {UNATTRIBUTED},
    }
    assert process_keys(snapshot((INIT, None), views=(view,))) == {
        ProcessId(100, 100): {server_key("default")}
    }


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/tmp/tmux-1000/work", "work"),
        ("/srv/work", "/srv/work"),
        # The name of the server that is at that very path, ended or not.
        ("/tmp/tmux-1000/default", "default"),
        # Another server has that name already.
        ("/run/tmux-1000/default", "/run/tmux-1000/default"),
        ("/tmp/tmux-1000/a\tb", "a\\011b"),
    ],
)
def test_a_socket_without_a_server_has_the_label_that_one_would_have(path: str, label: str) -> None:
    view = replace(tmux_view(answering(SERVER)), folders=("/tmp/tmux-1000", "/run/tmux-1000"))
    assert socket_label(path, view) == label
