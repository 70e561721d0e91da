"""Changes between two samples: which processes differ, and values per process updated only for these."""

import math
from collections.abc import Callable, Collection, Container, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Generic, TypeVar

from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, Session, TmuxView, Window

T = TypeVar("T")

AUDIT_SECONDS = 585.0
"""After so long what followed changes is worked out from nothing: within 10 minutes, also at a slow tick."""


class AuditTurns:
    """Says in which samples to audit; different parts have their first turn after different times."""

    def __init__(self, first: float) -> None:
        """`first` is the part of the time between two audits after which the first one comes."""
        self._first = first
        self._due = math.inf

    def come(self, now: float) -> bool:
        """Whether it is the turn of this part, in a sample that was taken at the monotonic time `now`."""
        if self._due == math.inf:
            self._due = now + self._first * AUDIT_SECONDS
        if now < self._due:
            return False
        self._due = now + AUDIT_SECONDS
        return True


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


def _all_but(of: type, names: Container[str]) -> Callable[[object], tuple[object, ...]]:
    found: Callable[[object], tuple[object, ...]] = attrgetter(
        *(each.name for each in fields(of) if each.name not in names)
    )
    return found


_identity = _all_but(Process, FIGURES)
_pane = _all_but(Pane, {"history_lines", "history_limit_lines", "history_bytes", "title_sign"})
_session = _all_but(Session, {"activity", "attached"})
_window = _all_but(Window, {"activity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessChanges:
    """What differs between two tables, by pid.

    `figures` are all that appeared, ended or changed. `identities` are those of them that appeared, ended, or
    changed in more than figures: another parent, program, terminal, environment, or no longer alive.
    """

    figures: Collection[int]
    identities: Collection[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between two samples. `tmux`: servers, sessions, windows or panes, in more than figures."""

    processes: ProcessChanges
    tmux: bool


class ChangeTracker:
    """Compares each sample with the one before."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._view: TmuxView | None = None

    def observe(self, table: ProcessTable, view: TmuxView) -> Changes:
        """What differs from the sample before; of the first one everything."""
        known, self._view = self._view, view
        return Changes(
            processes=self.processes(table), tmux=known is None or not is_same_structure(known, view)
        )

    def processes(self, table: ProcessTable) -> ProcessChanges:
        """What differs from the table before."""
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
    if not before:
        return now.keys()
    return {pid for pid in before.keys() | now.keys() if before.get(pid) is not now.get(pid)}


def is_same_structure(old: TmuxView, new: TmuxView) -> bool:
    """Whether two views differ in figures and times only."""
    return (
        len(old.servers) == len(new.servers)
        and all(
            (a.label, a.socket, a.process, a.up, a.ended) == (b.label, b.socket, b.process, b.up, b.ended)
            and _is_same_listing(a.listing, b.listing)
            for a, b in zip(old.servers, new.servers, strict=True)
        )
        and old.canonical_paths == new.canonical_paths
        and bool(old.problems) == bool(new.problems)
    )


def _is_same_listing(old: Listing | None, new: Listing | None) -> bool:
    if old is None or new is None:
        return old is new
    return (
        old.server == new.server
        and old.links == new.links
        and _are_same(old.sessions, new.sessions, _session)
        and _are_same(old.windows, new.windows, _window)
        and _are_same(old.panes, new.panes, _pane)
    )


def _are_same(
    old: Sequence[object], new: Sequence[object], identity: Callable[[object], tuple[object, ...]]
) -> bool:
    return old is new or (
        len(old) == len(new)
        and all(a is b or identity(a) == identity(b) for a, b in zip(old, new, strict=True))
    )


class PerProcess(Generic[T]):
    """`found` maps each pid of the last table to the result of `work_out`, without results of None.

    A process that has not changed keeps its position in the mapping.
    """

    def __init__(self, work_out: Callable[[Process], T | None]) -> None:
        self.found: dict[int, T] = {}
        self._work_out = work_out
        self._before: Mapping[int, Process] = {}

    def update(self, table: ProcessTable) -> Set[int]:
        """Update `found`; return the pids for which something in it has changed."""
        before, self._before = self._before, table.processes
        if not before and not self.found:
            results = ((pid, self._work_out(process)) for pid, process in table.processes.items())
            self.found.update({pid: value for pid, value in results if value is not None})
            return set(self.found)
        changed = set()
        for pid in changed_since(before, table):
            process = table.processes.get(pid)
            value = None if process is None else self._work_out(process)
            if value == self.found.get(pid):
                continue
            changed.add(pid)
            if value is None:
                del self.found[pid]
            else:
                self.found[pid] = value
        return changed
