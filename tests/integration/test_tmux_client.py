"""The question against real servers of the installed tmux, and against sockets that are none."""

import errno
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.run_text import run_text
from tests.support.tmux import checks
from tests.support.tmux.hostile import received, start
from tests.support.tmux.under_test import TmuxUnderTest, tmux_under_test
from tests.support.wait import wait_for
from tests.versions.get_tmux import installed_tmux
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey, QueryFailure
from tmux_exporter.facts.tmux_quirks import SERVER_ACCESS
from tmux_exporter.sources.tmux import ask as tmux_client
from tmux_exporter.sources.tmux import client_transport, protocol, socket_transport
from tmux_exporter.sources.tmux.answer import ExchangeResult, judge_listing, judge_screens
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.client_transport import ProgramError, ProgramExchange
from tmux_exporter.sources.tmux.query import command_list, new_nonce
from tmux_exporter.sources.tmux.screens import Asked, ScreenReader, parse_screens

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def server(socket_dir: Path) -> Iterator[TmuxUnderTest]:
    with tmux_under_test(installed_tmux(), socket_dir / "default") as running:
        yield running


def ask(path: Path | str, transport: str = "auto", timeout: float = 5.0) -> Answer:
    question = Question(socket=str(path), version=None)
    return ask_all([question], uid=os.getuid(), timeout=timeout, transport=transport, clock=SystemClock())[0]


def test_own_client_and_topology(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    checks.agrees_with_own_client(server)
    checks.topology_is_right(server)
    checks.clients_are_counted(server)


def test_what_a_pane_its_window_or_its_session_is_protected_by(server: TmuxUnderTest) -> None:
    checks.a_pane_is_protected_from_above(server)


def test_every_allowed_variable_is_harmless(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    checks.every_allowed_variable_is_harmless(server)


def test_cuts_are_harmless(server: TmuxUnderTest) -> None:
    checks.cuts_are_harmless(server)


def test_hooks_of_the_users(server: TmuxUnderTest) -> None:
    checks.hooks_do_not_blind(server)


def test_screens(server: TmuxUnderTest, tmp_path: Path) -> None:
    checks.screens_are_what_their_panes_show(server, tmp_path)
    checks.a_pane_that_is_gone_ends_the_screens(server)
    checks.cuts_of_screens_are_harmless(server)


@pytest.mark.parametrize("transport", ["socket", "client", "auto"])
def test_screens_by_every_way(transport: str, server: TmuxUnderTest) -> None:
    question = Question(socket=str(server.path), version=None, screens=("%0",))
    answer = ask_all([question], uid=os.getuid(), timeout=9, transport=transport, clock=SystemClock())[0]
    assert (answer.failure, answer.peer) == (None, server.pid)
    assert parse_screens(answer.stdout, answer.nonce) == {"%0": ()}


def test_a_screen_that_is_too_much_is_cut_off(server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_ANSWER", 100)
    reader = ScreenReader(uid=os.getuid(), clock=SystemClock())
    key = PaneKey(ProcessId(server.pid, 1), "%0")
    asked = [Asked(socket=str(server.path), panes=(key,))]
    assert "too long" in reader.read(asked, transport="auto", timeout=9.0)[key].problem
    assert reader.read(asked, transport="auto", timeout=9.0) == {}


def test_asking_leaves_no_trace(server: TmuxUnderTest) -> None:
    own = len(os.listdir("/proc/self/fd"))
    assert checks.asks_for(server, 1.0) > 20
    assert len(os.listdir("/proc/self/fd")) == own


PRINT_TEXTS = """
import json, sys
from tests.integration.test_tmux_client import ask
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.tmux.parse_listing import parse
answer = ask(sys.argv[1], sys.argv[2])
got = parse(answer, ProcessId(answer.peer, 1))
print(json.dumps([[pane.id, pane.agent_option] for pane in got.panes] + [w.name for w in got.windows]))
"""


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_hostile_names(locale: str, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    with tmux_under_test(installed_tmux(), socket_dir / "default") as server:
        checks.names_come_through(server, socket_dir / "TOUCHED")
        for transport in ("socket", "client"):
            seen = subprocess.run(
                [sys.executable, "-c", PRINT_TEXTS, str(server.path), transport],
                cwd=REPOSITORY,
                capture_output=True,
                check=True,
            )
            listing = server.listing()
            expected: list[object] = [[pane.id, pane.agent_option] for pane in listing.panes]
            assert json.loads(seen.stdout) == expected + [window.name for window in listing.windows]
    assert not (socket_dir / "TOUCHED").exists()


def test_the_witness_of_execution_is_no_blind_one(server: TmuxUnderTest, socket_dir: Path) -> None:
    # What the test above says did not happen does happen where a value is expanded once more.
    mark = socket_dir / "TOUCHED"
    server.ok("set-option", "-p", "@agent", f"#(touch {mark})")

    def expanded() -> bool:
        server.ok("list-panes", "-a", "-F", "#{E:@agent}")
        return mark.exists()

    wait_for(expanded, "tmux runs what an option holds")


class Stingy(socket.socket):
    """A socket that takes a few bytes at a time, and every other time none."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused = False

    def send(self, data: Any, flags: int = 0) -> int:
        self.refused = not self.refused
        if self.refused:
            raise BlockingIOError
        return super().send(data[:7], flags)


def test_a_question_that_leaves_in_pieces(server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    checks.furnish(server)
    whole = server.listing()
    monkeypatch.setattr(socket, "socket", Stingy)
    assert server.listing().panes == whole.panes


def test_both_transports_give_the_same(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    listings = [server.listing(transport=transport) for transport in ("socket", "client", "auto")]
    for listing in listings[1:]:
        for part in ("version", "sessions", "windows", "links", "panes", "clients"):
            assert getattr(listing, part) == getattr(listings[0], part)


def speak_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server answers a message of another protocol version with one that says so, and hangs up."""
    monkeypatch.setattr(protocol, "PROTOCOL_VERSION", 9)
    monkeypatch.setattr(socket_transport, "check_request", lambda _: None)


def test_in_another_dialect_its_program_asks(server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    speak_another_version(monkeypatch)
    assert server.ask(transport="socket").failure is QueryFailure.PROTOCOL
    assert [pane.id for pane in server.listing(transport="auto").panes] == ["%0"]


def test_the_program_is_not_run_for_a_socket_of_another_owner(server: TmuxUnderTest) -> None:
    # Only root can give a file away; who cannot sees the same check by expecting another owner.
    if os.getuid() == 0:
        os.chown(server.path, 65534, 65534)
        answer = server.ask(transport="client")
        assert answer.failure is QueryFailure.PROTOCOL
        assert "another user" in answer.detail
    with pytest.raises(ProgramError, match="another user"), selectors.PollSelector() as selector:
        ProgramExchange(
            (str(server.path), server.pid), os.getuid() + 1, ("list-panes",), judge_screens, selector
        )


def run_program(path: Path, server: TmuxUnderTest) -> ExchangeResult:
    """Run the program of a living server against any socket."""
    nonce = new_nonce()
    with selectors.PollSelector() as selector:
        exchange = ProgramExchange(
            (str(path), server.pid),
            os.getuid(),
            command_list(nonce, None),
            partial(judge_listing, nonce=nonce),
            selector,
        )
        while exchange.outcome is None:
            for key, events in selector.select(10):
                key.data(key.fileobj, events)
        exchange.close()
        return exchange.outcome


def test_what_the_program_says_of_a_dead_socket(server: TmuxUnderTest, socket_dir: Path) -> None:
    with tmux_under_test(installed_tmux(), socket_dir / "stale"):
        pass
    assert run_program(socket_dir / "stale", server).failure is QueryFailure.NOSERVER


def test_the_program_is_cut_off_too(server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_transport, "MAX_ANSWER", 100)
    assert run_program(server.path, server).failure is QueryFailure.UNTRUSTED
    assert not children()


@pytest.mark.parametrize("transport", ["socket", "client", "auto"])
def test_a_stopped_server_costs_its_answer(transport: str, server: TmuxUnderTest, socket_dir: Path) -> None:
    with tmux_under_test(installed_tmux(), socket_dir / "stopped") as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        own = len(os.listdir("/proc/self/fd"))
        started = time.monotonic()
        questions = [stopped.question(), server.question(), stopped.question()]
        answers = ask_all(questions, uid=os.getuid(), timeout=2, transport=transport, clock=SystemClock())
        assert 2 <= time.monotonic() - started < 3.8
        assert [answer.failure for answer in answers] == [QueryFailure.HUNG, None, QueryFailure.HUNG]
        assert [answer.peer for answer in answers] == [stopped.pid, server.pid, stopped.pid]
        assert answers[1].seconds < 1.8 < answers[0].seconds
        assert len(os.listdir("/proc/self/fd")) == own
        assert not children()
        os.kill(stopped.pid, signal.SIGCONT)
        assert stopped.ask(transport=transport).failure is None


def children() -> list[str]:
    """Our own children by state, zombies too."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_a_stopped_server_with_a_full_backlog(server: TmuxUnderTest) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    waiting: list[socket.socket] = []
    with pytest.raises(BlockingIOError):
        while True:
            client = socket.socket(socket.AF_UNIX)
            waiting.append(client)
            client.setblocking(False)
            client.connect(str(server.path))
    answer = ask(server.path)
    for client in waiting:
        client.close()
    assert (answer.failure, answer.peer) == (QueryFailure.HUNG, None)
    assert "backlog" in answer.detail
    os.kill(server.pid, signal.SIGCONT)
    wait_for(lambda: server.ask().failure is None, "the server answers again")


@pytest.mark.parametrize("transport", ["socket", "client"])
def test_a_server_without_a_session(transport: str, server: TmuxUnderTest) -> None:
    server.ok("set-option", "-s", "exit-empty", "off")
    server.ok("kill-session", "-t", "main")
    assert server.ask(transport=transport).empty
    listing = server.listing(transport=transport)
    assert (listing.version, listing.sessions, listing.panes) == (server.version, (), ())


@pytest.mark.parametrize("transport", ["socket", "client", "auto"])
def test_sockets_that_nobody_serves(transport: str, socket_dir: Path) -> None:
    with tmux_under_test(installed_tmux(), socket_dir / "stale") as gone:
        pass
    assert gone.path.is_socket()
    (socket_dir / "file").write_text("no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other_kind:
        other_kind.bind(str(socket_dir / "packets"))
        other_kind.listen()
        said = {
            name: ask(socket_dir / name, transport)
            for name in ("missing", "stale", "file", "packets", "file/below", "x" * 120)
        }
    said["relative"] = ask("relative", transport)
    said["empty"] = ask("", transport)
    said["nul"] = ask("/tmp/\0x", transport)
    assert {answer.failure for answer in said.values()} == {QueryFailure.NOSERVER}
    assert {answer.peer for answer in said.values()} == {None}
    details = {name: answer.detail for name, answer in said.items()}
    assert details["missing"] == details["file/below"] == "the socket does not exist"
    assert details["stale"] == details["file"] == "no process listens on the socket"
    assert "another kind" in details["packets"]
    assert "too long" in details["x" * 120]
    assert not (socket_dir / "missing").exists()


def ask_as_nobody(path: Path, uid: int) -> str:
    """What a process of another uid, which takes servers of `uid` for its own, is answered."""
    program = (
        "import sys, os; sys.path.insert(0, sys.argv[1]);"
        "from tmux_exporter.base.clock import SystemClock; from tmux_exporter.sources.tmux.ask import *;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "print(ask_all([Question(socket=sys.argv[2], version=None)], uid=int(sys.argv[3]), timeout=5,"
        " transport='socket', clock=SystemClock())[0].failure)"
    )
    command = [sys.executable, "-c", program, str(REPOSITORY), str(path), str(uid)]
    return run_text(command, check=True).stdout.strip()


def test_a_socket_that_may_not_be_opened(server: TmuxUnderTest) -> None:
    if os.getuid() == 0:
        # Root may open everything, so another uid asks.
        assert ask_as_nobody(server.path, 0) == "denied"
    else:
        server.path.chmod(0)
        assert server.ask().failure is QueryFailure.DENIED
        # The fixture ends the server through this socket.
        server.path.chmod(0o600)


def test_a_server_that_refuses_this_user(server: TmuxUnderTest, socket_dir: Path) -> None:
    if os.getuid() == 0 and SERVER_ACCESS.holds(server.version):
        for path in (socket_dir.parent, socket_dir):
            path.chmod(0o711)
        server.path.chmod(0o777)
        assert ask_as_nobody(server.path, 0) == "denied"
        server.ok("server-access", "-a", "-r", "nobody")
        assert ask_as_nobody(server.path, 0) == "denied"
        server.ok("server-access", "-w", "nobody")
        assert ask_as_nobody(server.path, 0) == "None"
        assert ask_as_nobody(server.path, 65534) == "untrusted"
    # The words of a refusal, for users who cannot make a server refuse them.
    for script in ("refused", "read-only"):
        with start(socket_dir / script, script):
            assert ask(socket_dir / script).failure is QueryFailure.DENIED


@pytest.mark.parametrize("at", ["socket", "pipe", "pidfd_open"])
def test_out_of_descriptors(at: str, server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    own = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(socket if at == "socket" else os, at, refuse)
    answer = server.ask(transport="client")
    monkeypatch.undo()
    assert answer.failure in (QueryFailure.PARTIAL, QueryFailure.PROTOCOL)
    assert "Too many open files" in answer.detail
    assert len(os.listdir("/proc/self/fd")) == own
    assert server.path.name not in str(children_commands())


def children_commands() -> list[bytes]:
    return [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children()]


def test_a_big_endian_machine_asks_by_the_program(
    server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch, socket_dir: Path
) -> None:
    monkeypatch.setattr(tmux_client, "_LITTLE_ENDIAN", False)
    assert len(server.listing(transport="auto").panes) == 1
    with start(socket_dir / "fake", "honest"):
        assert ask(socket_dir / "fake", "socket").failure is QueryFailure.PROTOCOL
        assert received(socket_dir / "fake") == b""


def test_a_wrong_transport_is_our_own_fault(server: TmuxUnderTest) -> None:
    with pytest.raises(ValueError, match="auto, socket, client"):
        server.ask(transport="carrier pigeon")


def test_no_question_no_answer() -> None:
    assert ask_all([], uid=0, timeout=5, transport="auto", clock=SystemClock()) == ()


def test_a_server_that_is_killed_while_it_is_asked(server: TmuxUnderTest) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    killer = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.2; kill -KILL {server.pid}"])
    answer = server.ask(timeout=5)
    killer.wait()
    assert answer.failure is QueryFailure.PARTIAL
    wait_for(lambda: server.ask().failure is QueryFailure.NOSERVER, "the socket is known to be stale")
