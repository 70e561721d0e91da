"""What only few processes are asked for.

Of those that seem to be leaked unit, folder and whether they listen, of schedulers what the words of their
scripts mean.

They are few, and what they say changes seldom: each is looked at once a minute at most.
"""

import os
import re
from collections.abc import Iterable, Mapping

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import LeakDetails, ProcessId
from tmux_exporter.facts.schedulers import ShellFacts, ShellQuestion
from tmux_exporter.sources.common.ttl_cache import TtlCache
from tmux_exporter.sources.processes.listening_ports import Listening
from tmux_exporter.sources.processes.parse import parse_stat, text
from tmux_exporter.sources.processes.process_detail import ReadAttempts
from tmux_exporter.sources.processes.process_folder import read_file
from tmux_exporter.sources.processes.shells import ShellReader

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_UNITS = (".service", ".scope")
# The user's own manager: what lies in it and in no unit of its own was put there by no unit.
_MANAGER = re.compile(r"user@\d+\.service")
_DELETED = b" (deleted)"


class LeakDetailReader:
    """Reads them for a sample at a time. Without a Linux /proc at `proc_root` it knows nothing."""

    def __init__(self, *, clock: Clock, proc_root: str = "/proc") -> None:
        self._clock = clock
        self._root = proc_root
        self._kept = TtlCache(self._look)
        self._folders = TtlCache(self._folder)
        self._listening = Listening()
        self._shells = ShellReader(clock=clock, proc_root=proc_root)
        self._sees_roots = os.path.exists(os.path.join(proc_root, "self", "root"))

    def shells(self, questions: Iterable[ShellQuestion]) -> Mapping[ProcessId, ShellFacts] | None:
        """What decides which programs these shells run; None where there is no Linux /proc to ask."""
        return self._shells.read(questions) if self._sees_roots else None

    def read(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, LeakDetails]:
        """Those of these processes that are there. Raises nothing for what it finds."""
        self._listening = Listening()
        return self._kept.known(processes, self._clock.monotonic())

    def folders(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, str]:
        """The working folders of these processes; those that do not show it are left out."""
        return self._folders.known(processes, self._clock.monotonic())

    def ports(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[int]]:
        """The TCP ports that each of them listens on now; those that cannot be seen are left out."""
        listening = Listening()
        found: dict[ProcessId, frozenset[int]] = {}
        for process in processes:
            ports = ReadAttempts().attempt(self._ports, process, listening)
            if ports is not None:
                found[process] = ports
        return found

    def reachable(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, bool]:
        """Whether others can reach each of them by a socket now; those that cannot be seen are left out."""
        listening = Listening()
        found: dict[ProcessId, bool] = {}
        for process in processes:
            reachable = ReadAttempts().attempt(self._reachable, process, listening)
            if reachable is not None:
                found[process] = reachable
        return found

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

    def _look(self, process: ProcessId) -> LeakDetails | None:
        folder = self._open(process)
        if folder is None:
            return None
        attempts = ReadAttempts()
        try:
            unit = attempts.attempt(_unit, folder)
            ports = attempts.attempt(self._listening.ports, folder)
            link = attempts.attempt(_working_folder, folder)
        finally:
            _close(folder)
        name, deleted = link if link is not None else (None, False)
        return LeakDetails(
            unit=unit,
            listens=None if ports is None else bool(ports),
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
        """The folder of that very process: the number may be another's by now, the open folder is not."""
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
    """Parse /proc/PID/cgroup: the innermost systemd unit, empty where the process is in none.

    systemd keeps its units in a hierarchy of their own or, on version 2, in the only one.
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
