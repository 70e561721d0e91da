"""Read all processes of a Linux machine from /proc in full; the test oracle of `fast_reader`."""

import math
import os
from collections.abc import Iterable
from dataclasses import replace

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Process, ProcessTable, Unreadable
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.processes.parse import parse_boot_time
from tmux_exporter.sources.processes.process import (
    Known,
    ProcessRead,
    ProcessReader,
    own_namespaces,
    size_counts_fds,
)
from tmux_exporter.sources.processes.process_folder import read_file

_STEADY_READS = 4
"""How often the children of a process are read until two readings agree."""


class ProcReader:
    """Reads all processes under `root`; `uid` is ours."""

    def __init__(self, root: str = "/proc", *, uid: int, clock: Clock) -> None:
        self._root = root
        self._uid = uid
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
            with opened(self._root) as root:
                names = os.listdir(root)
                boot_time = parse_boot_time(read_file("stat", root))
                for name in names:
                    if name.isdecimal():
                        reading.add(name, self._process.read(name, root, self._known.get(name)))
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
            uid=self._uid,
        )

    def read_again(self, table: ProcessTable, pids: Iterable[int]) -> ProcessTable | None:
        """The table with these processes, and all that lives below them, as they are now.

        None where that cannot be told without a full reading: this kernel does not list the children of a
        process (CONFIG_PROC_CHILDREN), or they change faster than they can be read.
        """
        reading = _Reading()
        waiting, seen = list(pids), set[int]()
        listed: dict[int, list[int]] = {}
        for each in table.processes.values():
            listed.setdefault(each.ppid, []).append(each.id.pid)
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return None
        try:
            while waiting:
                pid = waiting.pop()
                if pid in seen:
                    continue
                seen.add(pid)
                reading.add(str(pid), self._process.read(str(pid), root, None))
                # One that was born later than its parent was read is below it all the same.
                children = _children(str(pid), root)
                if children is None:
                    return None
                waiting += [*children, *listed.get(pid, ())]
        finally:
            os.close(root)
        others = {pid: each for pid, each in table.processes.items() if pid not in seen}
        return replace(
            table, processes=others | reading.processes, complete=table.complete and reading.complete
        )


def _children(pid: str, root: int) -> frozenset[int] | None:
    """The pids of the children of all threads of a process; None where they cannot be told.

    The kernel may leave a child out while another one ends, so two readings have to agree.
    """
    before: frozenset[int] | None = None
    for _ in range(_STEADY_READS):
        found: set[int] = set()
        try:
            threads = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
        except (FileNotFoundError, ProcessLookupError):
            return frozenset()
        except OSError:
            return None
        try:
            for thread in os.listdir(threads):
                found.update(_children_of_thread(thread, threads))
        except ProcessLookupError:
            return frozenset()
        except (OSError, ValueError):
            return None
        finally:
            os.close(threads)
        now = frozenset(found)
        if now == before:
            return now
        before = now
    return None


def _children_of_thread(thread: str, threads: int) -> list[int]:
    """Raises FileNotFoundError where the thread is there and the kernel does not list its children."""
    try:
        descriptor = os.open(f"{thread}/children", os.O_RDONLY, dir_fd=threads)
    except FileNotFoundError:
        os.stat(f"{thread}/stat", dir_fd=threads)
        raise
    with open(descriptor, "rb") as stream:
        return [int(pid) for pid in stream.read().split()]


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
