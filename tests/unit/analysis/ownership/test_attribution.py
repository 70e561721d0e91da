"""Attribution: each kind of evidence alone, then which wins when they disagree."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.facts import (
    UID,
    answering,
    listing,
    pane,
    pane_key,
    process,
    silent,
    table,
    tmux_environ,
    tmux_server,
    tmux_view,
)
from tmux_exporter.analysis.ownership.attribution import attribute, is_unattributed
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView

SERVER = tmux_server(100)
SHELL = process(110, 100, environ=tmux_environ(100, "%1"))
OTHER_SHELL = process(120, 100, environ=tmux_environ(100, "%2"))
PANE_1 = pane_key(SERVER, "%1")
PANE_2 = pane_key(SERVER, "%2")
VIEW = tmux_view(answering(SERVER, pane("%1", 110), pane("%2", 120)))
ONLY_2 = tmux_view(answering(SERVER, pane("%2", 120)))
"""The server answered, and %1 is gone."""


def owners(
    *processes: Process,
    view: TmuxView = VIEW,
    memory: Mapping[ProcessId, Owner] | None = None,
    complete: bool = True,
) -> dict[int, Owner]:
    """Owners by pid, of these and of the server with its two shells."""
    everybody = (SERVER, SHELL, OTHER_SHELL, *processes)
    found = attribute(table(*everybody, complete=complete), view, memory or {})
    return {process.pid: owner for process, owner in found.items()}


def seen(owner: Owner | None) -> tuple[OwnerKind, Evidence, PaneKey | None] | None:
    return (owner.kind, owner.evidence, owner.pane) if owner else None


def in_pane(evidence: Evidence, key: PaneKey = PANE_1) -> tuple[OwnerKind, Evidence, PaneKey | None]:
    return (OwnerKind.PANE, evidence, key)


def leaked(evidence: Evidence, key: PaneKey = PANE_1) -> tuple[OwnerKind, Evidence, PaneKey | None]:
    return (OwnerKind.LEAKED, evidence, key)


def of_server(evidence: Evidence) -> tuple[OwnerKind, Evidence, PaneKey | None]:
    return (OwnerKind.SERVER, evidence, None)


NOBODY = (OwnerKind.OTHER, Evidence.NONE, None)
UNDECIDED = (OwnerKind.OTHER, Evidence.ENVIRONMENT, None)


def remembered(process: Process, kind: OwnerKind, key: PaneKey | None = PANE_1) -> dict[ProcessId, Owner]:
    return {
        process.id: Owner(
            kind=kind, evidence=Evidence.TREE, reason="descends from pid 110", server=SERVER.id, pane=key
        )
    }


# --- tree


def test_a_pane_owns_its_process_and_everything_below_it() -> None:
    found = owners(process(130, 110), process(140, 130), process(150, 120))
    assert seen(found[110]) == seen(found[130]) == seen(found[140]) == in_pane(Evidence.TREE)
    assert seen(found[150]) == in_pane(Evidence.TREE, PANE_2)
    assert found[110].reason == "is the process of pane %1 of tmux server 100 and a child of that server"
    assert found[140].reason == "descends from pid 110, the process of pane %1 of tmux server 100"


def test_a_server_and_what_it_runs_beside_its_panes_are_its_own() -> None:
    job = process(130, 100, session=100, environ=tmux_environ(100))
    pipe = process(131, 100, session=100)
    popup = process(132, 100, environ=tmux_environ(100))
    found = owners(job, pipe, popup, process(140, 130, session=100, environ=tmux_environ(100)))
    assert [seen(found[pid]) for pid in (100, 130, 131, 132, 140)] == [of_server(Evidence.TREE)] * 5
    assert found[140].reason == "descends from pid 130, a job of tmux server 100"


def test_a_server_started_inside_a_pane_ends_the_walk() -> None:
    inner = tmux_server(200, ppid=110, environ=tmux_environ(100, "%1"))
    inner_shell = process(210, 200, environ=tmux_environ(200, "%1", socket="/tmp/tmux-1000/inner"))
    view = tmux_view(
        answering(SERVER, pane("%1", 110), pane("%2", 120)),
        answering(inner, pane("%1", 210), socket="/tmp/tmux-1000/inner"),
    )
    found = owners(inner, inner_shell, process(220, 210), view=view)
    assert (found[200].kind, found[200].server) == (OwnerKind.SERVER, inner.id)
    assert seen(found[210]) == seen(found[220]) == in_pane(Evidence.TREE, pane_key(inner, "%1"))


def test_a_server_that_nobody_asked_yet_ends_the_walk_too() -> None:
    found = owners(tmux_server(200, ppid=110), process(210, 200))
    assert (found[200].kind, found[200].server) == (OwnerKind.SERVER, ProcessId(200, 200))
    assert (found[210].kind, found[210].server) == (OwnerKind.SERVER, ProcessId(200, 200))


def test_a_server_of_another_user_owns_nothing_of_ours() -> None:
    found = owners(
        tmux_server(200, uid=1, environ=None),
        process(210, 200, uid=1, environ=None),
        process(220, 210, uid=1, environ=None),
    )
    assert not {200, 210, 220} & found.keys()


def test_a_pane_owns_what_runs_as_another_user_below_it() -> None:
    assert seen(owners(process(130, 110, uid=0, environ=None))[130]) == in_pane(Evidence.TREE)


def test_a_pid_that_is_no_child_of_the_server_is_no_pane_process() -> None:
    stranger = process(130, 1)
    view = tmux_view(answering(SERVER, pane("%1", 110), pane("%7", 130)))
    assert owners(stranger, process(140, 130), view=view).keys() == {100, 110, 120}


def test_the_old_pid_of_a_dead_pane_is_not_trusted() -> None:
    view = tmux_view(answering(SERVER, pane("%1", 110, dead=True), pane("%2", 120)))
    assert seen(owners(view=view)[110]) == in_pane(Evidence.ENVIRONMENT)


def test_a_pid_reused_since_a_held_listing_is_no_process_of_the_old_pane() -> None:
    # %1 ran 110 when the server last answered; meanwhile 110 is the process of a pane %9 that nobody listed.
    reused = process(110, 100, start=500, environ=tmux_environ(100, "%9"))
    view = tmux_view(silent(SERVER, pane("%1", 110)))
    assert seen(attribute(table(SERVER, reused), view, {})[reused.id]) == UNDECIDED


def test_circles_and_missing_parents_end() -> None:
    found = owners(
        process(130, 131, start=130, session=131),
        process(131, 130, start=130, session=130),
        process(132, 132),
        process(133, 999, session=998),
        process(134, 130, environ=tmux_environ(100, "%1")),
    )
    assert found.keys() == {100, 110, 120, 134}


def test_a_parent_younger_than_its_child_is_not_its_parent() -> None:
    assert 130 not in owners(process(130, 140, start=130), process(140, 110, start=140))


def test_a_chain_of_any_length_is_walked() -> None:
    chain = [process(pid, pid - 1 if pid > 1000 else 110) for pid in range(1000, 21_000)]
    assert seen(owners(*chain)[20_999]) == in_pane(Evidence.TREE)


# --- kernel session and tty


def test_an_orphan_in_the_kernel_session_of_a_pane_belongs_to_it() -> None:
    found = owners(process(130, 1, session=110))
    assert seen(found[130]) == in_pane(Evidence.KERNEL_SESSION)
    assert found[130].reason == (
        "is in the kernel session of pid 110, the process of pane %1 of tmux server 100"
    )


def test_an_orphan_in_the_session_of_a_member_belongs_to_the_members_pane() -> None:
    leader = process(130, 110)
    assert seen(owners(leader, process(140, 1, session=130))[140]) == in_pane(Evidence.KERNEL_SESSION)


def test_a_zombie_that_its_server_has_not_reaped_owns_nothing_of_its_session() -> None:
    """The process of a pane that is gone may stay a zombie for long; what it left is judged by itself."""
    zombie = process(130, 100, session=130, state="Z", environ=None)
    left = process(131, 1, session=130, environ=tmux_environ(100, "%1"))
    found = owners(zombie, left, view=ONLY_2)
    assert seen(found[131]) == leaked(Evidence.ENVIRONMENT)


def test_an_orphaned_job_in_the_session_of_the_server_is_the_servers() -> None:
    orphan = process(130, 1, session=100, environ=tmux_environ(100, "%1"))
    assert seen(owners(orphan)[130]) == of_server(Evidence.KERNEL_SESSION)


def test_below_an_orphan_all_inherit_even_in_sessions_of_their_own() -> None:
    found = owners(process(130, 1, session=110), process(140, 130), process(150, 140))
    assert seen(found[140]) == seen(found[150]) == in_pane(Evidence.KERNEL_SESSION)
    assert found[140].reason == found[150].reason
    assert found[150].reason == (
        "descends from pid 130, which belongs to pane %1 of tmux server 100 (evidence: kernel_session)"
    )


def test_a_leader_younger_than_the_process_is_not_its_leader() -> None:
    assert 130 not in owners(process(130, 1, session=140), process(140, 110))


def test_init_passes_nothing_on_to_the_orphans_it_adopted() -> None:
    assert 130 not in owners(process(1, 0, start=0, environ=tmux_environ(100, "%1")), process(130, 1))


def test_a_server_that_is_init_owns_its_jobs_but_not_the_orphans_of_its_panes() -> None:
    server = tmux_server(1, ppid=0)
    shell = process(110, 1)
    view = tmux_view(answering(server, pane("%1", 110)))
    found = attribute(
        table(server, shell, process(130, 1, session=110), process(131, 1, session=1)), view, {}
    )
    assert seen(found[ProcessId(130, 130)]) == in_pane(Evidence.KERNEL_SESSION, pane_key(server, "%1"))
    assert seen(found[ProcessId(131, 131)]) == of_server(Evidence.TREE)


TTY: dict[str, Any] = {"tty": 34816, "foreground_pgid": 110}
ON_TTY = process(110, 100, **TTY)


@pytest.mark.parametrize(
    ("odd", "owned"),
    [
        ({}, True),
        ({"foreground_pgid": 7}, False),  # the same number in another container: another terminal
        ({"uid": 0}, False),
        ({"start": 109}, False),  # older than the pane: the terminal was somebody else's then
        ({"tty": 34817}, False),
    ],
)
def test_a_process_on_the_terminal_of_a_pane_belongs_to_it(odd: dict[str, Any], owned: bool) -> None:
    orphan = process(130, 1, session=0, **(TTY | odd))
    found = attribute(table(SERVER, ON_TTY, orphan), tmux_view(answering(SERVER, pane("%1", 110))), {})
    assert seen(found.get(orphan.id)) == (in_pane(Evidence.TTY) if owned else None)


def test_of_two_panes_on_one_terminal_the_younger_has_it() -> None:
    younger = process(120, 100, tty=34816, foreground_pgid=110)
    orphan = process(130, 1, session=0, **TTY)
    for panes in ((pane("%1", 110), pane("%2", 120)), (pane("%2", 120), pane("%1", 110))):
        found = attribute(table(SERVER, ON_TTY, younger, orphan), tmux_view(answering(SERVER, *panes)), {})
        assert seen(found[orphan.id]) == in_pane(Evidence.TTY, PANE_2)


def test_no_terminal_is_no_terminal_in_common() -> None:
    assert 130 not in owners(process(130, 1))


# --- environment


def test_the_environment_ties_a_process_to_a_pane_that_is_there() -> None:
    found = owners(process(130, 1, environ=tmux_environ(100, "%2")))
    assert seen(found[130]) == in_pane(Evidence.ENVIRONMENT, PANE_2)
    assert found[130].reason == "TMUX and TMUX_PANE name pane %2 of tmux server 100"


def test_a_process_of_a_pane_that_is_gone_is_leaked() -> None:
    survivor = process(110, 100, environ=tmux_environ(100, "%1"))
    orphan = process(130, 1, session=109, environ=tmux_environ(100, "%1"))
    found = attribute(table(SERVER, survivor, OTHER_SHELL, orphan, process(140, 110)), ONLY_2, {})
    assert seen(found[survivor.id]) == seen(found[orphan.id]) == leaked(Evidence.ENVIRONMENT)
    assert seen(found[ProcessId(140, 140)]) == leaked(Evidence.ENVIRONMENT)
    assert found[orphan.id].server == SERVER.id


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        (tmux_environ(999, "%1"), "no living tmux server"),
        (tmux_environ(120, "%1"), "no living tmux server"),
        (tmux_environ(100, "%1", socket="/tmp/tmux-1000/other"), "another socket"),
        (tmux_environ(100, "%1\n%2"), "no pane id"),
        (tmux_environ(100, "1"), "no pane id"),
        ({"TMUX": "/tmp/tmux-1000/default", "TMUX_PANE": "%1"}, "no TMUX"),
        ({"TMUX": "", "TMUX_PANE": "%1"}, "no TMUX"),
        ({"TMUX_PANE": "%1"}, "no TMUX"),
    ],
)
def test_an_environment_that_proves_nothing_ties_to_nobody(variables: dict[str, str], why: str) -> None:
    found = owners(process(130, 1, environ=variables))
    assert seen(found[130]) == NOBODY
    assert why in found[130].reason
    assert found[130].server is None


def test_a_process_older_than_the_server_it_names_is_of_an_earlier_server() -> None:
    assert seen(owners(process(130, 1, start=99, environ=tmux_environ(100, "%1")))[130]) == NOBODY


def test_a_socket_is_known_by_its_last_part_and_may_hold_commas() -> None:
    for socket in ("default", "../tmux-1000/default", "/tmp,1,2/tmux-1000/default"):
        found = owners(process(130, 1, environ=tmux_environ(100, "%1", socket=socket)))
        assert seen(found[130]) == in_pane(Evidence.ENVIRONMENT)


def test_a_job_that_left_the_servers_session_is_known_by_its_missing_pane() -> None:
    assert seen(owners(process(130, 1, environ=tmux_environ(100)))[130]) == of_server(Evidence.ENVIRONMENT)


def test_the_pane_in_which_a_server_was_started_proves_nothing_of_its_jobs() -> None:
    inner = tmux_server(200, environ=tmux_environ(100, "%7"))
    popup = process(210, 200, environ=tmux_environ(200, "%7", socket="/s/inner"))
    orphan = process(220, 1, environ=tmux_environ(200, "%7", socket="/s/inner"))
    view = tmux_view(answering(SERVER, pane("%1", 110)), answering(inner, pane("%0", 209), socket="/s/inner"))
    found = owners(inner, popup, orphan, view=view)
    assert seen(found[210]) == of_server(Evidence.TREE)
    assert seen(found[220]) == NOBODY


def test_unknown_is_never_gone() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%9"))
    child = process(131, 100, environ=tmux_environ(100, "%9"))
    for view in (
        tmux_view(silent(SERVER, pane("%1", 110))),
        tmux_view(silent(SERVER, listed=False)),
        # The server answered, but before the table was read: %9 may be younger than that answer.
        tmux_view(answering(SERVER, pane("%1", 110), taken_at=9.0)),
    ):
        found = owners(orphan, child, view=view)
        assert seen(found[130]) == seen(found[131]) == UNDECIDED
    assert seen(owners(orphan, child)[130]) == leaked(Evidence.ENVIRONMENT, pane_key(SERVER, "%9"))


def test_a_listing_of_an_earlier_server_at_the_same_pid_is_not_used() -> None:
    view = tmux_view(answering(tmux_server(100, start=50), pane("%1", 110)))
    found = owners(process(130, 110), view=view)
    assert (found[100].kind, found[100].server) == (OwnerKind.SERVER, SERVER.id)
    assert seen(found[110]) == seen(found[120]) == UNDECIDED
    assert 130 not in found


def test_an_earlier_servers_listing_says_nothing_of_the_server_now() -> None:
    now = replace(answering(SERVER), listing=listing(tmux_server(100, start=50), pane("%1", 110)))
    found = owners(view=tmux_view(now))
    assert seen(found[110]) == seen(found[120]) == UNDECIDED


def test_only_a_server_that_answers_proves_absence() -> None:
    view = tmux_view(replace(ONLY_2.servers[0], up=False))
    assert seen(owners(process(130, 1, environ=tmux_environ(100, "%9")), view=view)[130]) == UNDECIDED


def test_of_two_answers_of_one_server_the_younger_counts() -> None:
    held = silent(SERVER, pane("%9", 110), socket="/other/default")
    orphan = process(130, 1, environ=tmux_environ(100, "%9"))
    for views in ((held, *VIEW.servers), (*VIEW.servers, held)):
        found = owners(orphan, view=tmux_view(*views))
        assert seen(found[110]) == in_pane(Evidence.TREE)
        assert found[130].kind is OwnerKind.LEAKED


def test_a_held_listing_still_attributes() -> None:
    found = owners(process(130, 110), view=tmux_view(silent(SERVER, pane("%1", 110), pane("%2", 120))))
    assert seen(found[110]) == seen(found[130]) == in_pane(Evidence.TREE)


def test_a_server_that_ended_after_the_reading_has_no_panes() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%1"))
    found = owners(orphan, view=tmux_view(silent(SERVER, listed=False, ended=True)))
    assert seen(found[130]) == leaked(Evidence.ENVIRONMENT)


def test_a_server_that_ended_has_no_panes_though_its_listing_is_held() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%1"))
    found = owners(orphan, view=tmux_view(silent(SERVER, pane("%1", 110), ended=True)))
    assert seen(found[130]) == leaked(Evidence.ENVIRONMENT)


def test_the_pid_of_another_users_server_ties_to_nobody() -> None:
    foreign = tmux_server(200, uid=1, environ=None)
    assert seen(owners(foreign, process(210, 1, environ=tmux_environ(200, "%1")))[210]) == NOBODY


def test_a_job_in_the_servers_session_is_one_whatever_pane_it_names() -> None:
    job = process(130, 100, session=100, environ=tmux_environ(100, "%1"))
    assert seen(owners(job)[130]) == of_server(Evidence.TREE)
    assert seen(owners(job, view=ONLY_2)[130]) == of_server(Evidence.TREE)


# --- memory


def test_a_pane_that_is_there_after_all_has_its_members_back() -> None:
    orphan = process(130, 1)
    assert seen(owners(orphan, memory=remembered(orphan, OwnerKind.LEAKED))[130]) == in_pane(Evidence.MEMORY)


def test_a_job_by_its_environment_alone_is_not_remembered() -> None:
    parent = process(130, 1, environ=tmux_environ(100))
    child = process(140, 130, environ=tmux_environ(100, "%9"))
    first = attribute(table(SERVER, SHELL, parent, child), VIEW, {})
    second = attribute(table(SERVER, SHELL, parent, child), VIEW, first)
    assert seen(first[parent.id]) == seen(second[parent.id]) == of_server(Evidence.ENVIRONMENT)
    assert first[child.id].kind is second[child.id].kind is OwnerKind.LEAKED


def test_what_was_seen_in_a_pane_stays_its_member_while_that_is_there() -> None:
    orphan = process(130, 1)
    found = owners(orphan, memory=remembered(orphan, OwnerKind.PANE))
    assert seen(found[130]) == in_pane(Evidence.MEMORY)
    assert found[130].reason == "seen earlier: descends from pid 110"


def test_what_was_seen_in_a_pane_is_leaked_once_that_is_gone() -> None:
    orphan = process(130, 1)
    found = owners(orphan, view=ONLY_2, memory=remembered(orphan, OwnerKind.PANE))
    assert seen(found[130]) == leaked(Evidence.MEMORY)
    assert found[130].reason == "seen earlier: descends from pid 110; pane %1 of tmux server 100 is gone"


def test_what_was_seen_in_a_pane_stays_its_member_while_nothing_is_known() -> None:
    orphan = process(130, 1)
    for view in (
        tmux_view(silent(SERVER, listed=False)),
        tmux_view(silent(SERVER, pane("%2", 120))),
        tmux_view(answering(SERVER, pane("%2", 120), taken_at=9.0)),
    ):
        assert seen(owners(orphan, view=view, memory=remembered(orphan, OwnerKind.PANE))[130]) == in_pane(
            Evidence.MEMORY
        )


def test_a_process_that_took_the_pid_of_a_member_is_a_stranger() -> None:
    memory = remembered(process(130, 1, start=50), OwnerKind.PANE)
    assert 130 not in owners(process(130, 1, start=130), memory=memory)


def test_a_complete_table_without_the_server_proves_that_its_panes_are_gone() -> None:
    orphan = process(130, 1)
    memory = remembered(orphan, OwnerKind.PANE)
    gone = attribute(table(orphan), tmux_view(), memory)
    assert seen(gone[orphan.id]) == leaked(Evidence.MEMORY)
    restarted = tmux_server(300)
    view = tmux_view(answering(restarted, pane("%1", 310)))
    gone = attribute(table(orphan, restarted, process(310, 300)), view, memory)
    assert seen(gone[orphan.id]) == leaked(Evidence.MEMORY)
    kept = attribute(table(orphan, complete=False), tmux_view(), memory)
    assert seen(kept[orphan.id]) == in_pane(Evidence.MEMORY)
    zombie = tmux_server(100, state="Z")
    gone = attribute(table(orphan, zombie), tmux_view(silent(SERVER, pane("%1", 110))), memory)
    assert seen(gone[orphan.id]) == leaked(Evidence.MEMORY)


def test_once_leaked_stays_leaked_without_a_new_word_or_object() -> None:
    orphan = process(130, 1)
    everybody = table(SERVER, OTHER_SHELL, orphan)
    first = attribute(everybody, ONLY_2, remembered(orphan, OwnerKind.PANE))
    second = attribute(everybody, tmux_view(silent(SERVER, listed=False)), first)
    third = attribute(table(orphan), tmux_view(), second)
    assert seen(first[orphan.id]) == leaked(Evidence.MEMORY)
    assert first[orphan.id] is second[orphan.id] is third[orphan.id]


def test_a_job_once_seen_stays_a_job_until_its_server_ends() -> None:
    orphan = process(130, 1, environ={"TMUX_PANE": "%1"})
    memory = remembered(orphan, OwnerKind.SERVER, None)
    assert seen(owners(orphan, memory=memory)[130]) == of_server(Evidence.MEMORY)
    assert seen(attribute(table(orphan), tmux_view(), memory)[orphan.id]) == NOBODY


def test_reasons_do_not_grow_with_generations_of_orphans() -> None:
    memory: Mapping[ProcessId, Owner] = remembered(process(1000, 1), OwnerKind.PANE)
    lengths = set()
    for pid in range(1000, 1050):
        parent = process(pid, 1, session=0)
        child = process(pid + 1, pid, session=0)
        memory = attribute(table(SERVER, OTHER_SHELL, parent, child), ONLY_2, memory)
        assert memory[child.id].kind is OwnerKind.LEAKED
        lengths.add(len(memory[child.id].reason))
    assert max(lengths) < 200


# --- what wins


def test_stronger_looks_win_over_the_environment_and_memory() -> None:
    below = process(130, 110, environ=tmux_environ(100, "%2"))
    in_session = process(140, 1, session=110, environ=tmux_environ(100, "%2"))
    memory = remembered(below, OwnerKind.LEAKED, PANE_2) | remembered(in_session, OwnerKind.PANE, PANE_2)
    found = owners(below, in_session, memory=memory)
    assert seen(found[130]) == in_pane(Evidence.TREE)
    assert seen(found[140]) == in_pane(Evidence.KERNEL_SESSION)


def test_a_kernel_session_proven_by_the_tree_wins_over_what_the_parent_inherited() -> None:
    found = owners(process(115, 1, environ=tmux_environ(100, "%2")), process(130, 115, session=110))
    assert seen(found[115]) == in_pane(Evidence.ENVIRONMENT, PANE_2)
    assert seen(found[130]) == in_pane(Evidence.KERNEL_SESSION)


def test_a_kernel_session_is_worth_what_its_leader_is_known_by() -> None:
    found = owners(process(130, 1, environ=tmux_environ(100, "%2")), process(140, 1, session=130))
    assert seen(found[140]) == in_pane(Evidence.ENVIRONMENT, PANE_2)


def test_a_job_once_seen_below_its_server_stays_one_though_it_names_a_pane() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%1"))
    found = owners(orphan, memory=remembered(orphan, OwnerKind.SERVER, None))
    assert seen(found[130]) == of_server(Evidence.MEMORY)


def test_the_environment_wins_over_memory() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%2"))
    found = owners(orphan, memory=remembered(orphan, OwnerKind.PANE, PANE_1))
    assert seen(found[130]) == in_pane(Evidence.ENVIRONMENT, PANE_2)


def test_the_environment_never_leaks_a_member_of_a_pane_that_is_there() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%9"))
    found = owners(orphan, memory=remembered(orphan, OwnerKind.PANE, PANE_1))
    assert seen(found[130]) == in_pane(Evidence.MEMORY)


def test_the_environment_never_leaks_a_job() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%9"))
    found = owners(orphan, memory=remembered(orphan, OwnerKind.SERVER, None))
    assert seen(found[130]) == of_server(Evidence.MEMORY)


def test_a_leaked_parent_does_not_leak_a_child_of_a_pane_that_is_there() -> None:
    parent = process(130, 1, environ=tmux_environ(100, "%9"))
    found = owners(parent, process(140, 130, environ=tmux_environ(100, "%1")))
    assert found[130].kind is OwnerKind.LEAKED
    assert seen(found[140]) == in_pane(Evidence.ENVIRONMENT)


def test_who_unset_its_pane_is_not_taken_for_a_job() -> None:
    orphan = process(130, 1, environ=tmux_environ(100))
    assert seen(owners(orphan, memory=remembered(orphan, OwnerKind.PANE))[130]) == in_pane(Evidence.MEMORY)
    assert seen(owners(orphan, view=ONLY_2, memory=remembered(orphan, OwnerKind.PANE))[130]) == leaked(
        Evidence.MEMORY
    )


def test_an_undecided_environment_leaves_the_word_to_memory() -> None:
    orphan = process(130, 1, environ=tmux_environ(100, "%9"))
    view = tmux_view(silent(SERVER, listed=False))
    found = owners(orphan, view=view, memory=remembered(orphan, OwnerKind.PANE, pane_key(SERVER, "%9")))
    assert seen(found[130]) == in_pane(Evidence.MEMORY, pane_key(SERVER, "%9"))


def test_a_tmux_client_outside_every_pane_is_never_leaked() -> None:
    client = process(130, 1, comm="tmux: client", environ=tmux_environ(100, "%9"))
    known = process(131, 1, comm="tmux: client")
    found = owners(client, known, view=ONLY_2, memory=remembered(known, OwnerKind.PANE))
    assert seen(found[130]) == seen(found[131]) == NOBODY
    assert seen(owners(process(132, 110, comm="tmux: client"))[132]) == in_pane(Evidence.TREE)


def test_a_server_is_never_leaked_by_what_it_inherited() -> None:
    inner = tmux_server(200, environ=tmux_environ(100, "%9"))
    memory = remembered(inner, OwnerKind.PANE, pane_key(SERVER, "%9"))
    assert owners(inner, memory=memory)[200].kind is OwnerKind.SERVER


# --- the dead, and the rest


def test_zombies_own_nothing_but_pass_the_walk_on() -> None:
    found = owners(process(130, 110, state="Z"), process(131, 110, state="Z", threads=4), process(140, 130))
    assert 130 not in found
    assert seen(found[131]) == seen(found[140]) == in_pane(Evidence.TREE)


def test_strangers_are_left_out() -> None:
    assert owners(process(130, 1), process(131, 130, uid=0, environ=None)).keys() == {100, 110, 120}


def test_unattributed_is_what_is_of_tmux_and_of_no_pane() -> None:
    found = attribute(
        table(
            SERVER,
            SHELL,
            process(130, 100, session=100),
            process(131, 1, environ=tmux_environ(100, "%9")),
            process(132, 1, environ=tmux_environ(7, "%9")),
        ),
        tmux_view(answering(SERVER, pane("%1", 110))),
        {},
    )
    assert [id_.pid for id_, owner in found.items() if is_unattributed(id_, owner)] == [130, 132]


def test_for_root_who_reads_every_environment_other_users_servers_and_processes_are_theirs() -> None:
    theirs = tmux_server(200, uid=7, environ={})
    in_their_pane = process(210, 200, uid=7, environ=tmux_environ(200, "%1"))
    stray = process(220, 1, uid=7, environ={"TMUX_PANE": "%1"})
    sudo = process(130, 110, uid=7, environ={})
    seen_by_root = replace(table(SERVER, SHELL, theirs, in_their_pane, stray, sudo), uid=UID)
    assert {each.pid for each in attribute(seen_by_root, VIEW, {})} == {100, 110, 130}
