"""Find the listening sockets of a process, by the inodes in /proc/PID/fd and the tables in /proc/PID/net.

These tables show the network namespace of the process; the table of each namespace is read once.
"""

import contextlib
import os
from collections.abc import Iterator

from tmux_exporter.facts.process import Connection

_LISTEN = b"0A"
_ESTABLISHED = b"01"
_MAPPED = "0000000000000000FFFF0000"
"""How net/tcp6 begins the address of an IPv4 end."""
_CONNECTED = b"03"
_UNCONNECTED = b"07"
_TABLES = ("net/tcp", "net/tcp6")
_REACHABLE = {
    "net/tcp": _LISTEN,
    "net/tcp6": _LISTEN,
    "net/udp": _UNCONNECTED,
    "net/udp6": _UNCONNECTED,
    "net/udplite": _UNCONNECTED,
    "net/udplite6": _UNCONNECTED,
}
_ACCEPTS = 0x1_0000
"""__SO_ACCEPTCON in the flags of /proc/net/unix."""
_SOCKET = "socket:["


class Listening:
    """The listening sockets at one moment; make a new object for the next sample."""

    def __init__(self) -> None:
        self._ports: dict[int, dict[str, int]] = {}
        self._reachable: dict[int, frozenset[str]] = {}
        self._established: dict[int, dict[str, Connection]] = {}

    def connections(self, folder: int) -> frozenset[Connection]:
        """The established TCP connections, and those through a Unix socket with a path. Raises as `ports`."""
        inodes = _socket_inodes(folder)
        if not inodes:
            return frozenset()
        namespace = os.stat("ns/net", dir_fd=folder).st_ino
        if namespace not in self._established:
            self._established[namespace] = _established(folder)
        found = self._established[namespace]
        return frozenset(found[inode] for inode in inodes if inode in found)

    def reachable(self, folder: int) -> bool:
        """Whether a process can be reached: by a listening TCP or Unix socket, or an unconnected UDP socket.

        Raises as `ports`.
        """
        inodes = _socket_inodes(folder)
        if not inodes:
            return False
        namespace = os.stat("ns/net", dir_fd=folder).st_ino
        if namespace not in self._reachable:
            self._reachable[namespace] = _all_reachable(folder)
        return not inodes.isdisjoint(self._reachable[namespace])

    def ports(self, folder: int) -> frozenset[int]:
        """The ports of the process whose folder in /proc is open as `folder`.

        Raises OSError if its files cannot be read, ValueError for a malformed table.
        """
        inodes = _socket_inodes(folder)
        if not inodes:
            return frozenset()
        namespace = os.stat("ns/net", dir_fd=folder).st_ino
        if namespace not in self._ports:
            self._ports[namespace] = _listening(folder)
        ports = self._ports[namespace]
        return frozenset(ports[inode] for inode in inodes if inode in ports)


def _socket_inodes(folder: int) -> set[str]:
    files = os.open("fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    found = set()
    try:
        for name in os.listdir(files):
            # It was closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(name, dir_fd=files)
                if target.startswith(_SOCKET):
                    found.add(target[len(_SOCKET) : -1])
    finally:
        os.close(files)
    return found


def _listening(folder: int) -> dict[str, int]:
    """Port by inode of every listening TCP socket."""
    return {
        row[9].decode("ascii"): int(row[1].rpartition(b":")[2], 16)
        for table in _TABLES
        for row in _rows(table, folder)
        if len(row) > 9 and row[3] == _LISTEN
    }


def _established(folder: int) -> dict[str, Connection]:
    """Both ends by inode."""
    found = {
        row[9].decode("ascii"): (_end(row[1]), _end(row[2]))
        for table in _TABLES
        for row in _rows(table, folder)
        if len(row) > 9 and row[3] == _ESTABLISHED
    }
    # Which process is at the other end of a Unix socket is not shown.
    return found | {
        (inode := row[6].decode("ascii", "replace")): (f"unix:{inode}", "unix")
        for row in _rows("net/unix", folder)
        if len(row) > 7 and row[5] == _CONNECTED
    }


def _end(raw: bytes) -> str:
    """Address and port; an IPv4 end reads the same in both tables."""
    return raw.decode("ascii").removeprefix(_MAPPED)


def _all_reachable(folder: int) -> frozenset[str]:
    """The inodes of all sockets by which another process can reach their owner."""
    found = {
        row[9].decode("ascii")
        for table, state in _REACHABLE.items()
        for row in _rows(table, folder)
        if len(row) > 9 and row[3] == state
    }
    # A path that holds a newline can add a row but never remove one.
    unix = (row for row in _rows("net/unix", folder) if len(row) > 6)
    return frozenset(found | {row[6].decode("ascii", "replace") for row in unix if _is_listening(row[3])})


def _is_listening(flags: bytes) -> bool:
    try:
        return bool(int(flags, 16) & _ACCEPTS)
    except ValueError:
        return False


def _rows(table: str, folder: int) -> Iterator[list[bytes]]:
    """The rows of a socket table; none if the kernel lacks the protocol."""
    try:
        descriptor = os.open(table, os.O_RDONLY, dir_fd=folder)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "rb") as lines:
        next(lines, None)
        for line in lines:
            yield line.split()
