"""Who is whose parent among processes that were not all looked at in the same moment.

A process may name a parent that ended before its own turn came, or whose number somebody else bears by now.
"""

from collections.abc import Mapping
from enum import Enum
from itertools import pairwise

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class UnknownParent(Enum):
    """A parent that is named and was never seen."""

    UNKNOWN_PARENT = "lost"


UNKNOWN_PARENT = UnknownParent.UNKNOWN_PARENT

_INIT = 1
_REPARENTED_SAMPLES = 3
"""How many readings an adoption is remembered: for as long as the end of a child is in doubt."""


class ProcessTree:
    """Everybody who may be there, by the last look at each, and those who ended lately."""

    def __init__(self) -> None:
        self.present: Mapping[int, Process] = {}
        self._earlier: tuple[Mapping[int, Process], Mapping[int, Process]] = ({}, {})
        # Looks at processes before they got another parent, and the last looks at those who have ended, by
        # reading, the last first. A parent may have been gone before its child was looked at.
        self._before_reparenting: tuple[dict[ProcessId, Process], ...] = ({},) * _REPARENTED_SAMPLES
        self._gone: tuple[dict[int, Process], ...] = ({},) * (_REPARENTED_SAMPLES + 1)
        self._nearest: dict[ProcessId, Process | UnknownParent | None] = {}

    def advance(self, table: ProcessTable) -> list[Process]:
        """Move on to this reading and give those who have ended since the one before.

        After an incomplete reading only those have whose number another process bears: who is missing may
        only have been missed.
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
            self._gone = ({}, *self._gone[:-1])
            self._before_reparenting = (reparented, *self._before_reparenting[:-1])
            self.present = now
        else:
            self._before_reparenting = (
                {**self._before_reparenting[0], **reparented},
                *self._before_reparenting[1:],
            )
            self.present = {**before, **now}
        gone = {process.id.pid: process for process in ended}
        self._gone = ({**self._gone[0], **gone}, *self._gone[1:])
        self._nearest = {}
        self._earlier = (before, self._earlier[0])
        return ended

    def is_present(self, process: Process) -> bool:
        """Whether this process, and not another of its number, may be there."""
        now = self.present.get(process.id.pid)
        return now is not None and now.id == process.id

    def can_wait(self, process: Process) -> bool:
        """Whether a process may still be there and alive: a zombie waits for nobody and has no children."""
        now = self.present.get(process.id.pid)
        return now is not None and now.id == process.id and now.alive

    def has_waited_for(self, process: Process, ticks: int) -> bool:
        """Whether a process got at least so much of its children at once in one of the last two steps."""
        pid = process.id.pid
        looks = [self.present.get(pid), *(earlier.get(pid) for earlier in self._earlier)]
        figures = [each.children_cpu_ticks for each in looks if each is not None and each.id == process.id]
        return any(0 < ticks <= now - before for now, before in pairwise(figures))

    def was_reparented(self, process: Process) -> bool:
        """Whether a process has got another parent since the last reading."""
        return process.id in self._before_reparenting[0]

    def parent(self, process: Process) -> Process | UnknownParent | None:
        """The parent that a process last named, present or gone; None at the top.

        Init may be hidden (hidepid) and is always there: who names it is its child and nobody else's.
        """
        pid = process.ppid
        elder = self.present.get(pid)
        if elder is not None and _may_be_parent(elder, process):
            return elder
        for gone in self._gone:
            elder = gone.get(pid)
            if elder is not None and _may_be_parent(elder, process):
                return elder
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
                # Parents in a circle: a number was given away twice while we did not look.
                found = UNKNOWN_PARENT
            else:
                path.add(found.id)
                found = self.parent(found)
        self._nearest.update(dict.fromkeys(path, found))
        return found

    def live_ancestors(self, process: Process) -> tuple[set[ProcessId], bool]:
        """All who are or lately were ancestors of a process and are present; True if some are not known."""
        found: set[ProcessId] = set()
        seen: set[ProcessId] = set()
        is_lost = False
        waiting = [process]
        while waiting:
            current = waiting.pop()
            if current.id in seen:
                continue
            seen.add(current.id)
            earlier = [
                reparented[current.id] for reparented in self._before_reparenting if current.id in reparented
            ]
            for look in (current, *earlier):
                elder = self.parent(look)
                if isinstance(elder, Process):
                    waiting.append(elder)
                    if self.is_present(elder):
                        found.add(elder.id)
                else:
                    is_lost |= elder is UNKNOWN_PARENT
        return found, is_lost


def _may_be_parent(elder: Process, process: Process) -> bool:
    # A younger one got the number after the parent.
    return elder.id.start_ticks <= process.id.start_ticks and elder.id != process.id
