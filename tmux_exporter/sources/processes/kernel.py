"""Kernel interface of the fast reader: listing, boot time, last pid, CPU clocks, one process."""

import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from tmux_exporter.sources.processes.parse import parse_boot_time, parse_limits
from tmux_exporter.sources.processes.process import Known, ProcessRead, ProcessReader
from tmux_exporter.sources.processes.process_folder import limit_of, read_file

_FORKS = re.compile(rb"\nprocesses (\d+)\n")
_CPU_CLOCK = 2


class Boot(NamedTuple):
    """Boot time in seconds since the epoch, and the number of forks since."""

    time: float
    forks: int


class Kernel(Protocol):
    """The kernel of one machine. Each result is a snapshot. All raise OSError or ValueError."""

    def opened(self) -> AbstractContextManager[object]:
        """Context within which the other methods may be called."""

    def listing(self) -> Collection[int]:
        """All processes, zombies included, threads not."""

    def boot(self) -> Boot:
        """The cost grows with the number of processors and interrupts."""

    def cursor(self) -> int:
        """The pid that was assigned last, to a process or a thread."""

    def pid_max(self) -> int:
        """All pids are below it."""

    def clock_ns(self, pid: int) -> int | None:
        """CPU time of a process with its threads; None if no process has the pid (yet)."""

    def compare(self, clocks: Mapping[int, int]) -> tuple[list[int], list[int]]:
        """Of these pids with their clocks: those whose clock has moved, and those that have none any more."""

    def mark(self, pid: int) -> int | None:
        """A number that changes with the line of stat; None where it cannot be read."""

    def max_fds(self, pid: int) -> int | None:
        """Its soft limit of open files; None if unlimited."""

    def read(self, pid: int, known: Known | None, /) -> ProcessRead:
        """Read one process; `known` is from an earlier read of this pid. Raises nothing."""


class ProcKernel:
    """The kernel as the proc file system at `root` shows it."""

    def __init__(self, root: str, process: ProcessReader) -> None:
        self._path = root
        self._process = process
        self._root = -1

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the root open."""
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield
        finally:
            os.close(self._root)
            self._root = -1

    def listing(self) -> list[int]:
        """All processes, zombies included, threads not."""
        return [int(name) for name in os.listdir(self._root) if name.isdecimal()]

    def boot(self) -> Boot:
        """From /proc/stat."""
        raw = read_file("stat", self._root)
        forks = _FORKS.search(raw)
        if forks is None:
            raise ValueError("stat: no processes")
        return Boot(parse_boot_time(raw), int(forks[1]))

    def cursor(self) -> int:
        """The last field of /proc/loadavg."""
        return int(read_file("loadavg", self._root).rsplit(b" ", 1)[1])

    def pid_max(self) -> int:
        """From /proc/sys/kernel/pid_max."""
        return int(read_file("sys/kernel/pid_max", self._root))

    def clock_ns(self, pid: int) -> int | None:
        """The CPU clock of a process, as clock_getcpuclockid(3) names it; it is refused for a thread."""
        try:
            return time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)
        except OSError:
            return None

    def compare(self, clocks: Mapping[int, int]) -> tuple[list[int], list[int]]:
        """Of these pids with their clocks: those whose clock has moved, and those that have none any more."""
        moved, gone = [], []
        # The same as `clock_ns`, without a call for each of thousands of processes.
        read = time.clock_gettime_ns
        for pid, clock in clocks.items():
            try:
                if read((~pid << 3) | _CPU_CLOCK) != clock:
                    moved.append(pid)
            except OSError:
                gone.append(pid)
        return moved, gone

    def mark(self, pid: int) -> int | None:
        """A number that changes with the line of stat; None where it cannot be read."""
        try:
            return hash(read_file(f"{pid}/stat", self._root))
        except OSError:
            return None

    def max_fds(self, pid: int) -> int | None:
        """By prlimit(2), in half a microsecond; it is refused for processes of other users."""
        try:
            return limit_of(pid)
        except PermissionError:
            return parse_limits(read_file(f"{pid}/limits", self._root))

    def read(self, pid: int, known: Known | None, /) -> ProcessRead:
        """Read one process; `known` is from an earlier read of this pid."""
        return self._process.read(str(pid), self._root, known)
