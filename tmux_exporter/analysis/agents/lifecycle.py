"""Lifecycle of agents over samples: up or down, state, since when, restarts and recovery time.

An agent is identified by its pane, its program and a number within both (`AgentKey`); its process may end and
start again. What a sample cannot see stays unchanged: only a complete process table together with a fresh
listing of the server proves that an agent has ended, and two such samples in a row are needed.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tmux_exporter.analysis.agents.decide_state import decide_state
from tmux_exporter.analysis.agents.names import gone_panes
from tmux_exporter.analysis.programs.program import at_prompt
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
"""Agents that are kept; beyond this, the agent seen longest ago is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSample:
    """The input of one sample; `now` is its wall time. `clues` are by the root process of an agent."""

    table: ProcessTable
    view: TmuxView
    agents: Sequence[Agent]
    clues: Mapping[ProcessId, Sequence[Clue]]
    session_labels: Mapping[tuple[ProcessId, str], str]
    now: float


@dataclass(slots=True, kw_only=True)
class _Entry:
    """What is kept of one agent.

    `first_seen` is when its process was first seen, `seen` when last, `missed` when a sample first missed it,
    else None. `doubt` is a state that an uncertain source has reported once, and when;
    `doubted_screen` is when that was a screen. `crashed`: its dead pane showed once that it had failed.
    """

    name: str
    process: ProcessId
    first_seen: float
    seen: float
    status: AgentStatus
    version: str = ""
    role: str = ""
    up: bool = True
    crashed: bool = False
    missed: float | None = None
    doubt: tuple[AgentState, float] | None = None
    doubted_screen: float | None = None


class AgentTracker:
    """Keeps all agents; call `observe` once per sample, in order."""

    def __init__(
        self, tracked_agents: Iterable[SavedAgent] = (), absent: Iterable[tuple[str, str, str, float]] = ()
    ) -> None:
        self._entries: dict[AgentKey, _Entry] = {each.key: _restored(each) for each in tracked_agents}
        self._absent = {(server, session, name): since for server, session, name, since in absent}
        self._now = 0.0

    def observe(
        self, sample: AgentSample, expected: Sequence[ExpectedAgent] = ()
    ) -> tuple[TrackedAgent, ...]:
        """The running agents, then the others; each combination of server, session and name once."""
        self._now = sample.now
        keys = {AgentKey(each.pane, each.program, each.number): each for each in sample.agents}
        gone = gone_panes(sample.view, {key.pane for key in self._entries})
        for key in [each for each in self._entries if each.pane in gone]:
            del self._entries[key]
        panes = _panes(sample.view, {key.pane.pane for key in (*keys, *self._entries)})
        tracked_agents = [self._running(key, agent, sample, panes) for key, agent in keys.items()]
        for key in [each for each in self._entries if each not in keys and each.pane in panes]:
            self._note_missing(key, panes[key.pane], sample, keys)
        not_running = (
            *(
                _tracked(key, entry, sample, panes)
                for key, entry in self._entries.items()
                if key not in keys and key.pane in panes
            ),
            *self._declared(panes, sample),
            *self._expected(expected, sample),
        )
        taken = {_labels(tracked) for tracked in tracked_agents}
        for tracked in not_running:
            if (labels := _labels(tracked)) not in taken:
                taken.add(labels)
                tracked_agents.append(tracked)
        self._absent = {labels: since for labels, since in self._absent.items() if labels in taken}
        self._drop_surplus()
        declared = {(each.server, each.session, each.agent) for each in expected}
        return tuple(
            replace(each, declared=True) if not each.declared and _labels(each) in declared else each
            for each in tracked_agents
        )

    @property
    def in_doubt(self) -> bool:
        """Whether an end or another state was seen once, and only the next sample will tell."""
        return any(
            each.up and (each.missed is not None or each.doubt is not None) for each in self._entries.values()
        )

    @property
    def asks_again(self) -> bool:
        """Whether one more look, soon, tells what the last one left open: an end, or a screen half drawn."""
        return any(
            each.up and self._now in (each.missed, each.doubted_screen) for each in self._entries.values()
        )

    def memory(self) -> tuple[SavedAgent, ...]:
        """What the state file keeps of the agents."""
        return tuple(
            SavedAgent(
                key=key,
                name=entry.name,
                version=entry.version,
                role=entry.role,
                process=entry.process,
                up=entry.up,
                seen=entry.seen,
                state=entry.status.state,
                reason=entry.status.reason,
                since=entry.status.since,
                from_screen=entry.status.source is StateSource.PANE_TEXT,
            )
            for key, entry in self._entries.items()
        )

    def absent(self) -> tuple[tuple[str, str, str, float], ...]:
        """Declared agents that are missing, and since when."""
        return tuple((*labels, since) for labels, since in self._absent.items())

    def _running(
        self, key: AgentKey, agent: Agent, sample: AgentSample, panes: Mapping[PaneKey, "_Listed"]
    ) -> TrackedAgent:
        best, passed = decide_state(sample.clues.get(agent.process, ()))
        started = sample.table.start_time(agent.process)
        entry, now = self._entries.get(key), sample.now
        restarted = entry is not None and entry.process != agent.process
        recovered = _down_seconds(entry, started, now) if entry is not None and restarted else None
        had_crashed = restarted and entry is not None and entry.crashed
        if entry is None or restarted:
            status = _status(best, _since(best, started, now, now), passed)
            entry = _Entry(name=agent.name, process=agent.process, first_seen=now, seen=now, status=status)
            self._entries[key] = entry
        else:
            _advance(entry, best, passed, started, now)
        entry.name, entry.version, entry.role = agent.name, agent.version, agent.role
        entry.seen, entry.up, entry.missed = now, True, None
        tracked = _tracked(key, entry, sample, panes, agent=agent, restarted=restarted, recovered=recovered)
        return replace(tracked, had_crashed=had_crashed)

    def _note_missing(
        self, key: AgentKey, listed: "_Listed", sample: AgentSample, keys: Mapping[AgentKey, Agent]
    ) -> None:
        """Note an agent that this sample has not found, although its pane is listed."""
        entry = self._entries[key]
        if not listed.view.up or not sample.table.complete:
            return
        if any(each.pane == key.pane and self._entries[each].first_seen > entry.seen for each in keys):
            # Another agent took over its pane.
            del self._entries[key]
        elif entry.missed is None:
            entry.missed = sample.now
        elif entry.up:
            entry.up, entry.doubt = False, None
            entry.status = AgentStatus(
                state=AgentState.EXITED,
                since=entry.missed,
                source=StateSource.PROCESS,
                why=_why_ended(listed.pane, sample.table),
            )
        entry.crashed = entry.crashed or _failed(listed.pane)

    def _declared(self, panes: Mapping[PaneKey, "_Listed"], sample: AgentSample) -> Iterable[TrackedAgent]:
        """Agents declared by `@agent` in panes where no agent was ever seen."""
        panes_with_agent = {key.pane for key in self._entries}
        for key, listed in panes.items():
            if listed.pane.agent_option.strip() and key not in panes_with_agent:
                session = sample.session_labels[key.server, listed.pane.session_id]
                labels = (listed.view.label, session, label_text(listed.pane.agent_option))
                known = listed.view.up and sample.table.complete
                why = "its pane is named by @agent, but nothing runs in it"
                yield self._not_running(labels, why, sample.now, known=known, pane=key)

    def _expected(self, expected: Sequence[ExpectedAgent], sample: AgentSample) -> Iterable[TrackedAgent]:
        """Agents that the configuration expects and that no pane runs."""
        servers = {view.label: view for view in sample.view.servers}
        for each in expected:
            server = servers.get(each.server)
            seen = not sample.view.problems if server is None else server.up or server.ended
            why = "the configuration expects it, and no pane runs it"
            known = seen and sample.table.complete
            yield self._not_running((each.server, each.session, each.agent), why, sample.now, known=known)

    def _not_running(
        self, labels: tuple[str, str, str], why: str, now: float, *, known: bool, pane: PaneKey | None = None
    ) -> TrackedAgent:
        state = AgentState.EXITED if known else AgentState.UNKNOWN
        since = self._absent.setdefault(labels, now)
        status = AgentStatus(state=state, since=since, source=StateSource.PROCESS, why=why)
        server, session, name = labels
        return TrackedAgent(
            server=server, session=session, name=name, up=False, status=status, pane=pane, declared=True
        )

    def _drop_surplus(self) -> None:
        surplus = len(self._entries) - _MOST
        if surplus > 0:
            for key in sorted(self._entries, key=lambda each: self._entries[each].seen)[:surplus]:
                del self._entries[key]


class _Listed(NamedTuple):
    view: ServerView
    listing: Listing
    pane: Pane


def _panes(view: TmuxView, ids: Container[str]) -> dict[PaneKey, _Listed]:
    """The listed panes with these ids, and those with `@agent`."""
    return {
        PaneKey(each.listing.server, pane.id): _Listed(view=each, listing=each.listing, pane=pane)
        for each in view.servers
        if each.listing is not None
        for pane in each.listing.panes
        if pane.agent_option or pane.id in ids
    }


def _tracked(
    key: AgentKey,
    entry: _Entry,
    sample: AgentSample,
    panes: Mapping[PaneKey, _Listed],
    *,
    agent: Agent | None = None,
    restarted: bool = False,
    recovered: float | None = None,
) -> TrackedAgent:
    listed = panes[key.pane]
    return TrackedAgent(
        server=listed.view.label,
        session=sample.session_labels[key.pane.server, listed.pane.session_id],
        name=entry.name,
        up=entry.up,
        status=entry.status,
        pane=key.pane,
        program=key.program,
        version=entry.version,
        role=entry.role,
        key=key,
        agent=agent,
        restarted=restarted,
        recovered_seconds=recovered,
        declared=bool(listed.pane.agent_option.strip()),
        crashed=not entry.up and _failed(listed.pane),
    )


_WISHED_SIGNALS = (1, 2, 15)
"""SIGHUP, SIGINT and SIGTERM: somebody has ended it."""

_WISHED_STATUSES = (0, 130)
"""Success, and what a program says that SIGINT has ended."""


def _failed(pane: Pane) -> bool:
    """Whether tmux says of what ran in a dead pane that it failed, and not because somebody ended it."""
    return pane.dead and (
        pane.dead_signal not in (None, *_WISHED_SIGNALS) or pane.dead_status not in (None, *_WISHED_STATUSES)
    )


def _labels(tracked: TrackedAgent) -> tuple[str, str, str]:
    return tracked.server, tracked.session, tracked.name


def _advance(entry: _Entry, best: Clue, passed: tuple[Clue, ...], started: float, now: float) -> None:
    """Apply the deciding clue; one that is not firm needs two samples to leave a busy state."""
    before = entry.status
    state = best.state or AgentState.UNKNOWN
    if state is before.state:
        entry.doubt = None
        held = before.since if best.reason is before.reason else now
        # A screen dates what it shows by the last movement of its window, which may be an animation.
        goes_on = best.source is StateSource.PANE_TEXT and best.reason is before.reason
        since = held if goes_on else _since(best, started, now, held)
        entry.status = _status(best, since, passed)
        return
    promoted = state is AgentState.WORKING or before.state is AgentState.UNKNOWN
    firm = best.settled or (best.certain and best.source not in (StateSource.NONE, StateSource.PANE_TEXT))
    if not (promoted or firm):
        if entry.doubt is None or entry.doubt[0] is not state:
            entry.doubt = (state, now)
            if best.source is StateSource.PANE_TEXT:
                entry.doubted_screen = now
            entry.status = replace(before, passed=passed)
            return
        since = entry.doubt[1]
    else:
        since = now
    entry.doubt = None
    entry.status = _status(best, _since(best, started, now, since), passed)


def _since(clue: Clue, started: float, now: float, otherwise: float) -> float:
    """The start of the state by its source, limited to the time between the agent's start and now."""
    return otherwise if clue.since is None else min(max(clue.since, started), now)


def _down_seconds(entry: _Entry, started: float, now: float) -> float:
    """Seconds between the last sample of the old process and the start of the new one."""
    if started <= entry.seen and entry.missed is not None:
        # An older shell has become the agent by exec, after the last sample.
        started = now
    return max(0.0, started - entry.seen)


def _status(clue: Clue, since: float, passed: tuple[Clue, ...]) -> AgentStatus:
    state = clue.state or AgentState.UNKNOWN
    reason = (clue.reason or WaitingReason.OTHER) if state is AgentState.WAITING else None
    return AgentStatus(
        state=state,
        since=since,
        source=clue.source,
        why=clue.why,
        reason=reason,
        until=clue.until,
        passed=passed,
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
        first_seen=memory.seen,
        seen=memory.seen,
        up=memory.up,
        status=AgentStatus(
            state=memory.state,
            since=memory.since,
            source=StateSource.PANE_TEXT if memory.from_screen else StateSource.NONE,
            why="as it was before the exporter was started again",
            reason=memory.reason,
        ),
    )
