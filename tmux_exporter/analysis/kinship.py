"""Who is whose parent among processes that were not all looked at in the same moment.

A process may name a parent that ended before its own turn came, or whose number somebody else bears by now.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import pairwise

from tmux_exporter.model import Process, ProcessId, ProcessTable


class Lost(Enum):
    """A parent that is named and was never seen."""

    LOST = "lost"


LOST = Lost.LOST

_INIT = 1


class Kinship:
    """Everybody who may be there, by the last look at each, and those who ended lately."""

    def __init__(self) -> None:
        self.present: Mapping[int, Process] = {}
        self._earlier: tuple[Mapping[int, Process], Mapping[int, Process]] = ({}, {})
        self._gone: dict[int, Process] = {}
        self._gone_before: dict[int, Process] = {}
        self._survivors: dict[ProcessId, Process | Lost | None] = {}

    def advance(self, table: ProcessTable) -> list[Process]:
        """Move on to this reading and give those who have ended since the one before.

        After an incomplete reading only those have whose number another process bears: who is missing may
        only have been missed.
        """
        before, now = self.present, table.processes
        ended = [
            old
            for pid, process in now.items()
            if (old := before.get(pid)) is not None and old is not process and old.id != process.id
        ]
        if table.complete:
            ended += [before[pid] for pid in before.keys() - now.keys()]
            self._gone_before, self._gone = self._gone, {}
            self.present = now
        else:
            self.present = {**before, **now}
        self._gone |= {process.id.pid: process for process in ended}
        self._survivors = {}
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

    def parent(self, process: Process) -> Process | Lost | None:
        """The parent that a process last named, present or gone; None at the top.

        Init may be hidden (hidepid) and is always there: who names it is its child and nobody else's.
        """
        pid = process.ppid
        born = process.id.start_ticks
        for where in (self.present, self._gone, self._gone_before):
            elder = where.get(pid)
            # A younger one got the number after the parent.
            if elder is not None and elder.id != process.id and elder.id.start_ticks <= born:
                return elder
        return None if pid <= _INIT else LOST

    def survivor(self, process: Process) -> Process | Lost | None:
        """The nearest ancestor that is present."""
        found: Process | Lost | None = self.parent(process)
        if not isinstance(found, Process) or self.is_present(found):
            return found
        path: set[ProcessId] = set()
        while isinstance(found, Process) and not self.is_present(found):
            if found.id in self._survivors:
                found = self._survivors[found.id]
            elif found.id in path:
                # Parents in a circle: a number was given away twice while we did not look.
                found = LOST
            else:
                path.add(found.id)
                found = self.parent(found)
        self._survivors.update(dict.fromkeys(path, found))
        return found

    def ancestry(self, process: Process) -> Iterator[Process]:
        """A process that is present and its ancestors that are, nearest first."""
        seen: set[int] = set()
        current: Process | Lost | None = process
        while isinstance(current, Process) and current.id.pid not in seen:
            seen.add(current.id.pid)
            yield current
            current = self.survivor(current)
