"""Changes between two samples: which processes differ, and values per process updated only for these."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Generic, TypeVar

from tmux_exporter.facts.process import Process, ProcessTable

T = TypeVar("T")

FIGURES = frozenset(
    {
        "state",
        "threads",
        "cpu_ticks",
        "children_cpu_ticks",
        "resident_bytes",
        "anonymous_bytes",
        "shared_memory_bytes",
        "swap_bytes",
        "open_fds",
        "max_fds",
        "read_bytes",
        "written_bytes",
        "unreadable",
    }
)
"""Fields that change while a process keeps its identity; all others, and being alive, are identity."""

_identity: Callable[[Process], tuple[object, ...]] = attrgetter(
    *(each.name for each in fields(Process) if each.name not in FIGURES)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessChanges:
    """What differs between two tables, by pid.

    `figures` are all that appeared, ended or changed. `identities` are those of them that appeared, ended, or
    changed in more than figures: another parent, program, terminal, environment, or no longer alive.
    """

    figures: Collection[int]
    identities: Collection[int]


class ChangeTracker:
    """Compares each table with the one before."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}

    def observe(self, table: ProcessTable) -> ProcessChanges:
        """What differs from the table before; of the first one everything."""
        before, self._before = self._before, table.processes
        changed = changed_since(before, table)
        return ProcessChanges(
            figures=changed,
            identities=[pid for pid in changed if not _is_same(before.get(pid), table.processes.get(pid))],
        )


def _is_same(old: Process | None, new: Process | None) -> bool:
    if old is None or new is None:
        return old is new
    return old is new or (old.alive == new.alive and _identity(old) == _identity(new))


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
