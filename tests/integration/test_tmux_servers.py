"""TmuxSource against real tmux servers, real sockets and real processes."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.clock import ShiftedClock
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, is_gone
from tests.support.tmux import hostile
from tests.support.wait import wait_for
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.tmux import Pane, ServerView, TmuxView
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.tmux import socket_files
from tmux_exporter.sources.tmux import source as tmux_servers
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.socket_files import PathState, check_path, scan
from tmux_exporter.sources.tmux.source import TmuxSource, process_cpu_seconds

UID = os.getuid()
NOBODY = 65534
TIMEOUT = 1.0


def tmux(*arguments: str) -> str:
    """Run a tmux client; what it printed."""
    return run_text(["tmux", "-f", "/dev/null", *arguments], check=True, timeout=20).stdout


@dataclass
class Machine:
    """The tmux servers of one test, and a source that sees them and nobody else's."""

    base: Path
    sockets: Path
    pids: list[int] = field(default_factory=list)
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    def __post_init__(self) -> None:
        self.source = self.new_source()
        self._reader = ProcReader(uid=UID, clock=self.clock)

    def new_source(self) -> TmuxSource:
        return TmuxSource(
            TmuxSettings(query_timeout=TIMEOUT),
            uid=UID,
            clock=self.clock,
            environ={"TMUX_TMPDIR": str(self.base)},
        )

    def start(self, path: Path | str = "default", command: str = "sleep 3600") -> int:
        """A server that listens at a path, or at a name in the usual folder; its pid."""
        full = self.sockets / path
        tmux("-S", str(full), "new-session", "-d", "-s", "main", "-x", "80", "-y", "24", command)
        pid = int(tmux("-S", str(full), "display-message", "-p", "#{pid}"))
        self.pids.append(pid)
        return pid

    def table(self) -> ProcessTable:
        """All processes but for other people's tmux: what has another TMUX_TMPDIR, and its servers."""
        whole = self._reader.read()
        return replace(whole, processes={pid: p for pid, p in whole.processes.items() if self._is_ours(p)})

    def _is_ours(self, process: Process) -> bool:
        folder = (process.environ or {}).get("TMUX_TMPDIR", "")
        return folder.startswith(str(self.base)) or (not folder and process.comm != "tmux: server")

    def read(self, source: TmuxSource | None = None) -> TmuxView:
        return (source or self.source).read(self.table())

    def read_until_ended(self, label: str) -> ServerView:
        wait_for(lambda: views(self.read())[label].ended, f"{label} is known to have ended")
        return views(self.read())[label]


@pytest.fixture
def machine(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    base = socket_dir.parent
    (base / "tmp").mkdir()
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(base / "tmp"))
    made = Machine(base=base, sockets=socket_dir)
    yield made
    for pid in made.pids:
        end_process(pid)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """What is really asked, as it is asked."""
    asked: list[Question] = []

    def ask(
        questions: Sequence[Question], *, uid: int, timeout: float, transport: str, clock: Clock
    ) -> tuple[Answer, ...]:
        asked.extend(questions)
        return ask_all(questions, uid=uid, timeout=timeout, transport=transport, clock=clock)

    monkeypatch.setattr(tmux_servers, "ask_all", ask)
    return asked


def views(view: TmuxView) -> dict[str, ServerView]:
    found = {server.label: server for server in view.servers}
    assert len(found) == len(view.servers)
    return found


def up(view: TmuxView) -> dict[str, int]:
    """The pid of every server that answered, by its label."""
    return {s.label: s.process.pid for s in view.servers if s.up and s.process}


def problem(server: ServerView) -> tuple[str, str]:
    assert server.problem is not None
    return server.problem.reason, server.problem.detail


def panes(server: ServerView) -> tuple[Pane, ...]:
    assert server.listing is not None
    return server.listing.panes


def dead_socket(path: Path) -> None:
    """A socket file at which nobody listens."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@contextlib.contextmanager
def without_root() -> Iterator[int]:
    """Act as a user whom file modes bind; gives the uid."""
    if UID != 0:
        yield UID
        return
    os.seteuid(NOBODY)
    try:
        yield NOBODY
    finally:
        os.seteuid(0)


needs_root = pytest.mark.skipif(UID != 0, reason="only root can make another user's socket")


# Discovery


def test_every_server_of_the_usual_folder_is_found(machine: Machine) -> None:
    pids = {name: machine.start(name) for name in ("default", "work", "a b", "ü")}
    view = machine.read()
    assert up(view) == pids
    assert (view.stale_sockets, view.problems) == (0, ())
    for name, server in views(view).items():
        assert server.socket == str(machine.sockets / name)
        assert server.listing is not None
        [pane] = server.listing.panes
        assert pane.pid is not None
        assert [s.name for s in server.listing.sessions] == ["main"]
        assert [query.failure for query in server.queries] == [None]


def test_a_server_of_an_explicit_path_is_found_by_its_process(machine: Machine) -> None:
    path = machine.base / "project" / "agents.sock"
    path.parent.mkdir()
    pid = machine.start(path)
    assert up(machine.read()) == {str(path): pid}


def test_a_relative_path_starts_at_its_server(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(machine.base)
    tmux("-S", "here.sock", "new-session", "-d", "sleep 3600")
    pid = int(tmux("-S", "here.sock", "display-message", "-p", "#{pid}"))
    machine.pids.append(pid)
    assert up(machine.read()) == {str(machine.base / "here.sock"): pid}


def test_a_path_with_a_newline_is_found(machine: Machine) -> None:
    path = machine.base / "new\nline"
    pid = machine.start(path)
    assert up(machine.read()) == {label_text(str(path)): pid}


def test_another_users_forged_row_moves_no_server(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user can bind a path that reads as a row of /proc/net/unix with our server's inode."""
    honest = machine.base / "s"
    pid = machine.start(honest)
    links = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.add(os.readlink(fd))
    rows = Path("/proc/net/unix").read_text().splitlines()
    bound = [row for row in rows if row.endswith(f" {honest}") and row.split()[3] == "00010000"]
    [row] = [row for row in bound if f"socket:[{row.split()[6]}]" in links]
    decoy = machine.base / "d"
    dead_socket(decoy)
    forged = machine.base / f"x\n{row.removesuffix(str(honest))}{decoy}"
    forged.parent.mkdir(parents=True)
    monkeypatch.chdir(machine.base)
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(os.path.relpath(forged))
        liar.listen()
        view = machine.read()
    assert up(view) == {}
    [lost] = view.problems
    assert (lost.reason, str(pid) in lost.detail) == ("partial", True)
    assert up(machine.read()) == {str(honest): pid}


def test_a_server_of_another_tmpdir_and_its_folder(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    other = machine.base / "elsewhere"
    other.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("TMUX_TMPDIR", str(other))
        tmux("-L", "far", "new-session", "-d", "sleep 3600")
        machine.pids.append(int(tmux("-L", "far", "display-message", "-p", "#{pid}")))
    folder = other / f"tmux-{UID}"
    dead_socket(folder / "stale")
    view = machine.read()
    assert up(view) == {str(folder / "far"): machine.pids[0]}
    assert view.stale_sockets == 1


def test_of_two_default_folders_each_server_is_labelled_by_its_own(machine: Machine) -> None:
    other = machine.base / "tmp" / f"tmux-{UID}"
    other.mkdir(mode=0o700)
    pids = {"default": machine.start("default"), str(other / "default"): machine.start(other / "default")}
    pids["only"] = machine.start(other / "only")
    assert up(machine.read()) == pids


def test_a_configured_socket_is_asked_even_without_proc(machine: Machine) -> None:
    path = machine.base / "s"
    pid = machine.start(path)
    source = TmuxSource(
        TmuxSettings(sockets=(str(path), str(machine.base / "none"))),
        uid=UID,
        clock=machine.clock,
        proc_root="/nonexistent",
        environ={"TMUX_TMPDIR": str(machine.base)},
    )
    assert up(source.read(machine.table())) == {str(path): pid}


def test_without_a_table_of_processes_the_sockets_still_answer(machine: Machine) -> None:
    pid = machine.start()
    view = machine.source.read(replace(machine.table(), processes={}, complete=False))
    assert up(view) == {"default": pid}
    assert [pane.pid for pane in panes(view.servers[0])] == [None]


def test_a_server_started_inside_a_pane_is_a_server_of_its_own(machine: Machine) -> None:
    inner = machine.sockets / "inner"
    outer_pid = machine.start("outer", f"env -u TMUX tmux -f /dev/null -S {inner} new-session 'sleep 3600'")

    def asked() -> str:
        command = ["tmux", "-S", str(inner), "display-message", "-p", "#{pid}"]
        return run_text(command, timeout=20).stdout

    inner_pid = int(wait_for(asked, "the inner server answers"))
    machine.pids.append(inner_pid)
    view = machine.read()
    assert up(view) == {"outer": outer_pid, "inner": inner_pid}
    held = [pane.pid for server in view.servers for pane in panes(server)]
    assert len(set(held)) == 2
    assert None not in held
    assert views(view)["inner"].problem is None


def test_swarms_get_small_numbers_and_keep_them(machine: Machine) -> None:
    first, second = machine.start("claude-swarm-900"), machine.start("claude-swarm-1100")
    before = up(machine.read())
    assert sorted(before) == ["claude-swarm-1", "claude-swarm-2"]
    assert set(before.values()) == {first, second}
    third = machine.start("claude-swarm-1000")
    assert up(machine.read()) == before | {"claude-swarm-3": third}


_ACTIVATED = """
import os, signal, socket, sys
from pathlib import Path

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
Path("/proc/self/comm").write_text("systemd")
if os.fork():
    os.wait()
else:
    Path("/proc/self/comm").write_text("tmux: server")
    print(os.getpid(), flush=True)
    signal.pause()
"""


def test_a_server_behind_a_socket_unit_is_not_taken_for_systemd(machine: Machine) -> None:
    """The process that systemd hands its socket to, as far as the kernel shows it; it answers nothing."""
    command = [sys.executable, "-c", _ACTIVATED, str(machine.sockets / "activated")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as systemd:
        assert systemd.stdout is not None
        pid = int(systemd.stdout.readline())
        machine.pids.append(pid)
        [server] = machine.read().servers
        end_process(pid)
    assert server.process and (server.process.pid, problem(server)[0]) == (pid, "hung")


# Files that are no servers


def test_stale_sockets_and_plain_files_are_counted_and_no_servers(machine: Machine) -> None:
    for number in range(5):
        dead_socket(machine.sockets / f"stale-{number}")
    (machine.sockets / "plain").touch()
    (machine.sockets / "default.lock").touch()
    (machine.sockets / "folder").mkdir()
    os.mkfifo(machine.sockets / "fifo")
    pid = machine.start()
    for _ in range(2):
        view = machine.read()
        assert up(view) == {"default": pid}
        assert len(view.servers) == 1
        assert (view.stale_sockets, view.problems) == (6, ())


def test_a_socket_with_two_names_is_asked_once(machine: Machine, questions: list[Question]) -> None:
    pid = machine.start()
    os.link(machine.sockets / "default", machine.sockets / "alias")
    view = machine.read()
    assert up(view) == {"default": pid}
    assert (len(view.servers), view.stale_sockets) == (1, 0)
    assert [question.socket for question in questions] == [str(machine.sockets / "default")]


def test_a_linked_socket_is_not_followed(machine: Machine) -> None:
    pid = machine.start()
    (machine.sockets / "alias").symlink_to(machine.sockets / "default")
    view = machine.read()
    assert up(view) == {"default": pid}
    [said] = view.problems
    assert (said.reason, "alias" in said.detail, "symbolic link" in said.detail) == ("untrusted", True, True)


def test_a_linked_folder_is_not_looked_into(machine: Machine) -> None:
    real = machine.base / "real"
    machine.sockets.rename(real)
    machine.sockets.symlink_to(real)
    dead_socket(real / "s")
    view = machine.read()
    assert (view.servers, view.stale_sockets) == ((), 0)
    [said] = view.problems
    assert (said.reason, "symbolic link" in said.detail) == ("untrusted", True)


def test_a_folder_open_to_others_is_not_used(machine: Machine) -> None:
    pid = machine.start()
    machine.sockets.chmod(0o777)
    view = machine.read()
    [server] = view.servers
    assert (server.process and server.process.pid, server.up) == (pid, False)
    assert problem(server)[0] == "untrusted"
    assert [said.reason for said in view.problems] == ["untrusted"]


def test_an_unreadable_folder_is_a_problem_and_not_no_server(machine: Machine) -> None:
    machine.base.chmod(0o711)
    closed = machine.base / "closed"
    closed.mkdir()
    dead_socket(closed / "s")
    closed.chmod(0)
    if UID == 0:
        os.chown(closed, NOBODY, NOBODY)
    with without_root() as uid:
        sites, [said] = scan(str(closed), uid)
        below = check_path(str(closed / "s"), uid)
    closed.chmod(0o700)
    assert (sites, said.reason) == ([], "denied")
    assert below.state is PathState.UNREADABLE


def test_a_socket_that_lets_nobody_in_is_denied(machine: Machine) -> None:
    machine.base.chmod(0o711)
    machine.start()
    path = machine.sockets / "default"
    path.chmod(0)
    if UID == 0:
        os.chown(machine.sockets, NOBODY, NOBODY)
        os.chown(path, NOBODY, NOBODY)
        machine.sockets.rename(machine.base / f"tmux-{NOBODY}")
    table = machine.table()
    source = TmuxSource(
        TmuxSettings(),
        uid=NOBODY if UID == 0 else UID,
        clock=machine.clock,
        proc_root="/nonexistent",
        environ={"TMUX_TMPDIR": str(machine.base)},
    )
    with without_root():
        view = source.read(table)
    assert view.servers == ()
    assert [said.reason for said in view.problems] == ["denied"]


# Not our user's


@needs_root
def test_another_users_socket_is_counted_and_never_connected_to(machine: Machine) -> None:
    path = machine.sockets / "theirs"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chown(path, NOBODY, NOBODY)
        listener.listen()
        listener.setblocking(False)
        [server] = machine.read().servers
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (server.label, server.up, server.ended, server.listing) == ("theirs", False, False, None)
    assert problem(server)[0] == "untrusted"
    assert [query.failure for query in server.queries] == ["untrusted"]


@needs_root
def test_another_user_behind_our_own_socket_hears_nothing(machine: Machine) -> None:
    path = machine.sockets / "s"
    with hostile.start(path, "honest", uid=NOBODY):
        [server] = machine.read().servers
    assert (server.up, problem(server)[0]) == (False, "untrusted")
    assert hostile.received(path) == b""


@needs_root
def test_other_users_folders_are_simply_not_ours(machine: Machine) -> None:
    theirs = machine.base / f"tmux-{NOBODY}"
    theirs.mkdir(mode=0o700)
    dead_socket(theirs / "default")
    os.chown(theirs, NOBODY, NOBODY)
    assert machine.read().servers == ()


def test_a_proc_without_sockets_hides_only_what_no_folder_shows(machine: Machine) -> None:
    shown, hidden = machine.start(), machine.start(machine.base / "s")
    root = machine.base / "proc"
    for pid in (shown, hidden):
        (root / str(pid)).mkdir(parents=True)
        (root / str(pid) / "fd").symlink_to(f"/proc/{pid}/fd")
    source = TmuxSource(
        TmuxSettings(),
        uid=UID,
        clock=machine.clock,
        proc_root=str(root),
        environ={"TMUX_TMPDIR": str(machine.base)},
    )
    view = machine.read(source)
    assert up(view) == {"default": shown}
    [lost] = view.problems
    assert (lost.reason, str(hidden) in lost.detail, "net/unix" in lost.detail) == ("partial", True, True)


# Pane processes


def test_a_pane_younger_than_the_table_is_not_known_yet_and_no_lie(machine: Machine) -> None:
    machine.start()
    table = machine.table()
    tmux("-S", str(machine.sockets / "default"), "split-window", "-d", "sleep 3600")
    [server] = machine.source.read(table).servers
    assert (server.up, server.problem) == (True, None)
    assert [pane.pid is None for pane in panes(server)] == [False, True]
    [server] = machine.read().servers
    assert [pane.pid is None for pane in panes(server)] == [False, False]


def test_a_pane_process_of_somebody_else_is_not_believed_and_counted(machine: Machine) -> None:
    with hostile.start(machine.sockets / "liar", "claims-pane") as pid:
        [server] = machine.read().servers
    assert server.process and (server.process.pid, server.up) == (pid, True)
    assert [pane.pid for pane in panes(server)] == [None]
    assert problem(server) == ("untrusted", "pane %0 claims process 1, which is not its own")
    assert [query.failure for query in server.queries] == ["untrusted"]


def test_a_server_that_claims_to_be_another_process_is_not_believed(machine: Machine) -> None:
    with hostile.start(machine.sockets / "liar", "claims-init"):
        [server] = machine.read().servers
    assert (server.up, server.listing, problem(server)[0]) == (False, None, "untrusted")


def test_a_hostile_server_costs_the_others_nothing(machine: Machine) -> None:
    pid = machine.start("honest")
    with (
        hostile.start(machine.sockets / "floods", "flood"),
        hostile.start(machine.sockets / "garbage", "garbage"),
        hostile.start(machine.sockets / "hangs", "hang"),
    ):
        table = machine.table()
        began = time.monotonic()
        view = machine.source.read(table)
        assert time.monotonic() - began < TIMEOUT + 5
    assert up(view) == {"honest": pid}
    assert {s.label: problem(s)[0] for s in view.servers if not s.up} == {
        "floods": "untrusted",
        "garbage": "malformed",
        "hangs": "hung",
    }


# A server that hangs


def test_a_stopped_server_is_unknown_held_backed_off_and_back_at_once(machine: Machine) -> None:
    stopped, other = machine.start("stopped"), machine.start("other")
    before = views(machine.read())["stopped"]
    os.kill(stopped, signal.SIGSTOP)
    wait_for(lambda: machine.table().processes[stopped].state == "T", "the server is stopped")

    table = machine.table()
    began = time.monotonic()
    view = machine.source.read(table)
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 5
    assert up(view) == {"other": other}
    server = views(view)["stopped"]
    assert (server.up, server.ended, server.process) == (False, False, before.process)
    assert panes(server) == panes(before)
    assert problem(server)[0] == "hung"
    assert [query.failure for query in server.queries] == ["hung"]

    server = views(machine.read())["stopped"]
    assert (server.up, server.queries, problem(server)[0]) == (False, (), "hung")

    machine.clock.advance(31)
    view = machine.read()
    server = views(view)["stopped"]
    assert (server.up, server.ended, server.listing, server.process) == (False, False, None, before.process)
    assert up(view) == {"other": other}

    os.kill(stopped, signal.SIGCONT)
    wait_for(lambda: machine.table().processes[stopped].state != "T", "the server goes on")
    server = views(machine.read())["stopped"]
    assert (server.up, server.problem, server.process) == (True, None, before.process)


def test_a_stopped_server_that_nobody_saw_before_is_a_server(machine: Machine) -> None:
    pid = machine.start()
    os.kill(pid, signal.SIGSTOP)
    [server] = machine.read().servers
    assert server.process and (server.process.pid, server.up, server.ended) == (pid, False, False)
    assert problem(server)[0] == "hung"


def test_a_stopped_server_with_a_full_backlog_is_still_the_same(machine: Machine) -> None:
    pid = machine.start()
    os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as waiting:
        for _ in range(5000):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(str(machine.sockets / "default"))
            except BlockingIOError:
                break
        else:
            pytest.fail("the backlog never filled")
        [server] = machine.read().servers
    assert server.process is not None
    assert (server.process.pid, server.up, problem(server)[0]) == (pid, False, "hung")


def test_a_stopped_server_that_is_killed_has_ended(machine: Machine) -> None:
    pid = machine.start()
    os.kill(pid, signal.SIGSTOP)
    assert not machine.read().servers[0].ended
    end_process(pid)
    assert machine.read_until_ended("default").listing is None


# A server that ends


def test_a_killed_server_has_ended_and_is_forgotten_after_a_quarter_of_an_hour(machine: Machine) -> None:
    pid, other = machine.start("killed"), machine.start("other")
    machine.read()
    end_process(pid)
    server = machine.read_until_ended("killed")
    assert (server.up, server.listing, server.process and server.process.pid) == (False, None, pid)
    view = machine.read()
    assert (views(view)["killed"].queries, view.stale_sockets) == ((), 0)
    machine.clock.advance(14 * 60)
    assert views(machine.read())["killed"].ended
    machine.clock.advance(61)
    machine.read()
    view = machine.read()
    assert (up(view), len(view.servers), view.stale_sockets) == ({"other": other}, 1, 1)


def test_a_server_that_dies_after_the_table_was_read_is_not_known_to_have_ended(machine: Machine) -> None:
    pid = machine.start()
    before = machine.read().servers[0]
    table = machine.table()
    end_process(pid)
    [server] = machine.source.read(table).servers
    assert (server.up, server.ended, server.listing) == (False, False, before.listing)
    assert machine.read_until_ended("default").listing is None


def test_a_server_told_to_end_has_ended(machine: Machine) -> None:
    pid = machine.start()
    machine.read()
    tmux("-S", str(machine.sockets / "default"), "kill-server")
    wait_for(lambda: is_gone(pid), "the server ends")
    assert not machine.read_until_ended("default").up


def test_a_restart_on_the_same_path_is_another_server_with_the_same_label(machine: Machine) -> None:
    pid = machine.start()
    first = machine.read().servers[0]
    end_process(pid)
    again = machine.start()
    [server] = machine.read().servers
    assert server.process is not None
    assert (server.label, server.up, server.process.pid) == (first.label, True, again)
    assert server.listing and server.listing.server == server.process != first.process


def test_a_known_server_is_asked_as_its_own_version(machine: Machine, questions: list[Question]) -> None:
    version = tmux("-V").split()[-1]
    end_after = machine.start()
    machine.read()
    machine.read()
    end_process(end_after)
    machine.start()
    machine.read()
    machine.read()
    assert [question.version for question in questions] == [None, version, None, version]


# A server without its socket file


def test_a_renamed_socket_is_the_same_server_at_another_path(machine: Machine) -> None:
    pid = machine.start("before")
    first = machine.read().servers[0]
    (machine.sockets / "before").rename(machine.sockets / "after")
    for source in (machine.source, machine.new_source()):
        [server] = machine.read(source).servers
        assert (server.label, server.up, server.process) == ("after", True, first.process)
    assert up(machine.read()) == {"after": pid}


def test_a_deleted_socket_is_no_end_and_usr1_mends_it(machine: Machine) -> None:
    pid = machine.start()
    before = machine.read().servers[0]
    (machine.sockets / "default").unlink()
    for source in (machine.source, machine.new_source()):
        [server] = machine.read(source).servers
        assert (server.label, server.process) == ("default", before.process)
        assert (server.up, server.ended) == (False, False)
        reason, detail = problem(server)
        assert (reason, f"kill -USR1 {pid}" in detail, "missing" in detail) == ("noserver", True, True)
    os.kill(pid, signal.SIGUSR1)
    wait_for((machine.sockets / "default").exists, "the socket is made anew")
    assert up(machine.read()) == {"default": pid}


def test_a_server_whose_path_was_taken_is_told_beside_the_new_one(machine: Machine) -> None:
    old = machine.start()
    machine.read()
    (machine.sockets / "default").unlink()
    new = machine.start()
    for source in (machine.source, machine.new_source()):
        found = views(machine.read(source))
        assert up(machine.read(source)) == {"default": new}
        [label] = set(found) - {"default"}
        hidden = found[label]
        assert hidden.process and (hidden.process.pid, hidden.up, hidden.ended) == (old, False, False)
        assert "another server took its socket's place" in problem(hidden)[1]
    end_process(old)
    wait_for(lambda: len(machine.read().servers) == 1, "the hidden server is forgotten")


# Pace


def test_a_costly_listing_is_used_again_within_its_pace(machine: Machine) -> None:
    machine.start()
    ticks = iter(range(1000))
    source = TmuxSource(
        TmuxSettings(),
        uid=UID,
        clock=machine.clock,
        environ={"TMUX_TMPDIR": str(machine.base)},
        cpu_seconds=lambda _: float(next(ticks)),
    )
    machine.read(source)
    [asked] = machine.read(source).servers
    [query] = asked.queries
    machine.clock.advance(query.seconds / 0.005 / 2)
    [reused] = machine.read(source).servers
    assert (reused.up, reused.queries, reused.listing) == (True, (), asked.listing)
    machine.clock.advance(query.seconds / 0.005)
    [again] = machine.read(source).servers
    assert len(again.queries) == 1


def test_a_process_clock_counts_its_work_and_ends_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            first = process_cpu_seconds(busy.pid)
            assert first is not None
            wait_for(lambda: (process_cpu_seconds(busy.pid) or 0) > first + 0.05, "the process works")
        finally:
            busy.kill()
    assert process_cpu_seconds(busy.pid) is None


def test_asking_costs_a_tmux_server_no_more_than_its_share(machine: Machine) -> None:
    """Sixty panes at the pace of the default interval, measured by the server's own clock."""
    pid = machine.start(command="sleep 3600")
    for _ in range(60):
        tmux("-S", str(machine.sockets / "default"), "new-window", "-d", "sleep 3600")
    machine.read()
    first = process_cpu_seconds(pid)
    assert first is not None
    for _ in range(10):
        machine.clock.advance(5)
        machine.read()
    spent = process_cpu_seconds(pid)
    assert spent is not None
    assert spent - first < 0.005 * 50


def test_a_folder_that_vanishes_between_two_samples_is_no_error(machine: Machine) -> None:
    pid = machine.start()
    machine.read()
    shutil.rmtree(machine.sockets)
    [server] = machine.read().servers
    assert (server.process and server.process.pid, server.up, server.ended) == (pid, False, False)
