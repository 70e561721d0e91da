"""Cache of conclusions that are computed again only when the facts they depend on have changed.

Most samples show the same processes in the same panes and only figures change. Then owners, agents and
counter keys, which depend on parents, programs and panes, are not computed again.
"""

from collections import deque
from collections.abc import Callable, Container, Hashable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Generic, TypeVar

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, Session, TmuxView, Window

T = TypeVar("T")

_FIGURES = {
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
"""Fields that change while a process stays the same; a change of another, or of `alive`, is a new version."""


def _all_but(of: type, *names: str) -> Callable[[object], tuple[object, ...]]:
    found: Callable[[object], tuple[object, ...]] = attrgetter(
        *(each.name for each in fields(of) if each.name not in names)
    )
    return found


_fixed_fields = _all_but(Process, *_FIGURES)
_pane = _all_but(Pane, "history_lines", "history_limit_lines", "history_bytes", "title_sign")
_session = _all_but(Session, "activity", "attached")
_window = _all_but(Window, "activity")


class ProcessSetVersion:
    """Version number of a set of processes."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._number = 0

    def number(self, table: ProcessTable, among: Container[int] | None = None) -> int:
        """A number that changes when a process has started, ended, or runs another program.

        Where `among` is given, only processes with these pids count.
        """
        before, self._before = self._before, table.processes
        self._number += not all(
            _are_alike(before.get(pid), table.processes.get(pid))
            for pid in changed_since(before, table)
            if among is None or pid in among
        )
        return self._number


def _are_alike(old: Process | None, new: Process | None) -> bool:
    if old is None or new is None:
        return old is new
    return old is new or (old.alive == new.alive and _fixed_fields(old) == _fixed_fields(new))


def tmux_version(table: ProcessTable, view: TmuxView) -> Hashable:
    """Everything that tmux has reported, except figures and times."""
    return (
        tuple(
            (
                server.label,
                server.socket,
                server.process,
                server.up,
                server.ended,
                None if server.listing is None else _listing(server.listing, table.taken_at),
            )
            for server in view.servers
        ),
        tuple(view.canonical_paths.items()),
        bool(view.problems),
    )


def _listing(listing: Listing, taken_at: float) -> Hashable:
    return (
        listing.server,
        listing.taken_at >= taken_at,
        tuple(map(_session, listing.sessions)),
        tuple(map(_window, listing.windows)),
        listing.links,
        tuple(map(_pane, listing.panes)),
    )


_MAX_KNOWN_FACTS = 4
"""How many different facts are kept: facts alternate, because a listing is fresh in some samples only."""


class CachedConclusion(Generic[T]):
    """The last conclusion of one kind.

    A conclusion may also depend on the one before (names and owners are kept), so it is reused only for facts
    that have led to it twice since it last changed.
    """

    def __init__(self) -> None:
        self.number = 0
        self._value: T | None = None
        self._stands: deque[object] = deque(maxlen=_MAX_KNOWN_FACTS)
        self._once: deque[object] = deque(maxlen=_MAX_KNOWN_FACTS)

    def of(self, facts: object, conclude: Callable[[], T]) -> T:
        """The conclusion from these facts; `number` changes with it. With `facts` None, compute it again."""
        if self._value is not None and facts is not None and facts in self._stands:
            return self._value
        value = conclude()
        if value != self._value or self._value is None:
            self._value = value
            self.number += 1
            self._stands.clear()
            self._once.clear()
        if facts is not None:
            (self._stands if facts in self._once else self._once).append(facts)
        return self._value
