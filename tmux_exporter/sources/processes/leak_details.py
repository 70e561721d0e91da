"""Read details of few processes: systemd unit, working folder, listening ports, and the shells of schedulers.

Only processes that may be leaked, and schedulers, are read, each at most once a minute. The tables of
sockets in /proc/PID/net show the network namespace of the process; each namespace is read once.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Connection, Descriptors, LeakDetails, ProcessId
from tmux_exporter.facts.schedulers import ShellFacts, ShellQuestion
from tmux_exporter.sources.common.ttl_cache import PATIENT_SECONDS, TtlCache
from tmux_exporter.sources.processes.descriptors import read_descriptors, socket_inodes
from tmux_exporter.sources.processes.parse import text
from tmux_exporter.sources.processes.process_detail import ReadAttempts
from tmux_exporter.sources.processes.process_folder import opened_folder, read_file
from tmux_exporter.sources.processes.shells import ShellReader

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


class Listening:
    """The listening sockets at one moment; make a new object for the next sample."""

    def __init__(self) -> None:
        self._ports: dict[int, dict[str, int]] = {}
        self._reachable: dict[int, frozenset[str]] = {}
        self._established: dict[int, dict[str, Connection]] = {}

    def connections(self, folder: int) -> frozenset[Connection]:
        """The established TCP connections, and those through a Unix socket with a path. Raises as `ports`."""
        inodes = socket_inodes(folder)
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
        inodes = socket_inodes(folder)
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
        inodes = socket_inodes(folder)
        if not inodes:
            return frozenset()
        namespace = os.stat("ns/net", dir_fd=folder).st_ino
        if namespace not in self._ports:
            self._ports[namespace] = _listening(folder)
        ports = self._ports[namespace]
        return frozenset(ports[inode] for inode in inodes if inode in ports)


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


T = TypeVar("T")
_UNITS = (".service", ".scope")
# The user's own manager: a process directly in it belongs to no unit.
_MANAGER = re.compile(r"user@\d+\.service")
_DELETED = b" (deleted)"


class LeakDetailReader:
    """Reads these details. Without a Linux /proc at `proc_root` everything is unknown."""

    def __init__(self, *, clock: Clock, proc_root: str = "/proc") -> None:
        self._clock = clock
        self._root = proc_root
        self._kept = TtlCache(self._read_details)
        self._folders = TtlCache(self._folder, PATIENT_SECONDS)
        self._descriptors = TtlCache(self._descriptors_of, PATIENT_SECONDS)
        self._listening = Listening()
        self._shells = ShellReader(clock=clock, proc_root=proc_root)
        self._sees_roots = os.path.exists(os.path.join(proc_root, "self", "root"))

    def shells(self, questions: Iterable[ShellQuestion]) -> Mapping[ProcessId, ShellFacts] | None:
        """The facts that decide which programs these shells run; None without a Linux /proc."""
        return self._shells.read(questions) if self._sees_roots else None

    def read(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, LeakDetails]:
        """The details of the processes that exist. Raises nothing for what it finds."""
        self._listening = Listening()
        return self._kept.known(processes, self._clock.monotonic())

    def units(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, str]:
        """The systemd unit of each process now; unreadable processes are left out."""
        return self._of_each(processes, _unit)

    def folders(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, str]:
        """The working folders of these processes; unreadable ones are left out."""
        return self._folders.known(processes, self._clock.monotonic())

    def descriptors(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, Descriptors]:
        """The open terminals of these processes; unreadable ones are left out."""
        return self._descriptors.known(processes, self._clock.monotonic())

    def ports(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[int]]:
        """The TCP ports on which each process listens now; unreadable processes are left out."""
        return self._of_each(processes, Listening().ports)

    def reachable(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, bool]:
        """Whether other processes can reach each one by a socket now; unreadable processes are left out."""
        return self._of_each(processes, Listening().reachable)

    def connections(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[Connection]]:
        """The established connections of each process now; unreadable processes are left out."""
        return self._of_each(processes, Listening().connections)

    def _of_each(self, processes: Iterable[ProcessId], read: Callable[[int], T]) -> dict[ProcessId, T]:
        found = {each: ReadAttempts().attempt(self._read_in, each, read) for each in processes}
        return {process: value for process, value in found.items() if value is not None}

    def _read_in(self, process: ProcessId, read: Callable[[int], T]) -> T:
        with opened_folder(self._root, process) as folder:
            return read(folder)

    def _read_details(self, process: ProcessId) -> LeakDetails:
        attempts = ReadAttempts()
        with opened_folder(self._root, process) as folder:
            unit = attempts.attempt(_unit, folder)
            ports = attempts.attempt(self._listening.ports, folder)
            connections = attempts.attempt(self._listening.connections, folder)
            descriptors = attempts.attempt(read_descriptors, folder)
            link = attempts.attempt(_working_folder, folder)
        name, deleted = link if link is not None else (None, False)
        return LeakDetails(
            unit=unit,
            listens=None if ports is None else bool(ports),
            ports=ports or frozenset(),
            connections=connections,
            descriptors=descriptors,
            folder=name,
            folder_deleted=deleted,
        )

    def _descriptors_of(self, process: ProcessId) -> Descriptors:
        return self._read_in(process, read_descriptors)

    def _folder(self, process: ProcessId) -> str:
        return self._read_in(process, _working_folder)[0]


def _unit(folder: int) -> str:
    return parse_unit(read_file("cgroup", folder))


def parse_unit(raw: bytes) -> str:
    """Parse /proc/PID/cgroup: the innermost systemd unit, empty if the process is in none.

    systemd keeps units in a hierarchy of its own (version 1) or in the only one (version 2).
    """
    own, unified = "", ""
    for line in text(raw).removesuffix("\n").split("\n"):
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd":
            own = path
        elif not controllers:
            unified = path
    for folder in reversed((_found(own) or _found(unified)).split("/")):
        if folder.endswith(_UNITS):
            return "" if _MANAGER.fullmatch(folder) else folder
    return ""


def _found(path: str) -> str:
    return "" if path == "/" else path


def _working_folder(folder: int) -> tuple[str, bool]:
    link = os.readlink(b"cwd", dir_fd=folder)
    return text(link.removesuffix(_DELETED)), link.endswith(_DELETED)
