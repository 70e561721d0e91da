"""Fork events as the kernel sends them, many for one system call: who forked, who ended, what was lost."""

import errno
import os
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tmux_exporter.analysis.ownership.lineage import Lineage, _Node
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.events.fork_events import ForkWatch, _Events
from tmux_exporter.sources.events.receive_many import ReceiveMany

FORK, EXEC, EXIT = 0x1, 0x2, 0x8000_0000
SLOT = 128


class Forks:
    """Keeps what it is told."""

    rounds_to_wait = 0

    def __init__(self) -> None:
        self.told: list[object] = []

    def fork(self, parent: int, child: int, at: int) -> None:
        self.told.append(("fork", parent, child, at))

    def exit(self, pid: int, at: int) -> None:
        self.told.append(("exit", pid, at))

    def pass_over(self, parent: int, child: int) -> None:
        self.told.append(("passed over", parent, child))

    def lose(self) -> None:
        self.told.append("lost")

    def running(self) -> tuple[int, ...]:
        return ()

    def clock(self, pid: int, nanoseconds: int, at: int) -> bool:
        raise AssertionError((pid, nanoseconds, at))

    def adopted(self, pid: int, parent: int) -> None:
        raise AssertionError((pid, parent))


PIDS = st.tuples(st.integers(1, 6), st.integers(1, 6)).filter(lambda both: both[0] != both[1])
HISTORIES = st.lists(st.tuples(st.booleans(), PIDS), max_size=30)


@settings(max_examples=examples(400), deadline=None, derandomize=True)
@given(HISTORIES)
def test_what_ends_at_once_and_forks_nobody_may_be_passed_over(
    history: list[tuple[bool, tuple[int, int]]],
) -> None:
    """All that is known afterwards is the same as if each event had been told for itself."""
    known = []
    for at_once in (True, False):
        lineage = Lineage()
        lineage._nodes[1] = _Node(1, None, None)
        watch = ForkWatch(lineage, clock=SystemClock())
        messages = [
            message(number, FORK, one, one, other, other) if is_fork else message(number, EXIT, one, one)
            for number, (is_fork, (one, other)) in enumerate(history)
        ]
        batches = (
            [b"".join(each.ljust(SLOT, b".") for each in messages)]
            if at_once
            else [each.ljust(SLOT, b".") for each in messages]
        )
        expected: dict[int, int] = {}
        for each in batches:
            watch._take(memoryview(each), expected)
        known.append(
            (
                {pid: node.parent and node.parent.pid for pid, node in lineage._nodes.items()},
                set(lineage._orphans),
                {each.pid for each in lineage._ended},
                lineage._exited,
            )
        )
    assert known[0] == known[1]


def message(number: int, what: int, *data: int, processor: int = 0) -> bytes:
    """The netlink header, the connector's with its number, and the event."""
    words = struct.pack("=6I", *data, *[0] * (6 - len(data)))
    connector = struct.pack("=IIIIHH", 1, 1, number, 0, 40, 0)
    return (
        struct.pack("=IHHII", 76, 3, 0, number, 0)
        + connector
        + struct.pack("=IIQ", what, processor, 7)
        + words
    )


def told_of(*messages: bytes) -> list[object]:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with sender, receiver:
        receiver.setblocking(False)
        for each in messages:
            sender.send(each)
        watch = ForkWatch(Forks(), clock=SystemClock())
        watch._drain(_Events(ReceiveMany(receiver.fileno(), SLOT)))
        assert watch.lost == watch.forks.told.count("lost")
        return watch.forks.told


def test_what_ends_in_its_batch_is_passed_over_unless_it_forked() -> None:
    assert told_of(
        message(1, FORK, 10, 10, 11, 11),
        message(2, EXIT, 11, 11),
        message(3, FORK, 10, 10, 12, 12),
        message(4, FORK, 12, 12, 13, 13),
        message(5, EXIT, 12, 12),
        message(6, FORK, 10, 10, 14, 14),
        message(8, EXIT, 14, 14),
    ) == [
        ("passed over", 10, 11),
        ("fork", 10, 12, 7),
        ("fork", 12, 13, 7),
        ("exit", 12, 7),
        "lost",
        ("exit", 14, 7),
    ]


def test_threads_and_other_programs_are_neither_forks_nor_ends() -> None:
    assert told_of(
        message(1, FORK, 10, 10, 11, 11),
        message(2, FORK, 10, 10, 12, 10),
        message(3, EXEC, 11, 11),
        message(4, EXIT, 12, 10),
        message(5, EXIT, 10, 10),
    ) == [("fork", 10, 11, 7), ("exit", 10, 7)]


def test_each_processor_has_numbers_of_its_own_and_a_gap_is_a_loss() -> None:
    assert told_of(
        message(0xFFFF_FFFF, EXIT, 1, 1),
        message(5, EXIT, 2, 2, processor=1),
        message(0, EXIT, 3, 3),
        message(7, EXIT, 4, 4, processor=1),
        message(8, EXEC, 4, 4, processor=1),
    ) == [("exit", 1, 7), ("exit", 2, 7), ("exit", 3, 7), "lost", ("exit", 4, 7)]


@pytest.mark.parametrize("count", [0, 127, 128, 200])
def test_all_that_has_come_is_taken_once_and_in_order(count: int) -> None:
    found = told_of(*(message(number, EXIT, number, number) for number in range(count)))
    assert found == [("exit", number, 7) for number in range(count)]


def test_messages_that_cannot_be_received_are_an_error() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as unconnected:
        many = ReceiveMany(unconnected.fileno(), 128)
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            list(many.batches())
