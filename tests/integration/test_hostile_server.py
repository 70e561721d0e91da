"""Servers that mean harm: nothing is read, written, followed or stalled, and the failure is the right one."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.tmux.hostile import SCRIPTS, kinds, received, start
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse
from tmux_exporter.sources.tmux.protocol import MAX_ANSWER

REQUEST = [100, 111, 101, 109, 102, 108, 107, 106, 200]
READY, EXITING = 305, 205
SECRET = b"nobody may read this"
NOBODY = 65534


def ask(path: Path, *, timeout: float = 5.0, transport: str = "auto", uid: int | None = None) -> Answer:
    question = Question(socket=str(path), version=None)
    own = os.getuid() if uid is None else uid
    return ask_all([question], uid=own, timeout=timeout, transport=transport, clock=SystemClock())[0]


@pytest.fixture
def place(socket_dir: Path) -> Path:
    """The socket to be, beside a file to steal; `planted` must never come to be."""
    (socket_dir / "secret").write_bytes(SECRET)
    (socket_dir / "secret").chmod(0o600)
    return socket_dir / "server"


ENDS: dict[str, QueryFailure | None] = {
    "honest": None, "read-file": QueryFailure.UNTRUSTED, "write-file": QueryFailure.UNTRUSTED,
    "write-file-as-stdout": QueryFailure.UNTRUSTED, "read-stdin": QueryFailure.UNTRUSTED,
    "write-to-stdin": QueryFailure.UNTRUSTED, "write-unopened-stream": QueryFailure.UNTRUSTED,
    "output-before-open": QueryFailure.MALFORMED, "open-twice": QueryFailure.UNTRUSTED,
    "shell": QueryFailure.UNTRUSTED, "exec": QueryFailure.UNTRUSTED, "lock": QueryFailure.UNTRUSTED,
    "suspend": QueryFailure.UNTRUSTED, "detach-kill": QueryFailure.UNTRUSTED,
    "shutdown": QueryFailure.PARTIAL, "unknown-message": QueryFailure.PROTOCOL,
    "other-version": QueryFailure.PROTOCOL, "other-version-unasked": QueryFailure.PROTOCOL,
    "short-length": QueryFailure.MALFORMED, "huge-length": QueryFailure.MALFORMED,
    "long-length": QueryFailure.MALFORMED, "short-open": QueryFailure.MALFORMED,
    "short-output": QueryFailure.MALFORMED, "short-exit": QueryFailure.MALFORMED,
    "garbage": QueryFailure.MALFORMED, "flood": QueryFailure.UNTRUSTED,
    "flood-of-requests": QueryFailure.UNTRUSTED, "flood-before-question": QueryFailure.UNTRUSTED,
    "trickle": QueryFailure.HUNG, "trickle-of-bytes": QueryFailure.MALFORMED, "hang": QueryFailure.HUNG,
    "deaf": QueryFailure.HUNG, "close-at-once": QueryFailure.PARTIAL,
    "close-after-question": QueryFailure.PARTIAL, "close-in-answer": QueryFailure.PARTIAL,
    "success-without-a-byte": QueryFailure.PROTOCOL, "success-without-a-pane": QueryFailure.PARTIAL,
    "refused": QueryFailure.DENIED, "read-only": QueryFailure.DENIED, "no-session": None,
    "other-error": QueryFailure.PARTIAL, "claims-init": None, "claims-pane": None,
    "claims-impossible-pane": None, "many-panes": None, "million-panes": QueryFailure.UNTRUSTED,
}  # fmt: skip
MAY_HEAR_NOTHING = (
    "hang", "trickle", "deaf", "flood-before-question", "close-at-once", "other-version-unasked",
)  # fmt: skip


def test_every_script_has_its_end() -> None:
    assert ENDS.keys() == SCRIPTS.keys()


@pytest.mark.parametrize("script", ENDS)
def test_what_a_hostile_server_gets(script: str, place: Path) -> None:
    with start(place, script) as pid:
        before = time.monotonic()
        answer = ask(place, timeout=0.4 if ENDS[script] is QueryFailure.HUNG else 5.0)
        assert time.monotonic() - before < 4.5
        assert (answer.failure, answer.peer) == (ENDS[script], pid)
        assert answer.detail.isprintable()
        assert answer.detail.isascii()
        if answer.failure:
            assert answer.stdout == b""
        if script not in MAY_HEAR_NOTHING:
            heard = received(place, 829)
            assert SECRET not in heard
            assert kinds(heard)[:9] == REQUEST
            assert set(kinds(heard)[9:]) <= {READY, EXITING}
    assert not (place.parent / "planted").exists()


def test_waiting_costs_no_processor(place: Path) -> None:
    with start(place, "hang"):
        before = time.thread_time()
        assert ask(place, timeout=0.5).seconds > 0.4
        assert time.thread_time() - before < 0.1


@pytest.mark.parametrize("script", ["read-file", "write-file"])
def test_the_attacks_are_real_the_stock_client_obeys(script: str, place: Path) -> None:
    with start(place, script):
        command = ["tmux", "-u", "-S", str(place), "list-panes", "-a"]
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: _obeyed(script, place), "the stock client does as it is told")
        finally:
            client.kill()
            client.wait()


def _obeyed(script: str, place: Path) -> bool:
    planted = place.parent / "planted"
    if script == "read-file":
        return SECRET in received(place)
    return planted.exists() and planted.read_bytes() == b"owned\n"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("claims-init", QueryFailure.UNTRUSTED),
        ("claims-impossible-pane", QueryFailure.MALFORMED),
        ("many-panes", QueryFailure.MALFORMED),
    ],
)
def test_claims_that_only_the_parser_sees(script: str, failure: QueryFailure, place: Path) -> None:
    with start(place, script) as pid:
        answer = ask(place)
        with pytest.raises(ListingError) as caught:
            parse(answer, ProcessId(pid, 1))
    assert caught.value.failure is failure


def test_a_claimed_pane_pid_is_passed_on_as_a_claim(place: Path) -> None:
    # Whether a pane's process is one of the server's children is for those to see who see processes.
    with start(place, "claims-pane") as pid:
        assert [pane.pid for pane in parse(ask(place), ProcessId(pid, 1)).panes] == [1]


def test_an_honest_answer_and_one_without_a_session(place: Path) -> None:
    with start(place, "honest") as pid:
        assert len(parse(ask(place), ProcessId(pid, 1)).panes) == 1
    place.unlink()
    with start(place, "no-session") as pid:
        assert parse(ask(place), ProcessId(pid, 1)).sessions == ()


@pytest.mark.parametrize("transport", ["auto", "socket", "client"])
def test_nothing_is_said_to_another_user(transport: str, place: Path) -> None:
    # Seen from our side "another user" is a peer of another uid than the one we ask for.
    with start(place, "honest"):
        answer = ask(place, transport=transport, uid=os.getuid() + 1)
        assert (answer.failure, answer.peer) == (QueryFailure.UNTRUSTED, None)
        # An honest question after it shows that the log is kept, and that nothing came before.
        assert ask(place).failure is None
        assert kinds(received(place, 829))[:9] == REQUEST
    if os.getuid() == 0:
        place.unlink()
        Path(f"{place}.log").unlink()
        with start(place, "read-file", uid=NOBODY) as pid:
            answer = ask(place, transport=transport)
            assert (answer.failure, answer.peer) == (QueryFailure.UNTRUSTED, None)
            assert f"uid {NOBODY}" in answer.detail
            assert ask(place, uid=NOBODY, timeout=0.4).peer == pid
            assert kinds(received(place, 829))[:9] == REQUEST


def test_the_program_of_a_peer_that_is_no_tmux_is_not_run(place: Path) -> None:
    with start(place, "garbage"):
        assert "is no tmux but python" in ask(place).detail
        forced = ask(place, transport="client")
    assert forced.failure is QueryFailure.PROTOCOL
    assert "is no tmux but python" in forced.detail


def _peak_memory(work: Callable[[], object]) -> int:
    """Bytes by which the peak of resident memory rose during `work`."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


@pytest.mark.parametrize("script", ["flood", "flood-of-requests", "million-panes", "many-panes"])
def test_memory_is_bounded(script: str, place: Path) -> None:
    def work() -> None:
        with start(place, script) as pid:
            answer = ask(place)
            if not answer.failure:
                with pytest.raises(ListingError):
                    parse(answer, ProcessId(pid, 1))

    assert _peak_memory(work) < 6 * MAX_ANSWER


def test_harm_on_every_side_costs_the_good_server_nothing(socket_dir: Path, tmux_server: StartTmux) -> None:
    (socket_dir / "secret").write_bytes(SECRET)
    tmux_server("good")
    harmful = ["flood", "trickle", "hang", "deaf", "garbage", "close-at-once", "read-file", "million-panes"]
    descriptors = len(os.listdir("/proc/self/fd"))
    servers = [start(socket_dir / script, script) for script in harmful]
    try:
        for server in servers:
            server.__enter__()
        names = [*harmful, "good", "missing"]
        questions = [Question(socket=str(socket_dir / name), version=None) for name in names]
        started = time.monotonic()
        answers = ask_all(questions, uid=os.getuid(), timeout=1.5, transport="auto", clock=SystemClock())
        assert time.monotonic() - started < 4.0
    finally:
        for server in servers:
            server.__exit__(None, None, None)
    assert [answer.socket for answer in answers] == [question.socket for question in questions]
    assert answers[-2].failure is None
    assert answers[-1].failure is QueryFailure.NOSERVER
    assert all(answer.failure for answer in answers[:-2])
    assert len(os.listdir("/proc/self/fd")) == descriptors
