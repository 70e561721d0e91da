"""Find the processes that are tmux servers, and the path at which each one listens.

So servers are found that no known folder shows: sockets of `-S`, deleted socket files, another TMUX_TMPDIR.
A server holds its listening socket in /proc/PID/fd as `socket:[INODE]`; /proc/net/unix has the path to
which that inode was bound, as long as the server lives, even if the file is deleted.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Problem, Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import CLIENT_COMM, SERVER_COMM, QueryFailure
from tmux_exporter.sources.tmux.socket_files import canonical

LISTENING = 0x1_0000
"""__SO_ACCEPTCON in the flags of /proc/net/unix: sockets of accepted connections have the same path."""

_PROGRAM = re.compile(r"tmux([-_.]?v?\d.*)?( \(deleted\))?")
_ROW = re.compile(
    r"[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} (?P<flags>[0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2} +(?P<inode>\d+)"
    r"(?: (?P<path>.*))?"
)
_SOCKET = re.compile(r"socket:\[\d+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """The canonical path at which a tmux server listens.

    `same_mounts` is False if the server is in another mount namespace: its path may be another file for us.
    """

    path: str
    same_mounts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """All tmux servers; `unplaced` are those whose path could not be found, and why."""

    placed: Mapping[ProcessId, Listener] = field(default_factory=dict)
    unplaced: Mapping[ProcessId, Problem] = field(default_factory=dict)


def is_server(process: Process) -> bool:
    """Whether it may be a tmux server: by its comm, else by its program.

    comm holds 15 bytes: a long program name cuts off the `: server`.
    """
    if process.comm in (SERVER_COMM, CLIENT_COMM):
        return process.comm == SERVER_COMM
    return process.exe is not None and _PROGRAM.fullmatch(os.path.basename(process.exe)) is not None


def parse_unix(raw: bytes) -> dict[str, str | None]:
    """Parse /proc/net/unix: inode -> path of every listening socket that has one.

    The kernel writes paths unescaped, so any user can forge rows with newlines. A line that is no row
    belongs to the path before it; an inode that occurs twice has no trusted path (None).
    """
    paths: dict[str, str | None] = {}
    last: str | None = None
    for line in os.fsdecode(raw).split("\n")[1:]:
        row = _ROW.fullmatch(line)
        if row is None:
            if last is not None and (path := paths[last]) is not None:
                paths[last] = f"{path}\n{line}"
            continue
        path, last = row["path"], None
        # A name that begins with @ is in the abstract namespace, without a file.
        if not int(row["flags"], 16) & LISTENING or not path or path.startswith("@"):
            continue
        last = row["inode"]
        paths[last] = None if last in paths else path
    if last is not None and (path := paths[last]) is not None:
        paths[last] = path.removesuffix("\n")
    return paths


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A server's descriptor of its listening socket; valid as long as it links to that inode."""

    fd: str
    link: str
    listener: Listener


class ListenerFinder:
    """Finds the servers in each table; reads their descriptors only if they may have changed."""

    def __init__(self, proc_root: str, uid: int) -> None:
        self._root = proc_root
        self._uid = uid
        self._seats: dict[ProcessId, _Seat] = {}
        self._servers = PerProcess(lambda process: process if self._may_be_one(process) else None)

    def find(self, table: ProcessTable) -> Listeners:
        """All tmux servers of the uid in `table`."""
        self._servers.update(table)
        servers = list(self._servers.found.values())
        seats = {p.id: seat for p in servers if (seat := self._seats.get(p.id)) and self._holds(p.id, seat)}
        unplaced: dict[ProcessId, Problem] = {}
        sockets = _UnixSockets()
        for process in servers:
            if process.id in seats:
                continue
            try:
                found = self._place(process.id, sockets)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError as error:
                found = _unplaced(process.id, error)
            if isinstance(found, _Seat):
                seats[process.id] = found
            elif found is not None and process.comm == SERVER_COMM:
                unplaced[process.id] = found
        self._seats = _without_forks(seats, table)
        return Listeners(placed={id_: s.listener for id_, s in self._seats.items()}, unplaced=unplaced)

    def _may_be_one(self, process: Process) -> bool:
        return process.uid == self._uid and process.alive and is_server(process)

    def _holds(self, process: ProcessId, seat: _Seat) -> bool:
        try:
            return os.readlink(f"{self._root}/{process.pid}/fd/{seat.fd}") == seat.link
        except OSError:
            return False

    def _place(self, process: ProcessId, sockets: "_UnixSockets") -> _Seat | Problem | None:
        """Where a process listens; None if it does not, a problem if that is unknown."""
        fds = {link: fd for fd, link in self._descriptors(process.pid) if _SOCKET.fullmatch(link)}
        # A process in another network namespace has another table.
        for table in (f"{self._root}/net/unix", f"{self._root}/{process.pid}/net/unix"):
            paths = sockets.read(table)
            for link, fd in fds.items():
                inode = link[len("socket:[") : -1]
                if inode not in paths:
                    continue
                path = paths[inode]
                if path is None:
                    return _unplaced(process, f"{table} has two rows for its socket")
                if not os.path.isabs(path):
                    path = os.path.join(os.readlink(f"{self._root}/{process.pid}/cwd"), path)
                listener = Listener(path=canonical(path), same_mounts=self._same_mounts(process.pid))
                return _Seat(fd=fd, link=link, listener=listener)
        return _unplaced(process, sockets.fault) if sockets.fault else None

    def _descriptors(self, pid: int) -> Iterator[tuple[str, str]]:
        folder = f"{self._root}/{pid}/fd"
        for fd in os.listdir(folder):
            try:
                yield fd, os.readlink(f"{folder}/{fd}")
            except FileNotFoundError:
                continue

    def _same_mounts(self, pid: int) -> bool:
        try:
            return os.readlink(f"{self._root}/{pid}/ns/mnt") == os.readlink(f"{self._root}/self/ns/mnt")
        except OSError:
            return True


def _without_forks(seats: dict[ProcessId, _Seat], table: ProcessTable) -> dict[ProcessId, _Seat]:
    """The servers without their forked children, which look and listen like them until they exec."""
    links = {process.pid: seat.link for process, seat in seats.items()}
    return {
        process: seat
        for process, seat in seats.items()
        if links.get(table.processes[process.pid].ppid) != seat.link
    }


def _unplaced(process: ProcessId, why: OSError | str) -> Problem:
    reason = QueryFailure.DENIED if isinstance(why, PermissionError) else QueryFailure.PARTIAL
    words = f"{why.filename}: {why.strerror}" if isinstance(why, OSError) else why
    return Problem(
        source="tmux", reason=reason.value, detail=f"no socket found of tmux server {process.pid}: {words}"
    )


class _UnixSockets:
    """The socket tables of one sample, each read on first use; `fault` says why one was not."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, str | None]] = {}
        self.fault: OSError | None = None

    def read(self, table: str) -> dict[str, str | None]:
        """The sockets in the file `table`; empty if it cannot be read."""
        if table not in self._tables:
            try:
                with open(table, "rb") as stream:
                    self._tables[table] = parse_unix(stream.read())
            except OSError as error:
                self._tables[table] = {}
                self.fault = error
        return self._tables[table]
