"""Whose screen is read when, and what it said last; keeps no text.

A screen is read again only when its window has moved since: what has not moved shows what it showed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.analysis.agents.hook_state import WindowActivity
from tmux_exporter.analysis.agents.pane_state import window_activity
from tmux_exporter.analysis.agents.screen_patterns import ScreenMeaning
from tmux_exporter.analysis.agents.screen_state import read_screen, screen_clue, unread
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.agents import Agent, Clue, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sources.agents.limit_end import limit_end
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
    until: float | None
    problem: str


class Place(NamedTuple):
    """Where a pane is asked for, what its window does, and the first sign of its title."""

    socket: str
    listed_at: float
    still: WindowActivity
    sign: str


class ScreenWatch:
    """Reads the screens of agents; `look` once a sample."""

    def __init__(self, *, uid: int, clock: Clock) -> None:
        self._clock = clock
        self._reader = ScreenReader(uid=uid, clock=clock)
        self._seen: dict[PaneKey, _Seen] = {}

    def look(
        self,
        places: Mapping[PaneKey, Place],
        agents: Sequence[Agent],
        wanted: frozenset[ProcessId],
        settings: TmuxSettings,
    ) -> Mapping[ProcessId, Clue]:
        """What the screens say of those of `agents` that are `wanted`."""
        if not wanted and not self._seen:
            return {}
        in_pane = Counter(agent.pane for agent in agents)
        self._seen = {key: seen for key, seen in self._seen.items() if key in places}
        asked = [agent for agent in agents if agent.process in wanted and agent.pane in places]
        due = [each for each in asked if in_pane[each.pane] == 1 and self._is_due(each, places[each.pane])]
        if due:
            self._read(due, places, settings)
        wall = self._clock.time() - self._clock.monotonic()
        return {
            each.process: self._clue(each, places[each.pane], wall)
            if in_pane[each.pane] == 1
            else unread("its pane holds other agents too")
            for each in asked
        }

    def _is_due(self, agent: Agent, place: Place) -> bool:
        seen = self._seen.get(agent.pane)
        if seen is None or seen.process != agent.process:
            return True
        if seen.listed_at == place.listed_at:
            # Nobody has asked its server since.
            return False
        return not seen.settled or seen.moved != place.still.moved

    def _read(self, due: Sequence[Agent], places: Mapping[PaneKey, Place], settings: TmuxSettings) -> None:
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

    def _clue(self, agent: Agent, place: Place, wall: float) -> Clue:
        seen = self._seen.get(agent.pane)
        if seen is None or seen.process != agent.process:
            return unread("its text has not had its turn yet")
        if seen.problem:
            return unread(seen.problem)
        if seen.moved != place.still.moved:
            return unread("its window has moved since its text was read")
        asked = wall + place.listed_at
        return screen_clue(seen.meaning, place.still, asked, settled=seen.settled, until=seen.until)


def places_of(view: TmuxView) -> dict[PaneKey, Place]:
    """The places of all panes."""
    found = {}
    for each in view.servers:
        # What a silent server last said is no news, and who does not answer is not asked for more.
        if (listing := each.listing) is not None and each.up:
            still = window_activity(listing)
            for pane in listing.panes:
                found[PaneKey(listing.server, pane.id)] = Place(
                    each.socket, listing.taken_at, still[pane.id], pane.title_sign
                )
    return found


def _seen(agent: Agent, place: Place, screen: Screen, wall: float) -> _Seen:
    moved = place.still.moved
    meaning = None if screen.problem else read_screen(agent.program, screen.rows)
    limited = meaning is not None and meaning.reason is WaitingReason.USAGE_LIMIT
    return _Seen(
        process=agent.process,
        moved=moved,
        listed_at=place.listed_at,
        read_at=screen.taken_at,
        settled=not screen.problem
        and moved is not None
        and wall + screen.taken_at >= moved + _SETTLED_SECONDS,
        meaning=meaning,
        until=limit_end(screen.rows, wall + screen.taken_at) if limited else None,
        problem=screen.problem,
    )
