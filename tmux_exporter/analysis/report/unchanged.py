"""Conclusions that are drawn anew only where what they follow from has changed.

Most samples show the same processes in the same panes: only figures move. What kinship, programs and panes
decide (owners, agents, accounts) need not be worked out again then.
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
"""What may change of a process while it remains what it is; all else, and being alive, is its make."""


def _all_but(of: type, *names: str) -> Callable[[object], tuple[object, ...]]:
    found: Callable[[object], tuple[object, ...]] = attrgetter(
        *(each.name for each in fields(of) if each.name not in names)
    )
    return found


_make = _all_but(Process, *_FIGURES)
_pane = _all_but(Pane, "history_lines", "history_limit_lines", "history_bytes", "title_sign")
_session = _all_but(Session, "activity", "attached")
_window = _all_but(Window, "activity")


class ProcessSetVersion:
    """Tells whether the processes are the same ones, made the same."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._number = 0

    def number(self, table: ProcessTable, among: Container[int] | None = None) -> int:
        """A number that changes when one of the processes has come, gone or become another one.

        Only those `among` these pids bear on it, where they are given.
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
    return old is new or (old.alive == new.alive and _make(old) == _make(new))


def tmux_version(table: ProcessTable, view: TmuxView) -> Hashable:
    """What tmux has said, but for figures and times."""
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
"""Facts that come back: a costly listing is not asked for in each sample, and is fresh in some only."""


class CachedConclusion(Generic[T]):
    """The last conclusion of one kind.

    What was concluded before may bear on it (names stick, owners are remembered): so it stands only for facts
    that have led to it twice since it was drawn.
    """

    def __init__(self) -> None:
        self.number = 0
        self._value: T | None = None
        self._stands: deque[object] = deque(maxlen=_MAX_KNOWN_FACTS)
        self._once: deque[object] = deque(maxlen=_MAX_KNOWN_FACTS)

    def of(self, facts: object, conclude: Callable[[], T]) -> T:
        """The conclusion from these facts; `number` changes with it. `None` as facts: draw it anew."""
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
