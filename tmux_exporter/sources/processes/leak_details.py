"""Read details of few processes: systemd unit, working folder, listening ports, and the shells of schedulers.

Only processes that may be leaked, and schedulers, are read, each at most once a minute.
"""

import os
import re
from collections.abc import Iterable, Mapping

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Connection, LeakDetails, ProcessId
from tmux_exporter.facts.schedulers import ShellFacts, ShellQuestion
from tmux_exporter.sources.common.ttl_cache import TtlCache
from tmux_exporter.sources.processes.listening_ports import Listening
from tmux_exporter.sources.processes.parse import parse_stat, text
from tmux_exporter.sources.processes.process_detail import ReadAttempts
from tmux_exporter.sources.processes.process_folder import read_file
from tmux_exporter.sources.processes.shells import ShellReader

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
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
        self._folders = TtlCache(self._folder)
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
        found: dict[ProcessId, str] = {}
        for process in processes:
            unit = ReadAttempts().attempt(self._unit, process)
            if unit is not None:
                found[process] = unit
        return found

    def folders(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, str]:
        """The working folders of these processes; unreadable ones are left out."""
        return self._folders.known(processes, self._clock.monotonic())

    def ports(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[int]]:
        """The TCP ports on which each process listens now; unreadable processes are left out."""
        listening = Listening()
        found: dict[ProcessId, frozenset[int]] = {}
        for process in processes:
            ports = ReadAttempts().attempt(self._ports, process, listening)
            if ports is not None:
                found[process] = ports
        return found

    def reachable(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, bool]:
        """Whether other processes can reach each one by a socket now; unreadable processes are left out."""
        listening = Listening()
        found: dict[ProcessId, bool] = {}
        for process in processes:
            reachable = ReadAttempts().attempt(self._reachable, process, listening)
            if reachable is not None:
                found[process] = reachable
        return found

    def _unit(self, process: ProcessId) -> str | None:
        folder = self._open(process)
        try:
            return None if folder is None else _unit(folder)
        finally:
            _close(folder)

    def connections(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[Connection]]:
        """The established connections of each process now; unreadable processes are left out."""
        listening = Listening()
        found: dict[ProcessId, frozenset[Connection]] = {}
        for process in processes:
            connections = ReadAttempts().attempt(self._connections, process, listening)
            if connections is not None:
                found[process] = connections
        return found

    def _connections(self, process: ProcessId, listening: Listening) -> frozenset[Connection] | None:
        folder = self._open(process)
        try:
            return None if folder is None else listening.connections(folder)
        finally:
            _close(folder)

    def _reachable(self, process: ProcessId, listening: Listening) -> bool | None:
        folder = self._open(process)
        try:
            return None if folder is None else listening.reachable(folder)
        finally:
            _close(folder)

    def _ports(self, process: ProcessId, listening: Listening) -> frozenset[int] | None:
        folder = self._open(process)
        try:
            return None if folder is None else listening.ports(folder)
        finally:
            _close(folder)

    def _read_details(self, process: ProcessId) -> LeakDetails | None:
        folder = self._open(process)
        if folder is None:
            return None
        attempts = ReadAttempts()
        try:
            unit = attempts.attempt(_unit, folder)
            ports = attempts.attempt(self._listening.ports, folder)
            connections = attempts.attempt(self._listening.connections, folder)
            link = attempts.attempt(_working_folder, folder)
        finally:
            _close(folder)
        name, deleted = link if link is not None else (None, False)
        return LeakDetails(
            unit=unit,
            listens=None if ports is None else bool(ports),
            connections=connections,
            folder=name,
            folder_deleted=deleted,
        )

    def _folder(self, process: ProcessId) -> str | None:
        folder = self._open(process)
        try:
            return None if folder is None else _working_folder(folder)[0]
        finally:
            _close(folder)

    def _open(self, process: ProcessId) -> int | None:
        """The folder of exactly this process: its pid may be reused, the open folder cannot be."""
        folder = os.open(os.path.join(self._root, str(process.pid)), _FOLDER)
        try:
            started = parse_stat(read_file("stat", folder)).start_ticks
        except BaseException:
            os.close(folder)
            raise
        if started == process.start_ticks:
            return folder
        os.close(folder)
        return None


def _close(folder: int | None) -> None:
    if folder is not None:
        os.close(folder)


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
