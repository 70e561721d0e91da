"""Established connections of a process, from real sockets of this one."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tmux_exporter.analysis.leaks.proof import is_connected
from tmux_exporter.facts.process import Connection
from tmux_exporter.sources.processes.leak_details import Listening


@contextmanager
def opened() -> Iterator[int]:
    descriptor = os.open(f"/proc/{os.getpid()}", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def connections() -> frozenset[Connection]:
    with opened() as folder:
        return Listening().connections(folder)


def test_both_ends_of_an_ipv4_connection_to_a_dual_stack_socket_read_the_same() -> None:
    before = connections()
    with ExitStack() as held:
        server = held.enter_context(
            socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        )
        assert connections() == before, "who only listens is connected to nobody"
        client = held.enter_context(socket.create_connection(("127.0.0.1", server.getsockname()[1])))
        accepted, _ = server.accept()
        held.enter_context(accepted)
        found = connections() - before
        assert len(found) == 2 and is_connected([found]) is False
        assert client.getsockname()
        one = frozenset(list(found)[:1])
        assert is_connected([one]) is True


def test_what_came_through_a_unix_socket_with_a_path_is_a_connection(tmp_path: Path) -> None:
    before = connections()
    with ExitStack() as held:
        server = held.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(tmp_path / "s"))
        server.listen()
        client = held.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(str(tmp_path / "s"))
        accepted, _ = server.accept()
        held.enter_context(accepted)
        found = connections() - before
        assert {other for _, other in found} == {"unix"} and is_connected([found]) is True


def test_a_socket_pair_is_none() -> None:
    before = connections()
    one, other = socket.socketpair()
    with one, other:
        assert connections() == before
