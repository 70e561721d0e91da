"""Finding leaks on literals: leaked processes, exemptions, origins, counters."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.facts import (
    answering,
    pane,
    pane_key,
    process,
    table,
    tmux_environ,
    tmux_server,
    tmux_view,
)
from tmux_exporter.analysis.leaks.find import LEAKED_STATES, LeakFinder, Leaks, LeakSample, find_orphans
from tmux_exporter.analysis.leaks.origins import PaneFolders, PaneOrigins, pane_processes
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import LeakDetails, Namespaces, Process, ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState
from tmux_exporter.facts.tmux import TmuxView

SERVER = tmux_server(100)
GONE = tmux_environ(100, "%1")
HOME = Namespaces("pid:[1]", "mnt:[1]")
VIEW = tmux_view(answering(SERVER, pane("%0", 200)))
BEFORE = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 201, session="$7")))
LABELS = {(SERVER.id, "$0"): "work", (SERVER.id, "$7"): "old"}
PLAIN = LeakDetails(unit="session-1.scope", listens=False)


def left(pid: int = 300, **more: Any) -> Process:
    """A process that names a pane that is gone."""
    fields = {"environ": GONE, "argv": ("worker",), "exe": "/usr/bin/worker", "namespaces": HOME}
    return process(pid, **(fields | more))


class Samples:
    """One book, sample by sample."""

    def __init__(self) -> None:
        self.book = LeakFinder()
        self.owners: Any = {}

    def sample(
        self,
        *processes: Process,
        view: TmuxView = VIEW,
        labels: Mapping[tuple[ProcessId, str], str] = LABELS,
        schedulers: tuple[Scheduler, ...] = (),
        leak_details: Mapping[int, LeakDetails | None] | None = None,
        whole: ProcessTable | None = None,
        folders: Mapping[str, str] | None = None,
    ) -> Leaks:
        reading = whole or replace(table(SERVER, *processes), namespaces=HOME)
        self.owners = attribute(reading, view, self.owners)
        orphans = find_orphans(reading, self.owners)
        facts = {**{each.pid: PLAIN for each in orphans.to_read}, **(leak_details or {})}
        self.book.observe(view, labels)
        return self.book.find(
            LeakSample(
                table=reading,
                owners=self.owners,
                orphans=orphans,
                schedulers=schedulers,
                signatures=SIGNATURES,
                leak_details={
                    each: found for each in orphans.to_read if (found := facts[each.pid]) is not None
                },
                folders={pane_key(SERVER, pane): folder for pane, folder in (folders or {}).items()},
            )
        )

    @classmethod
    def after_its_pane(cls, **more: Any) -> Leaks:
        """A process whose pane was seen, in the second sample after its end."""
        samples = cls()
        samples.sample(left(), view=BEFORE)
        return samples.second(left(), **more)

    def second(self, *processes: Process, **more: Any) -> Leaks:
        """The second of two equal samples."""
        self.sample(*processes, **more)
        return self.sample(*processes, **more)


def found(leaks: Leaks) -> dict[int, tuple[LeakKind, str, str]]:
    return {each.process.pid: (each.kind, each.server, each.session) for each in leaks.found}


def test_what_outlives_its_pane_is_leaked_once_it_was_seen_twice() -> None:
    samples = Samples()
    samples.sample(left(), view=BEFORE)
    first = samples.sample(left())
    assert (first.found, first.unconfirmed) == ((), (("default", "old"),))
    second = samples.sample(left())
    assert found(second) == {300: (LeakKind.OTHER, "default", "old")}
    assert (second.exempt, second.unconfirmed) == ({}, ())
    assert second.found[0].pane == pane_key(SERVER, "%1")
    assert "which is gone" in second.found[0].reason


def test_of_half_a_view_nobody_starts_anew() -> None:
    samples = Samples()
    samples.sample(left())
    assert samples.sample(whole=replace(table(SERVER, complete=False), namespaces=HOME)).found == ()
    assert set(found(samples.sample(left()))) == {300}


def test_who_was_missing_from_a_whole_view_starts_anew() -> None:
    samples = Samples()
    samples.sample(left())
    samples.sample()
    assert samples.sample(left()).found == ()


def test_another_process_of_the_same_pid_starts_anew() -> None:
    samples = Samples()
    samples.sample(left())
    assert samples.sample(left(start=301)).found == ()


def test_the_session_is_the_one_that_had_the_pane_by_its_name_of_today() -> None:
    samples = Samples()
    samples.sample(left(), view=BEFORE)
    renamed = {**LABELS, (SERVER.id, "$7"): "new name"}
    assert found(samples.second(left(), labels=renamed))[300] == (LeakKind.OTHER, "default", "new name")
    # Once the session is gone its last name stays.
    without = {(SERVER.id, "$0"): "work"}
    assert found(samples.sample(left(), labels=without))[300] == (LeakKind.OTHER, "default", "new name")


def test_of_a_pane_that_was_never_seen_tmux_names_the_first_session() -> None:
    of_session_0 = left(environ={"TMUX": "/tmp/tmux-1000/default,100,0", "TMUX_PANE": "%1"})
    assert found(Samples().second(of_session_0))[300][1:] == ("default", "work")
    of_another = left(environ={"TMUX": "/tmp/tmux-1000/default,100,4", "TMUX_PANE": "%1"})
    assert found(Samples().second(of_another))[300][1:] == ("default", "")


STRANGER = {"TMUX": "/tmp/tmux-1000/default,100,77", "TMUX_PANE": "%9"}
"""Of a pane that was gone, with its session, before anybody looked."""
WORKTREE = "/home/ann/shop/.worktrees/login"


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("inside", ["", "/web/src"])
def test_the_working_folder_of_an_unseen_pane_names_its_session(inside: str, deleted: bool) -> None:
    samples = Samples()
    # Only an earlier sample knows who worked there.
    samples.sample(left(environ=STRANGER), view=BEFORE, folders={"%0": "/home/ann/other", "%1": WORKTREE})
    there = replace(PLAIN, folder=WORKTREE + inside, folder_deleted=deleted)
    leaks = samples.second(left(environ=STRANGER), leak_details={300: there})
    assert found(leaks)[300] == (LeakKind.OTHER, "default", "old")
    (leak,) = leaks.found
    assert leak.by_folder and not leak.by_marker
    assert leak.reason.endswith("(evidence: folder)")
    assert WORKTREE not in leak.reason
    # Known by stronger evidence, it needs no folder.
    (other,) = Samples.after_its_pane(leak_details={300: there}).found
    assert (other.session, other.by_folder) == ("old", False)


@pytest.mark.parametrize(
    ("folders", "folder"),
    [
        ({"%0": WORKTREE, "%1": WORKTREE}, WORKTREE),
        ({"%0": "/home/ann/shop", "%1": WORKTREE}, WORKTREE),
        ({"%1": WORKTREE}, WORKTREE + "2"),
        ({"%1": WORKTREE}, "/home/ann/shop"),
        ({"%1": "/home/ann"}, "/home/ann/shop"),
        ({"%1": "/"}, "/srv"),
        ({"%1": "/root"}, "/root/shop"),
        ({"%1": WORKTREE}, None),
        ({}, WORKTREE),
    ],
    ids=[
        "two sessions in it",
        "another session above it",
        "a longer name",
        "above it",
        "a home",
        "the root",
        "root's home",
        "it shows none",
        "nobody worked there",
    ],
)
def test_a_shared_folder_names_no_session(folders: dict[str, str], folder: str | None) -> None:
    samples = Samples()
    samples.sample(left(environ=STRANGER), view=BEFORE, folders=folders)
    there = replace(PLAIN, folder=folder)
    leaks = samples.second(left(environ=STRANGER), leak_details={300: there})
    assert found(leaks)[300] == (LeakKind.OTHER, "default", "")
    assert not leaks.found[0].by_folder


def test_a_folder_of_another_server_names_nobody() -> None:
    folders = PaneFolders()
    key = pane_key(SERVER, "%1")
    folders.observe({key: WORKTREE})
    known = {key: ("default", "old")}
    assert folders.session_of(WORKTREE, "team", known.get) == ("team", "")
    assert folders.session_of(WORKTREE, "", known.get) == ("default", "old")


def test_a_folder_alone_makes_no_leak_of_anything() -> None:
    samples = Samples()
    there = {"%0": WORKTREE}
    editor = left(environ={}, argv=("vim", "a.py"))
    agent = left(301, environ={}, argv=("claude",), exe="/usr/bin/claude")
    samples.sample(editor, agent, folders=there)
    assert samples.second(editor, agent, folders=there).found == ()


def test_folders_of_gone_panes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmux_exporter.analysis.leaks.origins._MOST", 2)
    folders = PaneFolders()
    for number in range(5):
        folders.observe({pane_key(SERVER, f"%{number}"): f"/home/ann/shop/{number}"})
    named = [
        folders.session_of(f"/home/ann/shop/{n}", "", lambda _: ("default", "work"))[1] for n in range(5)
    ]
    assert named == ["", "", "", "work", "work"]


def test_only_children_of_their_server_are_processes_of_panes() -> None:
    view = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 201), pane("%2", 202), pane("%3", None)))
    reading = table(SERVER, process(200, ppid=100), process(201, ppid=1))
    assert pane_processes(reading, view) == {pane_key(SERVER, "%0"): reading.processes[200].id}


def test_places_of_gone_panes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmux_exporter.analysis.leaks.origins._MOST_GONE", 2)
    places = PaneOrigins()
    for number in range(1, 6):
        places.observe(tmux_view(answering(SERVER, pane(f"%{number}", None, session="$7"))), LABELS)
    known = [places.of_pane(pane_key(SERVER, f"%{number}")) for number in range(1, 6)]
    assert known == [None, None, ("default", "old"), ("default", "old"), ("default", "old")]


@pytest.mark.parametrize(
    ("changes", "facts", "why"),
    [
        ({"argv": None}, PLAIN, "it cannot be read"),
        ({"exe": None}, PLAIN, "it cannot be read"),
        ({"environ": {**GONE, "TMUX_EXPORTER_KEEP": "1"}}, PLAIN, "TMUX_EXPORTER_KEEP is set"),
        ({"exe": "/usr/bin/ssh-agent"}, PLAIN, "ssh-agent: it keeps keys"),
        (
            {"argv": ("/usr/bin/python3", "/x/bin/tmux-exporter", "serve"), "exe": "/usr/bin/python3"},
            PLAIN,
            "pid 300 is",
        ),
        (
            {"argv": ("python3", "-m", "tmux_exporter.cli.remediator"), "exe": "/usr/bin/python3"},
            PLAIN,
            "pid 300 is",
        ),
        ({"tty": 34816}, PLAIN, "it keeps a terminal"),
        ({"namespaces": Namespaces("pid:[2]", "mnt:[1]")}, PLAIN, "it lives in another pid namespace"),
        ({"namespaces": None}, PLAIN, "it cannot be read"),
        ({}, replace(PLAIN, unit="web.service"), "it is in the systemd unit web.service"),
        ({}, replace(PLAIN, unit=None), "its control group cannot be read"),
        ({}, None, "its control group cannot be read"),
    ],
)
def test_each_guard_says_why_it_spares(changes: Any, facts: LeakDetails | None, why: str) -> None:
    leaks = Samples().second(left(**changes), leak_details={300: facts})
    assert leaks.found == ()
    assert leaks.exempt[ProcessId(300, 300)].startswith(why)
    assert not leaks.unconfirmed


def test_what_a_program_that_stays_has_started_stays_too() -> None:
    screen = left(300, exe="/usr/bin/screen")
    shell = left(301, ppid=300, session=301)
    assert Samples().second(screen, shell).exempt[shell.id].startswith("it descends from pid 300, screen:")


def test_who_holds_a_terminal_for_somebody_is_attended_but_an_agent_holds_it_for_nobody() -> None:
    holder, shell = left(300), left(301, ppid=300, tty=34816, session=301)
    assert set(Samples().second(holder, shell).exempt) == {holder.id, shell.id}
    marked = {**GONE, "CLAUDECODE": "1"}
    holder, shell = left(300, environ=marked), left(301, ppid=300, tty=34816, session=301, environ=marked)
    assert set(found(Samples().second(holder, shell))) == {300, 301}


def test_in_the_service_that_the_tmux_server_itself_is_in_leaks_are_leaks() -> None:
    unit = replace(PLAIN, unit="tmux.service")
    assert set(found(Samples().second(left(), leak_details={300: unit, 100: unit}))) == {300}
    assert Samples().second(left(), leak_details={300: unit}).found == ()


def test_where_there_are_no_namespaces_nobody_is_in_another() -> None:
    samples = Samples()
    portable = table(SERVER, left(namespaces=None))
    samples.sample(whole=portable)
    assert set(found(samples.sample(whole=portable))) == {300}


def test_a_kind_is_seen_anew_when_the_process_starts_to_listen_or_starts_another_program() -> None:
    samples = Samples()
    assert found(samples.second(left()))[300][0] is LeakKind.OTHER
    listening = replace(PLAIN, listens=True)
    assert found(samples.sample(left(), leak_details={300: listening}))[300][0] is LeakKind.DEV_SERVER
    claude = left(argv=("claude",), exe="/x/claude/versions/2.1.197")
    assert found(samples.sample(claude, leak_details={300: listening}))[300][0] is LeakKind.AGENT


def check_in(state: SchedulerState, shell: Process, sleep: Process) -> Scheduler:
    return Scheduler(
        process=shell.id, sleep=sleep.id, state=state, reason="no target exists", targets=("x:0",),
        server=SERVER.id, session_id=None, due=None,
    )  # fmt: skip


@pytest.mark.parametrize("state", SchedulerState)
def test_a_check_in_is_leaked_by_its_state_alone(state: SchedulerState) -> None:
    shell, sleep = left(300), left(301, ppid=300, exe="/usr/bin/sleep")
    pair = check_in(state, shell, sleep)
    samples = Samples()
    samples.sample(shell, sleep, view=BEFORE)
    leaks = samples.second(shell, sleep, schedulers=(pair,))
    expected = {300, 301} if state in LEAKED_STATES else set()
    assert {each.process.pid for each in leaks.found if each.kind is LeakKind.SCHEDULER} == expected
    assert len(leaks.found) == len(expected)
    for each in leaks.found:
        assert (each.server, each.session, each.pane) == ("default", "old", pane_key(SERVER, "%1"))


def test_a_dangling_check_in_of_a_living_pane_is_leaked_too() -> None:
    shell = process(300, 200, session=200, argv=("bash", "-c", "x"))
    sleep = process(301, 300, session=200)
    pane_shell = process(200, 100)
    leaks = Samples().sample(
        pane_shell, shell, sleep, schedulers=(check_in(SchedulerState.DANGLING, shell, sleep),)
    )
    assert found(leaks) == {
        300: (LeakKind.SCHEDULER, "default", "work"),
        301: (LeakKind.SCHEDULER, "default", "work"),
    }


def test_a_check_in_that_nobody_is_known_to_have_made_is_at_what_it_aims_at() -> None:
    shell, sleep = process(300), process(301, 300)
    pair = check_in(SchedulerState.STALE_GENERATION, shell, sleep)
    aimed = replace(pair, session_id="$0")
    assert found(Samples().sample(shell, sleep, schedulers=(pair,)))[300][1:] == ("default", "")
    assert found(Samples().sample(shell, sleep, schedulers=(aimed,)))[300][1:] == ("default", "work")
    nowhere = replace(pair, server=None)
    assert found(Samples().sample(shell, sleep, schedulers=(nowhere,)))[300][1:] == ("", "")


def test_nobody_is_asked_where_nobody_outlived_anything() -> None:
    reading = table(SERVER, process(200, 100))
    assert find_orphans(reading, attribute(reading, VIEW, {})).to_read == ()
    reading = table(SERVER, process(200, 100), left())
    assert [each.pid for each in find_orphans(reading, attribute(reading, VIEW, {})).to_read] == [300, 100]


def test_one_whose_working_folder_is_deleted_says_so_without_its_name() -> None:
    samples, facts = Samples(), {300: replace(PLAIN, folder="secret-worktree", folder_deleted=True)}
    samples.sample(left(), leak_details=facts)
    (leak,) = samples.sample(left(), left(301), leak_details=facts).found
    assert leak.reason.endswith("; its working folder is deleted")
    assert "secret" not in leak.reason


def test_what_only_the_marker_of_an_agent_ties_says_so() -> None:
    marker = {"CODEX_THREAD_ID": "01234567-89ab-cdef-0123-456789abcdef"}
    shell = process(201, 100, environ=GONE)
    agent = process(210, 201, environ=GONE, argv=("codex",), exe="/bin/codex")
    samples = Samples()
    orphan = left(environ=marker)
    samples.sample(shell, agent, process(211, 210, environ=marker), orphan, left(301), view=BEFORE)
    leaks = samples.second(orphan, left(301))
    assert found(leaks) == dict.fromkeys((300, 301), (LeakKind.OTHER, "default", "old"))
    assert {leak.process.pid: leak.by_marker for leak in leaks.found} == {300: True, 301: False}


def test_another_users_process_that_was_seen_in_its_pane_is_a_leak_by_its_arguments() -> None:
    hidden: Any = {"uid": 7, "exe": None, "environ": None, "namespaces": None}
    shell = process(201, 100, environ=GONE)
    inside, orphan = left(ppid=201, session=201, **hidden), left(session=201, **hidden)
    for was_seen in (False, True):
        samples = Samples()
        samples.sample(shell, inside, view=BEFORE)
        if was_seen:
            samples.book.proof.observe(samples.owners.keys(), samples.owners)
        assert set(found(samples.second(orphan))) == ({300} if was_seen else set())
