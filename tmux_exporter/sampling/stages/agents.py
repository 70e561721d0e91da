"""Stage: which agents run, their names, states and lives."""

from dataclasses import dataclass

from tmux_exporter.analysis.agents.find import find_agents
from tmux_exporter.analysis.agents.lifecycle import AgentSample, AgentTracker
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.signatures import SIGNATURES, merge
from tmux_exporter.analysis.report.unchanged import CachedConclusion
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import Agent, SavedAgents, TrackedAgent
from tmux_exporter.sampling.agent_clues import AgentWatch, Watched
from tmux_exporter.sampling.stages.facts import Dependencies, SampleFacts
from tmux_exporter.sampling.stages.ownership import Ownership


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """The agents that run, the lives of these and of those that do not; `dependencies` as in Ownership."""

    running: tuple[Agent, ...]
    tracked_agents: tuple[TrackedAgent, ...]
    dependencies: Dependencies


class AgentStage:
    """Finds agents; remembers the names and lives of those before."""

    def __init__(self, clock: Clock, memory: SavedAgents, watch: AgentWatch | None) -> None:
        """`memory` is what was kept of an earlier run; `watch` asks agents for their states."""
        self._clock = clock
        self._names = AgentNames(memory.names)
        self._agent_tracker = AgentTracker(memory.tracked_agents, memory.absent)
        self._watch = watch
        self._found: CachedConclusion[tuple[Agent, ...]] = CachedConclusion()

    def observe(self, facts: SampleFacts, ownership: Ownership) -> Agents:
        """The agents of this sample."""
        table, view, settings, same = facts.table, facts.view, facts.config.agents, ownership.dependencies
        found = self._found.of(
            same and (same, settings),
            lambda: find_agents(
                table,
                ownership.owners,
                view,
                merge(SIGNATURES, settings.signatures),
                self._names,
                settings=settings,
            ),
        )
        watched = self._watch.look(table, view, found, facts.config) if self._watch else Watched(agents=found)
        agent_sample = AgentSample(
            table=table,
            view=view,
            agents=watched.agents,
            clues=watched.clues,
            session_labels=facts.labels,
            now=self._clock.time(),
        )
        return Agents(
            running=watched.agents,
            tracked_agents=self._agent_tracker.observe(agent_sample, settings.expected),
            dependencies=same and (same, self._found.number),
        )

    def memory(self) -> SavedAgents:
        """What the next run has to know."""
        return SavedAgents(
            tracked_agents=self._agent_tracker.memory(),
            names=self._names.memory(),
            absent=self._agent_tracker.absent(),
        )
