"""What every source says of every agent: looks where agents tell of themselves, and hands out clues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from tmux_exporter.agent_facts import Clue
from tmux_exporter.analysis.pane_clues import activity_clue
from tmux_exporter.clock import Clock
from tmux_exporter.model import Agent, Listing, Pane, PaneKey, ProcessId, TmuxView
from tmux_exporter.sources.claude_sessions import ClaudeSessions

CLAUDE = "claude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The agents, with their versions where a source told them, and the clues by their root processes."""

    agents: tuple[Agent, ...]
    clues: Mapping[ProcessId, Sequence[Clue]] = field(default_factory=dict)


class AgentWatch:
    """Looks at the agents of this user; keeps what need not be read again."""

    def __init__(
        self, *, uid: int, clock: Clock, environ: Mapping[str, str], proc_root: str = "/proc"
    ) -> None:
        self._clock = clock
        self._sessions = ClaudeSessions(uid=uid, clock=clock, environ=environ, proc_root=proc_root)

    def look(self, view: TmuxView, agents: Sequence[Agent]) -> Watched:
        """Everything that is said of `agents` now. Raises nothing for what it finds."""
        panes = _panes(view)
        # The wall time of a monotonic one: a listing may be some seconds old.
        wall = self._clock.time() - self._clock.monotonic()
        clues: dict[ProcessId, list[Clue]] = {}
        versions: dict[ProcessId, str] = {}
        for agent in agents:
            said = clues.setdefault(agent.process, [])
            if agent.program == CLAUDE:
                word = self._sessions.read(agent.programs)
                said.append(word.clue)
                versions[agent.process] = agent.version or word.version
            if (place := panes.get(agent.pane)) is not None:
                listing, pane = place
                said.append(activity_clue(listing, pane, wall + listing.taken_at))
        self._sessions.retain(frozenset(chain.from_iterable(agent.programs for agent in agents)))
        told = tuple(replace(agent, version=versions.get(agent.process, agent.version)) for agent in agents)
        return Watched(agents=told, clues=clues)


def _panes(view: TmuxView) -> dict[PaneKey, tuple[Listing, Pane]]:
    return {
        PaneKey(each.listing.server, pane.id): (each.listing, pane)
        for each in view.servers
        # What a silent server last said is no news of what its agents do.
        if each.listing is not None and each.up
        for pane in each.listing.panes
    }
