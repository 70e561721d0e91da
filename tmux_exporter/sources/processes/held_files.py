"""Read which files in memory a process holds open: memfds, and files of a tmpfs whose name is gone.

Their pages end with the last process that holds them. Whoever maps them has them in `RssShmem`; what is only
written and read shows nowhere but in the blocks of the file.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from tmux_exporter.facts.process import FileId, HeldFile, HeldFiles, ProcessId, SamePair
from tmux_exporter.sources.common.opened import content, opened
from tmux_exporter.sources.processes.process_detail import ReadAttempts
from tmux_exporter.sources.processes.process_folder import opened_folder

SMALLEST_BYTES = 1 << 20
"""Smaller files are left out."""

_KCMP = {"x86_64": 312, "aarch64": 272}
"""The number of this system call, which the C library has no name for."""

_KCMP_FILES = 2
_DELETED = " (deleted)"
_MEMFD = "/memfd:"
_BLOCK = 512
_TMPFS = re.compile(rb"^\d+ \d+ (\d+):(\d+) .* - tmpfs ", re.MULTILINE)
_MAPPED = re.compile(rb" ([0-9a-f]+):([0-9a-f]+) (\d+) +/[^\n]* \(deleted\)$", re.MULTILINE)


class HeldFileReader:
    """Reads these files of processes of our own uid."""

    def __init__(self, *, proc_root: str = "/proc") -> None:
        self._root = proc_root
        self._devices: frozenset[int] | None = None

    def read(self, processes: Iterable[ProcessId]) -> HeldFiles:
        """The files that each process holds open; unreadable processes are left out."""
        self._devices = None
        return {
            process: found
            for process in processes
            if (found := ReadAttempts().attempt(self._read_one, process)) is not None
        }

    def mapped(self, processes: Iterable[ProcessId]) -> frozenset[FileId]:
        """Every file without a name that one of these processes has mapped."""
        return frozenset(
            file for process in processes for file in ReadAttempts().attempt(self._maps, process) or ()
        )

    def same_tables(self, pairs: Iterable[SamePair]) -> Mapping[SamePair, bool | None]:
        """Whether the two of each pair have one table of open files; None where the kernel tells nothing."""
        if self._root != "/proc":
            # Their pids there are not ours.
            return dict.fromkeys(pairs)
        import ctypes  # noqa: PLC0415 - hardly ever needed

        call, number = ctypes.CDLL(None).syscall, _KCMP.get(os.uname().machine)
        answers = {
            (one, other): call(number, one.pid, other.pid, _KCMP_FILES, 0, 0) if number else -1
            for one, other in pairs
        }
        return {pair: None if answer < 0 else answer == 0 for pair, answer in answers.items()}

    def _read_one(self, process: ProcessId) -> frozenset[HeldFile]:
        with opened_folder(self._root, process) as folder, opened("fd", folder=folder) as files:
            return frozenset(self._files(files))

    def _files(self, files: int) -> Iterator[HeldFile]:
        for name in os.listdir(files):
            try:
                link = os.readlink(name, dir_fd=files)
                if not link.endswith(_DELETED):
                    continue
                found = os.stat(name, dir_fd=files)
            except FileNotFoundError:
                # It was closed meanwhile.
                continue
            size = found.st_blocks * _BLOCK
            if size >= SMALLEST_BYTES and (link.startswith(_MEMFD) or self._is_tmpfs(found.st_dev)):
                yield HeldFile(found.st_dev, found.st_ino, size)

    def _is_tmpfs(self, device: int) -> bool:
        if self._devices is None:
            lines = content(os.path.join(self._root, "self", "mountinfo"))
            self._devices = frozenset(
                os.makedev(int(major), int(minor)) for major, minor in _TMPFS.findall(lines)
            )
        return device in self._devices

    def _maps(self, process: ProcessId) -> frozenset[FileId]:
        with opened_folder(self._root, process) as folder:
            descriptor = os.open("maps", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as maps:
            lines = maps.read()
        return frozenset(
            (os.makedev(int(major, 16), int(minor, 16)), int(inode))
            for major, minor, inode in _MAPPED.findall(lines)
        )
