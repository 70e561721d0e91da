"""The kernel's answer to who asks for process events."""

import os
import socket

import pytest

from tests.support.clock import ManualClock
from tests.support.wait import wait_for
from tmux_exporter.sources.events import connector, exec_events
from tmux_exporter.sources.events.exec_events import CommandWatch


class _OnlyEvents:
    """A socket of a container on a busy machine: events of others without end, and no answer."""

    def __init__(self, clock: ManualClock) -> None:
        self.received = 0
        self._clock = clock

    def bind(self, _: tuple[int, int]) -> None: ...

    def setsockopt(self, *_: int) -> None: ...

    def getsockname(self) -> tuple[int, int]:
        return 4711, 1

    def settimeout(self, _: float) -> None: ...

    def send(self, _: bytes) -> None: ...

    def close(self) -> None: ...

    def recv(self, _: int) -> bytes:
        self.received += 1
        self._clock.advance(0.1)
        return bytes(76)


def test_events_of_others_are_no_reason_to_wait_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    asked: list[_OnlyEvents] = []

    def open_socket(*_: object) -> _OnlyEvents:
        asked.append(_OnlyEvents(clock))
        return asked[-1]

    monkeypatch.setattr("tmux_exporter.sources.events.connector.socket.socket", open_socket)
    watch = CommandWatch(lambda *_: None, uid=0, clock=clock)
    watch.configure(wanted=True, most_per_second=10)
    assert asked[0].received < 20
    assert "the kernel does not answer" in caplog.text

    batch = watch.take_ended()
    assert batch and not batch.listening
    assert len(asked) == 1, "no sample waits for a kernel that has just not answered"
    clock.advance(60)
    watch.take_ended()
    assert len(asked) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_to_stop_what_has_ended_by_a_mistake_writes_to_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr("tmux_exporter.sources.events.connector.socket.socket", lambda *_: ours)
    monkeypatch.setattr(connector.Connection, "_ask", lambda _: None)
    watch = CommandWatch(lambda *_: None, uid=0, clock=ManualClock())
    watch.configure(wanted=True, most_per_second=10)
    thread = watch._thread
    assert thread is not None

    def fail(_: bytes) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(exec_events, "parse", fail)
    kernel.send(b"an event")
    wait_for(lambda: not thread.is_alive(), "the thread has ended")
    others = [os.pipe2(os.O_NONBLOCK) for _ in range(4)]
    watch.stop()
    kernel.close()
    for reading, writing in others:
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
        os.close(reading)
        os.close(writing)
