"""One process's folder under /proc, read file by file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
"""States of a main thread that has left: of the whole process too, unless it has other threads."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_BLOCK = 8192
_LARGEST = 1 << 20
_ENVIRON_BLOCK = 1 << 16
_LARGEST_ENVIRON = 8 << 20


def read_file(name: str, folder: int) -> bytes:
    """The content of a file of /proc, at most about 1 MiB: the groups alone can make 700 KB of a status.

    Raises OSError, ProcessLookupError where it is empty: then its process is on its way out.
    """
    descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        content = block = os.read(descriptor, _BLOCK)
        while len(block) == _BLOCK and len(content) < _LARGEST:
            block = os.read(descriptor, _BLOCK)
            content += block
    finally:
        os.close(descriptor)
    if not content:
        raise ProcessLookupError(name)
    return content


@contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Folder:
    """The folder of one process, held open, so that it means that process and no other.

    A descriptor of /proc/PID belongs to the process and not to its number: once the process is reaped every
    look through it fails with ENOENT or ESRCH, even where a new process has the pid by then. So two looks
    never show two processes.

    Every look raises OSError where it fails and ValueError where the text is malformed. `at` is the empty
    string, or what `living_thread` gave.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, pid: str, root: int) -> None:
        self._descriptor = os.open(pid, os.O_PATH | os.O_DIRECTORY, dir_fd=root)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def uid(self) -> int:
        """The effective uid. Ask before `stat`: of a process that was just reaped the kernel says 0."""
        return os.fstat(self._descriptor).st_uid

    def stat_line(self) -> bytes:
        """Its line of stat, for `parse_stat`."""
        return read_file("stat", self._descriptor)

    def status(self, at: str) -> StatusMemory:
        """Its memory."""
        return parse_status(read_file(at + "status", self._descriptor))

    def io(self) -> tuple[int, int]:
        """Bytes read from and written to storage, by all its threads and all children it waited for."""
        return parse_io(read_file("io", self._descriptor))

    def max_fds(self) -> int | None:
        """How many files it may have open; None where there is no limit."""
        return parse_limits(read_file("limits", self._descriptor))

    def fds(self, at: str, *, by_size: bool) -> int:
        """How many files it has open.

        Since Linux 6.2 the size of the folder `fd` is their number, and needs no permission (`by_size`).
        Before that, and in a folder that is no /proc, it is not: there the entries are counted, one by one
        because a process may have a million. The size is larger by one for each thread that waits in
        accept(2), or in open(2) of a pipe: the descriptor it will get is taken already, from the limit too.
        """
        size = os.stat(at + "fd", dir_fd=self._descriptor).st_size if by_size else 0
        if size:
            return size
        with _opened(at + "fd", _FOLDER, self._descriptor) as descriptor, os.scandir(descriptor) as entries:
            return sum(1 for _ in entries)

    def argv(self, at: str) -> tuple[tuple[str, ...], bool]:
        """Its arguments up to ARGV_LIMIT bytes, and whether these are all of them."""
        with _opened(at + "cmdline", os.O_RDONLY, self._descriptor) as descriptor:
            start = os.read(descriptor, ARGV_LIMIT + 1)
        if not start:
            raise ProcessLookupError("cmdline")
        return parse_argv(start), len(start) <= ARGV_LIMIT

    def exe(self, at: str) -> str:
        """The path of its program, as it was when it was started."""
        return sys.intern(parse_exe(os.readlink(os.fsencode(at + "exe"), dir_fd=self._descriptor)))

    def environ(self, at: str, kept: frozenset[str]) -> dict[str, str]:
        """The `kept` variables it was started with. 8 MiB are looked at, more than execve(2) lets through."""
        with _opened(at + "environ", os.O_RDONLY, self._descriptor) as descriptor:
            return parse_environ(_blocks(descriptor), kept)

    def pid_namespace(self, at: str) -> str:
        """The pid namespace that it lives in."""
        # Nearly all have the same.
        return sys.intern(os.readlink(at + "ns/pid", dir_fd=self._descriptor))

    def mount_namespace(self, at: str) -> str:
        """The mount namespace that it is in now; unshare(2) and setns(2) give it another one without exec."""
        return sys.intern(os.readlink(at + "ns/mnt", dir_fd=self._descriptor))

    def living_thread(self) -> str:
        """The place of a thread that has not left, such as `task/123/`."""
        with _opened("task", _FOLDER, self._descriptor) as descriptor:
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
