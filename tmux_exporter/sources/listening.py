"""On which TCP ports a process listens: /proc/PID/fd gives its sockets, /proc/PID/net/tcp what they are.

Each process sees the sockets of its own network namespace there; that of many processes is read once.
"""

import contextlib
import os

_LISTEN = b"0A"
_TABLES = ("net/tcp", "net/tcp6")
_SOCKET = "socket:["


class Listening:
    """The listening sockets of one moment: make a new one for the next."""

    def __init__(self) -> None:
        self._ports: dict[int, dict[str, int]] = {}

    def ports(self, folder: int) -> frozenset[int]:
        """The ports of the process whose folder in /proc is open as `folder`.

        Raises OSError where its files may not be seen, ValueError for a table that is none.
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
            # Closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(name, dir_fd=files)
                if target.startswith(_SOCKET):
                    found.add(target[len(_SOCKET) : -1])
    finally:
        os.close(files)
    return found


def _listening(folder: int) -> dict[str, int]:
    """Port by inode of every listening TCP socket."""
    found: dict[str, int] = {}
    for table in _TABLES:
        try:
            descriptor = os.open(table, os.O_RDONLY, dir_fd=folder)
        except FileNotFoundError:
            # A kernel without IPv6.
            continue
        with os.fdopen(descriptor, "rb") as lines:
            next(lines, None)
            for line in lines:
                row = line.split()
                if len(row) > 9 and row[3] == _LISTEN:
                    found[row[9].decode("ascii")] = int(row[1].rpartition(b":")[2], 16)
    return found
