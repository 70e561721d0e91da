"""Count the inotify instances of this user: the kernel limits them but does not report their number.

Each is an open file. So the open files of our own processes are read: of new processes and of those whose
number of open files has changed; of the others one at times, in turn.
"""

import os
from collections import deque
from itertools import islice
from typing import NamedTuple

from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.processes.process_detail import ReadAttempts
from tmux_exporter.sources.processes.process_folder import opened_folder

_LINKS = (b"anon_inode:inotify", b"anon_inode:[inotify]")
LARGEST = 10_000
"""The limit of open files that are read of one process."""

TURN = 4
"""In every so many samples one process without a visible change is read."""


class _Open(NamedTuple):
    process: ProcessId
    fds: int | None


class InotifyReader:
    """Counts them sample by sample, of the processes whose effective uid is `uid`."""

    def __init__(self, *, uid: int, proc_root: str = "/proc") -> None:
        self._uid = uid
        self._root = proc_root
        self._own = PerProcess(self._open_fds)
        self._counts: dict[int, int] = {}
        self._turn: deque[int] = deque()
        self._sum: int | None = None
        self._samples = 0

    def read(self, table: ProcessTable) -> int | None:
        """Their number; one that several processes hold counts for each. None if no process can be read.

        Raises nothing. An unreadable process counts as having none: there are few.
        """
        own, changed = self._own.found, self._own.update(table)
        for pid in changed - own.keys():
            self._counts.pop(pid, None)
        for pid in (*(changed & own.keys()), *self._next()):
            self._counts[pid] = ReadAttempts().attempt(self._count, own[pid].process) or 0
        if changed or not self._samples % TURN:
            seen = any(each.fds is not None for each in own.values())
            self._sum = sum(self._counts.values()) if seen else None
        return self._sum if table.complete else None

    def _open_fds(self, process: Process) -> _Open | None:
        is_own = process.uid == self._uid and process.alive
        return _Open(process.id, process.open_fds) if is_own else None

    def _next(self) -> list[int]:
        self._samples += 1
        if self._samples % TURN:
            return []
        if not self._turn:
            self._turn.extend(self._own.found)
        return [pid for pid in (self._turn.popleft(),) if pid in self._counts] if self._turn else []

    def _count(self, process: ProcessId) -> int:
        with (
            opened_folder(self._root, process) as folder,
            opened("fd", folder=folder) as files,
            os.scandir(files) as entries,
        ):
            links = (
                ReadAttempts().attempt(os.readlink, os.fsencode(each.name), dir_fd=files) for each in entries
            )
            return sum(link in _LINKS for link in islice(links, LARGEST))
