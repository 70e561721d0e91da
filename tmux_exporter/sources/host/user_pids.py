"""Read how many processes and threads this user may have: by the limit of the user, and by cgroups.

Limits are inherited, so those of this user's tmux servers hold for what runs in panes; without one, those of
the exporter are read.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator

from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.ledgers import PidCount, fullest
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import SERVER_COMM
from tmux_exporter.sources.common.ttl_cache import PATIENT_SECONDS, TtlCache
from tmux_exporter.sources.host.ledgers import LedgerReader
from tmux_exporter.sources.processes.process_folder import opened_folder, read_file

_LIMIT = re.compile(rb"^Max processes +(\d+|unlimited) ", re.MULTILINE)
_ROOT = 0
"""The kernel asks root for no limit of its own."""


class UserPidReader:
    """Counts them sample by sample, of the processes whose effective uid is `uid`."""

    def __init__(self, *, uid: int, proc_root: str = "/proc", cgroup_root: str = "/sys/fs/cgroup") -> None:
        self._uid = uid
        self._proc_root = proc_root
        self._ledgers = LedgerReader(proc_root=proc_root, cgroup_root=cgroup_root)
        self._threads = PerProcess(lambda each: each.threads if each.uid == uid else None)
        self._servers = PerProcess(self._server)
        self._limits = TtlCache(self._read_limit)
        self._folders = TtlCache(self._read_folder, PATIENT_SECONDS)
        self._sum = 0

    def user(self, table: ProcessTable, now: float) -> PidCount | None:
        """Processes and threads of this user, and the lowest limit (RLIMIT_NPROC); None where not known."""
        if self._threads.update(table):
            self._sum = sum(self._threads.found.values())
        self._servers.update(table)
        if not table.complete or not self._sum:
            return None
        limits = self._limits.known(self._inherited(table), now) if self._uid != _ROOT else {}
        return PidCount(self._sum, min(limits.values(), default=None))

    def cgroup(self, table: ProcessTable, now: float) -> PidCount | None:
        """The fullest of the cgroups with a limit (pids.max), of every user's; None where none has one."""
        folders = self._folders.known(self._inherited(table), now).values()
        counts = map(self._ledgers.pids, dict.fromkeys(_above(folders)))
        return fullest(each for each in counts if each is not None and each.limit is not None)

    def _inherited(self, table: ProcessTable) -> list[ProcessId]:
        own = table.processes.get(os.getpid())
        return list(self._servers.found.values()) or ([own.id] if own is not None else [])

    def _server(self, process: Process) -> ProcessId | None:
        is_server = process.uid == self._uid and process.comm == SERVER_COMM and process.alive
        return process.id if is_server else None

    def _read_folder(self, process: ProcessId) -> str | None:
        return self._ledgers.controller(process.pid, "pids") or None

    def _read_limit(self, process: ProcessId) -> int | None:
        with opened_folder(self._proc_root, process) as folder:
            return parse_process_limit(read_file("limits", folder))


def _above(folders: Iterable[str]) -> Iterator[str]:
    """These folders and all above, as long as they are cgroups with a limit."""
    for each in folders:
        current = each
        while os.path.exists(f"{current}/pids.max"):
            yield current
            current = posixpath.dirname(current)


def parse_process_limit(raw: bytes) -> int | None:
    """Parse /proc/PID/limits: the soft limit of processes, None if unlimited."""
    found = _LIMIT.search(raw)
    if found is None:
        raise ValueError("limits: no line for processes")
    return None if found[1] == b"unlimited" else int(found[1])
