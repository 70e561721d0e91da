"""The socket against those who mean it no good, and against exporters that come and go."""

import os
import random
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.isolation.child import NOBODY, in_child
from tests.support.programs.op_listener import OpListener
from tests.support.wait import wait_for
from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.sources.events.operation_socket import OperationSocket
from tmux_exporter.wire.operation_line import begin_line
from tmux_exporter.wire.runtime_folder import OPERATIONS_SOCKETS


@pytest.fixture
def sender(listener: OpListener) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.connect(str(listener.path))
        made.settimeout(20)
        yield made


def good(listener: OpListener, sequence: int = 1, stream: str = "ab" * 8) -> bytes:
    """A begin that is counted."""
    return begin_line(stream, sequence, listener.path.stat().st_mtime_ns, "recovery")


def is_still_well(listener: OpListener, sender: socket.socket) -> bool:
    """It counts the next report."""
    before = listener.figures("recovery").in_flight
    sender.send(good(listener, stream=os.urandom(8).hex()))
    wait_for(lambda: listener.figures("recovery").in_flight == before + 1, "it counts", timeout=60)
    return True


def test_nobody_else_may_come_near(listener: OpListener) -> None:
    assert stat.S_IMODE(listener.path.parent.stat().st_mode) == 0o700
    assert {each.name for each in listener.path.parent.iterdir()} == {*OPERATIONS_SOCKETS, "operations.lock"}
    listener.stop()
    assert {each.name for each in listener.path.parent.iterdir()} == {"operations.lock"}


def test_noise_is_counted_and_nothing_more(listener: OpListener, sender: socket.socket) -> None:
    chance = random.Random(5)
    for size in (*range(0, 400, 7), 4096, 100_000):
        sender.send(chance.randbytes(size))
    sender.send(b"tmux-op/2 begin and so on\n")
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    try:
        sender.send(b"x" * (1 << 20))
        large = 1
    except OSError:
        large = 0  # this kernel's bound is lower
    expected = {OperationLoss.MALFORMED: 58 + 2 + large, OperationLoss.VERSION: 1}
    wait_for(lambda: listener.lost() == expected, f"{expected}, not {listener.lost()}", timeout=60)
    assert is_still_well(listener, sender)


def test_descriptors_that_come_along_are_not_taken(listener: OpListener, sender: socket.socket) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open("/dev/null", "rb") as one:
        for number in range(1, 51):
            socket.send_fds(sender, [good(listener, number)], [one.fileno()] * 20)
        wait_for(lambda: listener.figures("recovery").in_flight == 50, "all are counted", timeout=60)
        assert len(os.listdir("/proc/self/fd")) == before + 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can send as somebody else")
def test_a_report_of_somebody_else_is_refused(listener: OpListener, sender: socket.socket) -> None:
    line = good(listener)
    in_child(lambda: sender.send(line), uid=NOBODY)
    wait_for(lambda: listener.lost() == {OperationLoss.FOREIGN: 1}, "it is refused", timeout=60)
    assert listener.figures("recovery").in_flight == 0
    assert is_still_well(listener, sender)


def test_a_second_exporter_waits_for_the_first(
    listener: OpListener, caplog: pytest.LogCaptureFixture
) -> None:
    second = OperationSocket(listener.path.parent, OperationCounters(), uid=os.getuid(), clock=SystemClock())
    assert second.read(lambda: "before its start") == "before its start"
    second.start()
    for _ in range(3):
        assert second.read(lambda: "seen") is None
    assert [each.message for each in caplog.records] == [
        "another exporter of this user gets the reports of operations"
    ]
    listener.stop()
    assert second.read(lambda: "seen") == "seen"
    second.stop()


def test_who_cleans_up_the_folder_does_not_end_it(listener: OpListener) -> None:
    for path in listener.path.parent.iterdir():
        path.unlink()
    listener.path.parent.rmdir()
    listener.report()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(listener.path))
        assert is_still_well(listener, sender)


def test_a_folder_that_cannot_be_had_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / ("long" * 30)
    made = OperationSocket(folder, OperationCounters(), uid=os.getuid(), clock=SystemClock())
    made.start()
    assert made.read(lambda: "seen") is None
    assert len(caplog.records) == 1
    assert "operations cannot be reported" in caplog.records[0].message
    made.stop()
    assert [each.name for each in threading.enumerate() if each.name == "operations"] == []
    before = len(os.listdir("/proc/self/fd"))
    made.start()
    made.stop()
    assert len(os.listdir("/proc/self/fd")) == before, "what was opened halfway is closed"
