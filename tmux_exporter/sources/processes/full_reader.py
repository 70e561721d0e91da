"""Read all processes of a Linux machine from /proc in full; the test oracle of `fast_reader`."""

import math
import os

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Process, ProcessTable, Unreadable
from tmux_exporter.sources.processes.parse import parse_boot_time
from tmux_exporter.sources.processes.process import (
    Known,
    ProcessRead,
    ProcessReader,
    own_namespaces,
    size_counts_fds,
)
from tmux_exporter.sources.processes.process_folder import read_file


class ProcReader:
    """Reads all processes under `root`, those whose effective uid is `uid` in detail."""

    def __init__(self, root: str = "/proc", *, uid: int, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._process = ProcessReader(uid=uid, by_size=size_counts_fds(root))
        self._namespaces = own_namespaces(root)
        self._known: dict[str, Known] = {}

    def read(self) -> ProcessTable:
        """Take one reading. Raises nothing for what it finds.

        A process that ends during the reading is left out. A figure that this kernel lacks is None without a
        reason. `complete` is False if the listing or the boot time could not be read (then the table is empty
        and `boot_time` is NaN), or if the stat of a process could not be read for another reason than
        permission.
        """
        taken_at = self._clock.monotonic()
        reading = _Reading()
        boot_time = math.nan
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                names = os.listdir(root)
                boot_time = parse_boot_time(read_file("stat", root))
                for name in names:
                    if name.isdecimal():
                        reading.add(name, self._process.read(name, root, self._known.get(name)))
            finally:
                os.close(root)
            self._known = reading.known
        except (OSError, ValueError):
            reading.complete = False
        return ProcessTable(
            processes=reading.processes,
            boot_time=boot_time,
            clock_ticks_per_second=self._ticks_per_second,
            taken_at=taken_at,
            complete=reading.complete,
            unreadable=reading.unreadable,
            namespaces=self._namespaces,
        )


class _Reading:
    """The table under construction, and the facts that the next reading may reuse."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.processes: dict[int, Process] = {}
        self.unreadable = dict.fromkeys(Unreadable, 0)
        self.complete = True

    def add(self, pid: str, look: ProcessRead) -> None:
        """Add a process, unless it has ended or its stat cannot be read."""
        if look.process is not None:
            self.processes[look.process.id.pid] = look.process
        if look.known is not None:
            self.known[pid] = look.known
        for reason in look.unreadable:
            self.unreadable[reason] += 1
        self.complete &= look.complete
