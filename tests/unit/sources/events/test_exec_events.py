"""The kernel's answer to who asks for process events."""

import pytest

from tests.support.clock import ManualClock
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

    monkeypatch.setattr("tmux_exporter.sources.events.exec_events.socket.socket", open_socket)
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
