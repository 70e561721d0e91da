"""What every source says of every agent: looks where agents tell of themselves, and hands out clues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from tmux_exporter.analysis.agents.decide_state import decide_state
from tmux_exporter.analysis.agents.hook_state import (
    LatestHook,
    WindowActivity,
    agents_of_callers,
    hook_clue,
    reporting_agent,
)
from tmux_exporter.analysis.agents.pane_state import activity_clue, title_clue
from tmux_exporter.analysis.agents.screen_patterns import SCREENS
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import Config
from tmux_exporter.facts.agents import Agent, AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.spending import UsageLimit
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.sampling.stages.screen_schedule import Place, ScreenWatch, places_of
from tmux_exporter.sources.agents.claude_sessions import ClaudeSessions
from tmux_exporter.sources.agents.hook_files import HookFiles, HookReport
from tmux_exporter.sources.agents.npm_versions import PackageVersions
from tmux_exporter.wire.runtime_folder import runtime_folder

CLAUDE = "claude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The agents, with their versions where a source told them, and the clues by their root processes."""

    agents: tuple[Agent, ...]
    clues: Mapping[ProcessId, Sequence[Clue]] = field(default_factory=dict)


class AgentWatch:
    """Looks at the agents of this user; keeps what need not be read again."""

    def __init__(
        self,
        *,
        clock: Clock,
        sessions: ClaudeSessions,
        hooks: HookFiles,
        packages: PackageVersions,
        screens: ScreenWatch | None,
    ) -> None:
        self._clock = clock
        self._screens = screens
        self._sessions = sessions
        self._hooks = hooks
        self._packages = packages
        self._told: dict[ProcessId, tuple[Agent, Agent]] = {}

    def look(
        self,
        table: ProcessTable,
        view: TmuxView,
        agents: Sequence[Agent],
        config: Config,
        limits: Mapping[ProcessId, UsageLimit] = MappingProxyType({}),
    ) -> Watched:
        """Everything that is said of `agents` now. Raises nothing for what it finds."""
        if not agents:
            return Watched(agents=())
        now = self._clock.time()
        # The wall time of a monotonic one: a listing may be some seconds old.
        wall = now - self._clock.monotonic()
        places = places_of(view)
        hooks = self._hooks.read()
        said = _last_words(hooks.reports, agents)
        told: list[Agent] = []
        clues: dict[ProcessId, list[Clue]] = {}
        for agent in agents:
            found = [_limit_clue(limits[agent.process])] if agent.process in limits else []
            version = agent.version
            if agent.program == CLAUDE:
                word = self._sessions.read(agent.programs)
                found.append(word.clue)
                version = version or word.version
            place = places.get(agent.pane)
            still = place.still if place else WindowActivity(moved=None, alone=False)
            found.append(hook_clue(said.get(agent.process), hooks.problem, still, now))
            if place:
                asked = wall + place.listed_at
                if (title := title_clue(agent.program, place.sign, still, asked)) is not None:
                    found.append(title)
                found.append(activity_clue(still, asked))
            clues[agent.process] = found
            version = version or self._installed(agent, table)
            told.append(self._versioned(agent, version))
        programs = frozenset(chain.from_iterable(agent.programs for agent in agents))
        self._sessions.retain(programs)
        self._packages.retain(programs)
        self._told = {process: each for process, each in self._told.items() if process in clues}
        if self._screens is not None and config.agents.pane_text:
            wanted = frozenset(
                each.process
                for each in told
                if _leaves_open(each, clues[each.process], places.get(each.pane), wall)
            )
            for process, clue in self._screens.look(places, told, wanted, config.tmux).items():
                clues[process].append(clue)
        return Watched(agents=tuple(told), clues=clues)

    def _versioned(self, agent: Agent, version: str) -> Agent:
        """The agent with this version; the same one while it and its version are the same."""
        if version == agent.version:
            return agent
        known = self._told.get(agent.process)
        if known is None or known[0] is not agent or known[1].version != version:
            known = self._told[agent.process] = (agent, replace(agent, version=version))
        return known[1]

    def _installed(self, agent: Agent, table: ProcessTable) -> str:
        """The version of the package that the agent's program is from."""
        process = table.find(agent.process)
        if process is None or process.namespaces != table.namespaces:
            # In a container its paths lead elsewhere.
            return ""
        return self._packages.read(process, agent.program)


def open_watch(
    *, uid: int, clock: Clock, environ: Mapping[str, str], proc_root: str, screens: bool = True
) -> AgentWatch:
    """A watch over the agents of `uid`; `environ` is our own environment."""
    return AgentWatch(
        clock=clock,
        sessions=ClaudeSessions(uid=uid, clock=clock, environ=environ, proc_root=proc_root),
        hooks=HookFiles(runtime_folder(environ, uid), uid=uid, clock=clock),
        packages=PackageVersions(uid=uid),
        screens=ScreenWatch(uid=uid, clock=clock) if screens else None,
    )


def _limit_clue(limit: UsageLimit) -> Clue:
    own = "its last turn ended at its usage limit" if limit.stopped else "the quota of its account is used up"
    return Clue(
        source=StateSource.USAGE_FILE,
        state=AgentState.WAITING if limit.stopped else None,
        reason=WaitingReason.USAGE_LIMIT,
        since=limit.since,
        until=limit.until,
        why=f"its file of usage says that {own}",
    )


def _leaves_open(agent: Agent, clues: Sequence[Clue], place: Place | None, wall: float) -> bool:
    """Whether only the screen could tell: nobody stronger says that it works.

    At its prompt, at a question and at a limit of its use most of an agent's signs are the same, and few of
    those that tell them apart say exactly for what it waits. A title that says so is doubted where nothing
    has moved in the same second: who works draws all the time.
    """
    if agent.program not in SCREENS or place is None:
        return False
    best, _ = decide_state(clue for clue in clues if clue.source is not StateSource.WINDOW_ACTIVITY)
    if best.state is AgentState.WORKING and any(each.source is StateSource.USAGE_FILE for each in clues):
        # It may try again all the time.
        return True
    if best.state is AgentState.WORKING and best.source is StateSource.PANE_TITLE:
        moved = place.still.moved
        return moved is not None and wall + place.listed_at - moved > 1.0
    return best.state is not AgentState.WORKING


def _last_words(words: Sequence[HookReport], agents: Sequence[Agent]) -> dict[ProcessId, LatestHook]:
    """The last word that is to be believed of each agent, else the last one that is not."""
    spoken = agents_of_callers(agents) if words else {}
    said: dict[ProcessId, LatestHook] = {}
    for word in sorted(words, key=lambda each: (each.state is not None, each.at)):
        if (root := reporting_agent(word.callers, spoken)) is not None:
            said[root] = LatestHook(
                at=word.at, since=word.since, state=word.state, reason=word.reason, problem=word.problem
            )
    return said
