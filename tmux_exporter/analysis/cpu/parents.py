"""The process tree over samples: parents, live ancestors, ended and reparented processes.

Processes are not read at the same moment: a parent may have ended before its child was read, and its pid may
belong to another process by then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import pairwise

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class UnknownParent(Enum):
    """A parent pid that no sample has seen as a process."""

    UNKNOWN_PARENT = "lost"


UNKNOWN_PARENT = UnknownParent.UNKNOWN_PARENT

_INIT = 1
_REPARENTED_SAMPLES = 3
"""Samples for which the old parent is kept: as long as an ended child may be unsettled."""


class ProcessTree:
    """The last reading of every process that may be alive, and of those that ended lately."""

    def __init__(self) -> None:
        self.present: Mapping[int, Process] = {}
        self._earlier: tuple[Mapping[int, Process], Mapping[int, Process]] = ({}, {})
        # By sample, newest first: processes as they were before they were reparented, and ended processes. A
        # parent may have ended before its child was read.
        self._before_reparenting: tuple[dict[ProcessId, Process], ...] = ({},) * _REPARENTED_SAMPLES
        self._ended: tuple[dict[int, Process], ...] = ({},) * (_REPARENTED_SAMPLES + 1)
        self._nearest: dict[ProcessId, Process | UnknownParent | None] = {}

    def advance(self, table: ProcessTable) -> list[Process]:
        """Move on to this sample and return the processes that have ended since the last one.

        After an incomplete listing a missing process may still be alive: then only those count as ended
        whose pid belongs to another process.
        """
        before, now = self.present, table.processes
        ended: list[Process] = []
        reparented: dict[ProcessId, Process] = {}
        missing = []
        for pid in changed_since(before, table):
            old, process = before.get(pid), now.get(pid)
            if old is None:
                continue
            if process is None:
                missing.append(old)
            elif old.id != process.id:
                ended.append(old)
            elif old.ppid != process.ppid:
                reparented[old.id] = old
        if table.complete:
            ended += missing
            self._ended = ({}, *self._ended[:-1])
            self._before_reparenting = (reparented, *self._before_reparenting[:-1])
            self.present = now
        else:
            self._before_reparenting = (
                {**self._before_reparenting[0], **reparented},
                *self._before_reparenting[1:],
            )
            self.present = {**before, **now}
        by_pid = {process.id.pid: process for process in ended}
        self._ended = ({**self._ended[0], **by_pid}, *self._ended[1:])
        self._nearest = {}
        self._earlier = (before, self._earlier[0])
        return ended

    def is_present(self, process: Process) -> bool:
        """Whether this process may be alive, and its pid does not belong to another one."""
        now = self.present.get(process.id.pid)
        return now is not None and now.id == process.id

    def can_wait(self, process: Process) -> bool:
        """Whether a process may still reap children: a zombie cannot."""
        now = self.present.get(process.id.pid)
        return now is not None and now.id == process.id and now.alive

    def has_waited_for(self, process: Process, ticks: int) -> bool:
        """Whether the ticks of reaped children grew by at least `ticks` in one of the last two samples."""
        pid = process.id.pid
        readings = [self.present.get(pid), *(earlier.get(pid) for earlier in self._earlier)]
        figures = [each.children_cpu_ticks for each in readings if each is not None and each.id == process.id]
        return any(0 < ticks <= now - before for now, before in pairwise(figures))

    def below(self, pids: Iterable[int]) -> Iterable[Process]:
        """All present processes that may have one of these as an ancestor, or one that is not known."""
        present = self.present
        found = {pid: present[pid] for pid, _ in self._before_reparenting[0] if pid in present}
        children: defaultdict[int, list[Process]] = defaultdict(list)
        for pid, process in present.items():
            parent = present.get(process.ppid)
            if parent is not None and parent.id.start_ticks <= process.id.start_ticks:
                children[process.ppid].append(process)
            elif process.ppid > _INIT:
                found[pid] = process
        queue = list({*pids, *found})
        for pid in queue:
            for process in children.pop(pid, ()):
                found[process.id.pid] = process
                queue.append(process.id.pid)
        return found.values()

    def was_reparented(self, process: Process) -> bool:
        """Whether a process was reparented since the last sample."""
        return process.id in self._before_reparenting[0]

    def parent(self, process: Process) -> Process | UnknownParent | None:
        """The last known parent of a process, alive or ended; None at the top of the tree.

        Init always exists but may be hidden (hidepid): ppid 1 never means another process.
        """
        pid = process.ppid
        parent = self.present.get(pid)
        if parent is not None and _may_be_parent(parent, process):
            return parent
        for by_pid in self._ended:
            parent = by_pid.get(pid)
            if parent is not None and _may_be_parent(parent, process):
                return parent
        return None if pid <= _INIT else UNKNOWN_PARENT

    def nearest_live_ancestor(self, process: Process) -> Process | UnknownParent | None:
        """The nearest ancestor that is present."""
        found: Process | UnknownParent | None = self.parent(process)
        if not isinstance(found, Process) or self.is_present(found):
            return found
        path: set[ProcessId] = set()
        while isinstance(found, Process) and not self.is_present(found):
            if found.id in self._nearest:
                found = self._nearest[found.id]
            elif found.id in path:
                # A cycle of parents: a pid was reused twice between two samples.
                found = UNKNOWN_PARENT
            else:
                path.add(found.id)
                found = self.parent(found)
        self._nearest.update(dict.fromkeys(path, found))
        return found

    def live_ancestors(self, process: Process) -> tuple[set[ProcessId], bool]:
        """All present processes that are, or lately were, ancestors; True if some may be unknown."""
        found: set[ProcessId] = set()
        seen: set[ProcessId] = set()
        has_unknown = False
        waiting = [process]
        while waiting:
            current = waiting.pop()
            if current.id in seen:
                continue
            seen.add(current.id)
            earlier = [
                reparented[current.id] for reparented in self._before_reparenting if current.id in reparented
            ]
            for reading in (current, *earlier):
                parent = self.parent(reading)
                if isinstance(parent, Process):
                    waiting.append(parent)
                    if self.is_present(parent):
                        found.add(parent.id)
                else:
                    has_unknown |= parent is UNKNOWN_PARENT
        return found, has_unknown


def _may_be_parent(parent: Process, process: Process) -> bool:
    # A process that started later has reused the parent's pid.
    return parent.id.start_ticks <= process.id.start_ticks and parent.id != process.id
