"""The lives of agents over many samples: up or not, in which state, since when; nothing is believed too soon.

An agent lives in a place: its pane, its program, and its number among those of one program there. The process
in it may end and come again. What a sample cannot see stays as it was: only a complete process table together
with a fresh answer of the server proves that an agent has gone, and only two of them in a row are believed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tmux_exporter.analysis.agents.names import gone_panes
from tmux_exporter.analysis.programs.shells import at_prompt
from tmux_exporter.config import ExpectedAgent
from tmux_exporter.facts.agents import (
    Agent,
    AgentKey,
    AgentState,
    AgentStatus,
    Clue,
    SavedAgent,
    StateSource,
    TrackedAgent,
    WaitingReason,
)
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, TmuxView

_MOST = 10_000
"""Places that are remembered; beyond, those are forgotten whose agents were seen longest ago."""

_ORDER = {source: place for place, source in enumerate(StateSource)}
# What an agent stops at: it takes itself for idle then, and only its screen says more.
_STOPS = (WaitingReason.USAGE_LIMIT, WaitingReason.API_ERROR, WaitingReason.AUTH)

_NOTHING = Clue(source=StateSource.NONE, state=AgentState.UNKNOWN, why="no source says anything")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSample:
    """One sample as the lives of agents need it; `now` is the wall time of it.

    `session_labels` are those of the snapshot. `clues` are by the root process of an agent.
    """

    table: ProcessTable
    view: TmuxView
    agents: Sequence[Agent]
    clues: Mapping[ProcessId, Sequence[Clue]]
    session_labels: Mapping[tuple[ProcessId, str], str]
    now: float


@dataclass(slots=True, kw_only=True)
class _Entry:
    """What is remembered of one place.

    `begun` is when its process was first seen, `seen` when last, `missed` when a look first missed it, None
    if none did. `doubt` is a state that an uncertain source has named once, and when.
    """

    name: str
    process: ProcessId
    begun: float
    seen: float
    status: AgentStatus
    version: str = ""
    role: str = ""
    up: bool = True
    missed: float | None = None
    doubt: tuple[AgentState, float] | None = None


class AgentTracker:
    """Remembers them; `observe` once per look, in order."""

    def __init__(
        self, tracked_agents: Iterable[SavedAgent] = (), absent: Iterable[tuple[str, str, str, float]] = ()
    ) -> None:
        self._entries: dict[AgentKey, _Entry] = {each.key: _restored(each) for each in tracked_agents}
        self._absent = {(server, session, name): since for server, session, name, since in absent}

    def observe(self, sight: AgentSample, expected: Sequence[ExpectedAgent] = ()) -> tuple[TrackedAgent, ...]:
        """The agents that run, then those that do not; each label of server, session and name once."""
        places = {AgentKey(each.pane, each.program, each.number): each for each in sight.agents}
        gone = gone_panes(sight.view, {place.pane for place in self._entries})
        for place in [each for each in self._entries if each.pane in gone]:
            del self._entries[place]
        panes = _panes(sight.view)
        tracked_agents = [self._running(place, agent, sight, panes) for place, agent in places.items()]
        for place in [each for each in self._entries if each not in places and each.pane in panes]:
            self._miss(place, panes[place.pane], sight, places)
        absentees = (
            *(
                _tracked(place, entry, sight, panes)
                for place, entry in self._entries.items()
                if place not in places and place.pane in panes
            ),
            *self._declared(panes, sight),
            *self._expected(expected, sight),
        )
        taken = {_labels(tracked) for tracked in tracked_agents}
        for tracked in absentees:
            if (labels := _labels(tracked)) not in taken:
                taken.add(labels)
                tracked_agents.append(tracked)
        self._absent = {labels: since for labels, since in self._absent.items() if labels in taken}
        self._bound()
        return tuple(tracked_agents)

    def memory(self) -> tuple[SavedAgent, ...]:
        """What must survive us of the lives."""
        return tuple(
            SavedAgent(
                key=place,
                name=entry.name,
                version=entry.version,
                role=entry.role,
                process=entry.process,
                up=entry.up,
                seen=entry.seen,
                state=entry.status.state,
                reason=entry.status.reason,
                since=entry.status.since,
            )
            for place, entry in self._entries.items()
        )

    def absent(self) -> tuple[tuple[str, str, str, float], ...]:
        """Who was only declared and is missing, and since when."""
        return tuple((*labels, since) for labels, since in self._absent.items())

    def _running(
        self, place: AgentKey, agent: Agent, sight: AgentSample, panes: Mapping[PaneKey, "_Listed"]
    ) -> TrackedAgent:
        best, passed = decide_state(sight.clues.get(agent.process, ()))
        started = sight.table.start_time(agent.process)
        entry, now = self._entries.get(place), sight.now
        restarted = entry is not None and entry.process != agent.process
        recovered = _down_seconds(entry, started, now) if entry is not None and restarted else None
        if entry is None or restarted:
            status = _status(best, _since(best, started, now, now), passed)
            entry = _Entry(name=agent.name, process=agent.process, begun=now, seen=now, status=status)
            self._entries[place] = entry
        else:
            _advance(entry, best, passed, started, now)
        entry.name, entry.version, entry.role = agent.name, agent.version, agent.role
        entry.seen, entry.up, entry.missed = now, True, None
        return _tracked(place, entry, sight, panes, agent=agent, restarted=restarted, recovered=recovered)

    def _miss(
        self, place: AgentKey, listed: "_Listed", sight: AgentSample, places: Mapping[AgentKey, Agent]
    ) -> None:
        """Take note of an agent that this look has not found in a pane that is listed."""
        entry = self._entries[place]
        if not listed.view.up or not sight.table.complete:
            return
        if any(each.pane == place.pane and self._entries[each].begun > entry.seen for each in places):
            # Another one took over its pane.
            del self._entries[place]
        elif entry.missed is None:
            entry.missed = sight.now
        elif entry.up:
            entry.up, entry.doubt = False, None
            entry.status = AgentStatus(
                state=AgentState.EXITED,
                since=entry.missed,
                source=StateSource.PROCESS,
                why=_why_ended(listed.pane, sight.table),
            )

    def _declared(self, panes: Mapping[PaneKey, "_Listed"], sight: AgentSample) -> Iterable[TrackedAgent]:
        """Panes that are named by `@agent` and in which no agent was ever seen."""
        lived_in = {place.pane for place in self._entries}
        for key, listed in panes.items():
            if listed.pane.agent_option.strip() and key not in lived_in:
                session = sight.session_labels[key.server, listed.pane.session_id]
                labels = (listed.view.label, session, label_text(listed.pane.agent_option))
                known = listed.view.up and sight.table.complete
                why = "its pane is named by @agent, but nothing runs in it"
                yield self._absentee(labels, why, sight.now, known=known, pane=key)

    def _expected(self, expected: Sequence[ExpectedAgent], sight: AgentSample) -> Iterable[TrackedAgent]:
        """The agents of the configuration that are nowhere."""
        servers = {view.label: view for view in sight.view.servers}
        for each in expected:
            server = servers.get(each.server)
            seen = not sight.view.problems if server is None else server.up or server.ended
            why = "the configuration expects it, and no pane runs it"
            known = seen and sight.table.complete
            yield self._absentee((each.server, each.session, each.agent), why, sight.now, known=known)

    def _absentee(
        self, labels: tuple[str, str, str], why: str, now: float, *, known: bool, pane: PaneKey | None = None
    ) -> TrackedAgent:
        state = AgentState.EXITED if known else AgentState.UNKNOWN
        since = self._absent.setdefault(labels, now)
        status = AgentStatus(state=state, since=since, source=StateSource.PROCESS, why=why)
        server, session, name = labels
        return TrackedAgent(server=server, session=session, name=name, up=False, status=status, pane=pane)

    def _bound(self) -> None:
        surplus = len(self._entries) - _MOST
        if surplus > 0:
            for place in sorted(self._entries, key=lambda each: self._entries[each].seen)[:surplus]:
                del self._entries[place]


class _Listed(NamedTuple):
    view: ServerView
    listing: Listing
    pane: Pane


def _panes(view: TmuxView) -> dict[PaneKey, _Listed]:
    return {
        PaneKey(each.listing.server, pane.id): _Listed(view=each, listing=each.listing, pane=pane)
        for each in view.servers
        if each.listing is not None
        for pane in each.listing.panes
    }


def _tracked(
    place: AgentKey,
    entry: _Entry,
    sight: AgentSample,
    panes: Mapping[PaneKey, _Listed],
    *,
    agent: Agent | None = None,
    restarted: bool = False,
    recovered: float | None = None,
) -> TrackedAgent:
    listed = panes[place.pane]
    return TrackedAgent(
        server=listed.view.label,
        session=sight.session_labels[place.pane.server, listed.pane.session_id],
        name=entry.name,
        up=entry.up,
        status=entry.status,
        pane=place.pane,
        program=place.program,
        version=entry.version,
        role=entry.role,
        key=place,
        agent=agent,
        restarted=restarted,
        recovered_seconds=recovered,
    )


def _labels(tracked: TrackedAgent) -> tuple[str, str, str]:
    return tracked.server, tracked.session, tracked.name


def _advance(entry: _Entry, best: Clue, passed: tuple[Clue, ...], started: float, now: float) -> None:
    """Take over what the clues say, unless an uncertain one, or a screen, first speaks of a fall."""
    before = entry.status
    state = best.state or AgentState.UNKNOWN
    if state is before.state:
        entry.doubt = None
        held = before.since if best.reason is before.reason else now
        entry.status = _status(best, _since(best, started, now, held), passed)
        return
    promoted = state is AgentState.WORKING or before.state is AgentState.UNKNOWN
    # What a screen shows is drawn piece by piece: one glance at it never demotes.
    firm = best.certain and best.source not in (StateSource.NONE, StateSource.PANE_TEXT)
    if not (promoted or firm):
        if entry.doubt is None or entry.doubt[0] is not state:
            entry.doubt = (state, now)
            entry.status = replace(before, passed=passed)
            return
        since = entry.doubt[1]
    else:
        since = now
    entry.doubt = None
    entry.status = _status(best, _since(best, started, now, since), passed)


def _since(clue: Clue, started: float, now: float, otherwise: float) -> float:
    """What the source says, as far as it can be: not before the agent started, and not later than now."""
    return otherwise if clue.since is None else min(max(clue.since, started), now)


def _down_seconds(entry: _Entry, started: float, now: float) -> float:
    """How long nobody was there between the process of an entry and the next one."""
    if started <= entry.seen and entry.missed is not None:
        # A shell that was there all the time has become the agent, since the last look at the most.
        started = now
    return max(0.0, started - entry.seen)


def _status(clue: Clue, since: float, passed: tuple[Clue, ...]) -> AgentStatus:
    state = clue.state or AgentState.UNKNOWN
    reason = (clue.reason or WaitingReason.OTHER) if state is AgentState.WAITING else None
    return AgentStatus(
        state=state, since=since, source=clue.source, why=clue.why, reason=reason, passed=passed
    )


def _why_ended(pane: Pane, table: ProcessTable) -> str:
    if pane.dead:
        return "its process has ended, and its pane is dead"
    root = table.processes.get(pane.pid) if pane.pid is not None else None
    if root is not None and at_prompt(root, table.processes.values()):
        return "its process has ended, and its pane is back at the shell"
    return "its process has ended, and its pane runs something else"


def _restored(memory: SavedAgent) -> _Entry:
    return _Entry(
        name=memory.name,
        version=memory.version,
        role=memory.role,
        process=memory.process,
        begun=memory.seen,
        seen=memory.seen,
        up=memory.up,
        status=AgentStatus(
            state=memory.state,
            since=memory.since,
            source=StateSource.NONE,
            why="as it was before the exporter was started again",
            reason=memory.reason,
        ),
    )


def decide_state(clues: Iterable[Clue]) -> tuple[Clue, tuple[Clue, ...]]:
    """The clue that decides, which always has a state, and all others, the strongest first.

    The strongest source that tells all states apart decides. One that cannot (a quiet window is idle, or
    waits) decides only where no other does.
    """
    ordered = sorted(clues, key=lambda clue: _ORDER[clue.source])
    said = [clue for clue in ordered if clue.state is not None]
    best = next((clue for clue in said if clue.certain), said[0] if said else _NOTHING)
    if best.state is AgentState.IDLE:
        stop = (each for each in said if each.source is StateSource.PANE_TEXT and each.reason in _STOPS)
        best = next(stop, best)
    return best, tuple(clue for clue in ordered if clue is not best)
