"""Stage: which agents run, their names, states and lives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.find import AgentFacts, AgentFinder
from tmux_exporter.analysis.agents.lifecycle import AgentSample, AgentTracker
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import merge
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import Agent, SavedAgents, TrackedAgent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import UsageLimit
from tmux_exporter.sampling.stages.agent_clues import AgentWatch, Watched
from tmux_exporter.sampling.stages.ownership import Ownership
from tmux_exporter.sampling.stages.protocols import SampleFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """The agents that run, and all that are tracked: these and those that do not run.

    `limits` are those at which agents stand, by their root processes, as files say.
    """

    running: tuple[Agent, ...]
    tracked_agents: tuple[TrackedAgent, ...]
    limits: Mapping[ProcessId, UsageLimit]


class AgentStage:
    """Finds agents; remembers the names and lives of those before."""

    def __init__(self, clock: Clock, memory: SavedAgents, watch: AgentWatch | None) -> None:
        """`memory` is what was kept of an earlier run; `watch` asks agents for their states."""
        self._clock = clock
        self._names = AgentNames(memory.names)
        self._agent_tracker = AgentTracker(memory.tracked_agents, memory.absent)
        self._watch = watch
        self._finder = AgentFinder(self._names)

    def observe(
        self,
        facts: SampleFacts,
        ownership: Ownership,
        limits_of: Callable[[Sequence[Agent]], Mapping[ProcessId, UsageLimit]],
    ) -> Agents:
        """The agents of this sample; `limits_of` tells which of them stand at a usage limit."""
        table, view, settings = facts.table, facts.view, facts.config.agents
        found = self._finder.find(
            AgentFacts(
                view=view,
                owners=ownership.owners,
                members=ownership.members,
                changed=ownership.changed_panes,
                tmux_changed=facts.changes.tmux,
                signatures=merge(SIGNATURES, settings.signatures),
                settings=settings,
            )
        )
        limits = limits_of(found)
        watched = Watched(agents=found)
        if self._watch is not None:
            watched = self._watch.look(table, view, found, facts.config, limits)
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
            limits=limits,
        )

    @property
    def in_doubt(self) -> bool:
        """Whether the next sample will confirm or deny what this one found of an agent."""
        return self._agent_tracker.in_doubt

    @property
    def asks_again(self) -> bool:
        """Whether one more look, soon, tells what this sample left open of an agent."""
        return self._agent_tracker.asks_again

    def memory(self) -> SavedAgents:
        """What the next run has to know."""
        return SavedAgents(
            tracked_agents=self._agent_tracker.memory(),
            names=self._names.memory(),
            absent=self._agent_tracker.absent(),
        )
