"""The kernel's process events, on messages as Linux 6.18 sent them, and cut short anywhere."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.sources.events.exec_parse import EXEC, EXIT, Acknowledged, Exited, Started, parse, request


def message(what: int, at: int, *words: int) -> bytes:
    """As `recv` returns it: 76 bytes."""
    event = struct.pack("=IIQ", what, 1, at) + b"".join(struct.pack("=I", word) for word in words)
    event = event.ljust(40, b"\0")
    connector = struct.pack("=IIIIHH", 1, 1, 9, 0, len(event), 0)
    return struct.pack("=IHHII", 16 + 20 + len(event), 3, 0, 0, 0) + connector + event


def test_events() -> None:
    assert list(parse(message(EXEC, 5, 11, 10))) == [Started(10, 5)]
    assert list(parse(message(EXIT, 6, 10, 10, 256))) == [Exited(10, 6, 256)]
    assert list(parse(message(0, 0, 1))) == [Acknowledged(1)]
    both = message(EXEC, 5, 11, 10) + message(EXIT, 6, 10, 10, 9)
    assert list(parse(both)) == [Started(10, 5), Exited(10, 6, 9)]


def test_what_is_no_event_of_a_program() -> None:
    assert list(parse(message(EXIT, 6, 11, 10, 0))) == [], "a thread that ends"
    assert list(parse(message(1, 6, 11, 10))) == [], "a fork"
    other = bytearray(message(EXEC, 5, 11, 10))
    other[16] = 9
    assert list(parse(bytes(other))) == [], "another connector"


@given(st.binary(max_size=300) | st.integers(0, 76).map(lambda n: message(EXEC, 5, 1, 1)[:n]))
def test_nothing_makes_it_raise(data: bytes) -> None:
    for event in parse(data):
        assert isinstance(event, Acknowledged | Started | Exited)


def test_the_request_is_the_kernels() -> None:
    assert request(7) == struct.pack("=IHHII", 40, 3, 0, 0, 7) + struct.pack("=IIIIHHI", 1, 1, 0, 0, 4, 0, 1)
    assert len(request(7, only=EXEC | EXIT)) == 44
