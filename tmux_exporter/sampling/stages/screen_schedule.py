"""Whose screen is read when, and what it said last; keeps no text.

A screen is read again only when its window has moved since: what has not moved shows what it showed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.hook_state import WindowActivity
from tmux_exporter.analysis.agents.pane_state import window_activity
from tmux_exporter.analysis.agents.screen_patterns import ScreenMeaning
from tmux_exporter.analysis.agents.screen_state import read_screen, screen_clue, unread
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.agents import Agent, Clue
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sources.tmux.screens import Asked, Screen, ScreenReader

_SETTLED_SECONDS = 1.0
"""tmux tells whole seconds: what was written later in the same one does not move the window any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The last reading of a pane: of which agent, at which state of its window, and what came of it."""

    process: ProcessId
    moved: float | None
    listed_at: float
    read_at: float
    settled: bool
    meaning: ScreenMeaning | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a pane is asked for, and what its window does."""

    socket: str
    listed_at: float
    still: WindowActivity


class ScreenWatch:
    """Reads the screens of agents; `look` once a sample."""

    def __init__(self, *, uid: int, clock: Clock) -> None:
        self._clock = clock
        self._reader = ScreenReader(uid=uid, clock=clock)
        self._seen: dict[PaneKey, _Seen] = {}

    def look(
        self, view: TmuxView, agents: Sequence[Agent], wanted: frozenset[ProcessId], settings: TmuxSettings
    ) -> Mapping[ProcessId, Clue]:
        """What the screens say of those of `agents` that are `wanted`."""
        places = _places(view)
        panes = [agent.pane for agent in agents]
        self._seen = {key: seen for key, seen in self._seen.items() if key in places}
        sole = [
            agent
            for agent in agents
            if agent.process in wanted and agent.pane in places and panes.count(agent.pane) == 1
        ]
        due = [agent for agent in sole if self._is_due(agent, places[agent.pane])]
        self._read(due, places, settings)
        found = {}
        wall = self._clock.time() - self._clock.monotonic()
        for agent in agents:
            if agent.process in wanted and agent.pane in places:
                place = places[agent.pane]
                found[agent.process] = (
                    self._clue(agent, place, wall + place.listed_at)
                    if panes.count(agent.pane) == 1
                    else unread("its pane holds other agents too")
                )
        return found

    def _is_due(self, agent: Agent, place: _Place) -> bool:
        seen = self._seen.get(agent.pane)
        if seen is None or seen.process != agent.process:
            return True
        if seen.listed_at == place.listed_at:
            # Nobody has asked its server since.
            return False
        return not seen.settled or seen.moved != place.still.moved

    def _read(self, due: Sequence[Agent], places: Mapping[PaneKey, _Place], settings: TmuxSettings) -> None:
        def turn(agent: Agent) -> float:
            seen = self._seen.get(agent.pane)
            return seen.read_at if seen else 0.0

        by_socket: dict[str, list[PaneKey]] = {}
        for agent in sorted(due, key=turn):
            by_socket.setdefault(places[agent.pane].socket, []).append(agent.pane)
        screens = self._reader.read(
            [Asked(socket=socket, panes=tuple(panes)) for socket, panes in by_socket.items()],
            transport=settings.transport.value,
            timeout=settings.query_timeout,
        )
        wall = self._clock.time() - self._clock.monotonic()
        for agent in due:
            if (screen := screens.get(agent.pane)) is not None:
                self._seen[agent.pane] = _seen(agent, places[agent.pane], screen, wall)

    def _clue(self, agent: Agent, place: _Place, asked: float) -> Clue:
        seen = self._seen.get(agent.pane)
        if seen is None or seen.process != agent.process:
            return unread("its text has not had its turn yet")
        if seen.problem:
            return unread(seen.problem)
        if seen.moved != place.still.moved:
            return unread("its window has moved since its text was read")
        return screen_clue(seen.meaning, place.still, asked)


def _places(view: TmuxView) -> dict[PaneKey, _Place]:
    found = {}
    for each in view.servers:
        # Who did not answer just now is not asked for more.
        if (listing := each.listing) is not None and each.up:
            still = window_activity(listing)
            for pane in listing.panes:
                found[PaneKey(listing.server, pane.id)] = _Place(
                    socket=each.socket, listed_at=listing.taken_at, still=still[pane.id]
                )
    return found


def _seen(agent: Agent, place: _Place, screen: Screen, wall: float) -> _Seen:
    moved = place.still.moved
    return _Seen(
        process=agent.process,
        moved=moved,
        listed_at=place.listed_at,
        read_at=screen.taken_at,
        settled=not screen.problem
        and moved is not None
        and wall + screen.taken_at >= moved + _SETTLED_SECONDS,
        meaning=None if screen.problem else read_screen(agent.program, screen.rows),
        problem=screen.problem,
    )
