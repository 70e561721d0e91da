"""Read the files of one /proc/PID through an open folder, safe against pid reuse."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.common.opened import content, opened
from tmux_exporter.sources.processes.parse import (
    ARGV_LIMIT,
    StatusMemory,
    parse_argv,
    parse_environ,
    parse_exe,
    parse_io,
    parse_limits,
    parse_stat,
    parse_status,
)

DEAD_STATES = ("Z", "X")
"""States of an ended main thread; the process has ended too unless it has other threads."""

_ENVIRON_BLOCK = 1 << 16
_LARGEST_ENVIRON = 8 << 20


def read_file(name: str, folder: int) -> bytes:
    """The content of a file of /proc. Raises OSError; ProcessLookupError if it is empty: its process ends."""
    found = content(name, folder)
    if not found:
        raise ProcessLookupError(name)
    return found


def limit_of(pid: int) -> int | None:
    """The soft limit of open files of a process of ours by prlimit(2); None if unlimited."""
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


@contextmanager
def opened_folder(root: str, process: ProcessId) -> Iterator[int]:
    """The folder of exactly this process, open: its pid may be reused, the open folder cannot be.

    Raises OSError or ValueError; ProcessLookupError if it has ended.
    """
    with opened(os.path.join(root, str(process.pid))) as folder:
        if parse_stat(read_file("stat", folder)).start_ticks != process.start_ticks:
            raise ProcessLookupError(process.pid)
        yield folder


class Folder:
    """The folder of one process, held open.

    A descriptor of /proc/PID belongs to the process, not to the pid: once the process is reaped, every read
    through it fails with ENOENT or ESRCH, even if a new process has the pid. So two reads never show two
    processes.

    Every method raises OSError if the read fails and ValueError if the text is malformed. `at` is the empty
    string or a result of `living_thread`.
    """

    __slots__ = ("_descriptor", "_pid")

    def __init__(self, pid: str, root: int) -> None:
        self._pid = int(pid)
        self._descriptor = os.open(pid, os.O_PATH | os.O_DIRECTORY, dir_fd=root)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def uid(self) -> int:
        """The effective uid. Read it before `stat`: the kernel reports 0 for a reaped process."""
        return os.fstat(self._descriptor).st_uid

    def stat_line(self) -> bytes:
        """Its line of stat, for `parse_stat`."""
        return read_file("stat", self._descriptor)

    def status(self, at: str) -> StatusMemory:
        """Its memory."""
        return parse_status(read_file(at + "status", self._descriptor))

    def io(self) -> tuple[int, int]:
        """Bytes read from and written to storage, by all its threads and reaped children."""
        return parse_io(read_file("io", self._descriptor))

    def max_fds(self, *, by_pid: bool) -> int | None:
        """The soft limit of open files; None if unlimited.

        `by_pid`: the kernel is asked by pid, in a twentieth of the time. The pid may belong to another
        process by now: what is read afterwards through the folder shows that it did not.
        """
        if by_pid:
            with suppress(PermissionError):
                return limit_of(self._pid)
        return parse_limits(read_file("limits", self._descriptor))

    def fds(self, at: str, *, by_size: bool) -> int:
        """How many files it has open.

        Since Linux 6.2 the size of the folder `fd` is their number and needs no permission (`by_size`).
        Otherwise the entries are counted one by one: a process may have a million. The size counts one more
        for each thread that waits in accept(2), or in open(2) of a pipe: its descriptor is already reserved,
        and counts against the limit too.
        """
        size = os.stat(at + "fd", dir_fd=self._descriptor).st_size if by_size else 0
        if size:
            return size
        with opened(at + "fd", folder=self._descriptor) as descriptor, os.scandir(descriptor) as entries:
            return sum(1 for _ in entries)

    def argv(self, at: str) -> tuple[tuple[str, ...], bool]:
        """Its arguments up to ARGV_LIMIT bytes, and whether that is all."""
        with opened(at + "cmdline", os.O_RDONLY, self._descriptor) as descriptor:
            start = os.read(descriptor, ARGV_LIMIT + 1)
        if not start:
            raise ProcessLookupError("cmdline")
        return parse_argv(start), len(start) <= ARGV_LIMIT

    def exe(self, at: str) -> str:
        """The path of its program at exec."""
        return sys.intern(parse_exe(os.readlink(os.fsencode(at + "exe"), dir_fd=self._descriptor)))

    def environ(self, at: str, kept: frozenset[str]) -> dict[str, str]:
        """The `kept` variables of its environment at exec. Reads up to 8 MiB, more than execve(2) allows."""
        with opened(at + "environ", os.O_RDONLY, self._descriptor) as descriptor:
            return parse_environ(_blocks(descriptor), kept)

    def pid_namespace(self, at: str) -> str:
        """Its pid namespace."""
        # Nearly all processes have the same one.
        return sys.intern(os.readlink(at + "ns/pid", dir_fd=self._descriptor))

    def mount_namespace(self, at: str) -> str:
        """Its mount namespace now; unshare(2) and setns(2) change it without exec."""
        return sys.intern(os.readlink(at + "ns/mnt", dir_fd=self._descriptor))

    def living_thread(self) -> str:
        """The path of a living thread, such as `task/123/`."""
        with opened("task", folder=self._descriptor) as descriptor:
            threads = os.listdir(descriptor)
        for thread in threads:
            at = f"task/{thread}/"
            try:
                if parse_stat(read_file(at + "stat", self._descriptor)).state not in DEAD_STATES:
                    return at
            except (FileNotFoundError, ProcessLookupError):
                continue
        raise ProcessLookupError("task")


def _blocks(descriptor: int) -> Iterator[bytes]:
    length = 0
    while length < _LARGEST_ENVIRON and (block := os.read(descriptor, _ENVIRON_BLOCK)):
        length += len(block)
        yield block
