"""Changed processes between two samples, and values derived per process that are updated only for these."""

from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from tmux_exporter.facts.process import Process, ProcessTable

T = TypeVar("T")


def changed_since(before: Mapping[int, Process], table: ProcessTable) -> Collection[int]:
    """The pids whose entries in `table` may differ from `before`, the `processes` of an earlier table."""
    if table.changes is not None and table.changes.since is before:
        return table.changes.pids
    now = table.processes
    return {pid for pid in before.keys() | now.keys() if before.get(pid) is not now.get(pid)}


class PerProcess(Generic[T]):
    """`found` maps each pid of the last table to the result of `work_out`, without results of None.

    A process that has not changed keeps its position in the mapping.
    """

    def __init__(self, work_out: Callable[[Process], T | None]) -> None:
        self.found: dict[int, T] = {}
        self._work_out = work_out
        self._before: Mapping[int, Process] = {}

    def update(self, table: ProcessTable) -> bool:
        """Update `found`; return whether anything in it has changed."""
        before, self._before = self._before, table.processes
        changed = False
        for pid in changed_since(before, table):
            process = table.processes.get(pid)
            value = None if process is None else self._work_out(process)
            if value is None:
                changed |= self.found.pop(pid, None) is not None
            elif value != self.found.get(pid):
                self.found[pid] = value
                changed = True
        return changed
