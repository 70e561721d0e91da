"""The life of agents on one server, look by look, on literal process trees."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.support.literals.agents import find_agents
from tests.support.literals.facts import answering, pane, process, silent, table, tmux_server, tmux_view
from tmux_exporter.analysis.agents.lifecycle import AgentSample, AgentTracker
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.config import ExpectedAgent
from tmux_exporter.facts.agents import AgentState, Clue, SavedAgents, StateSource, TrackedAgent, WaitingReason
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import Pane

SERVER = tmux_server(100)
STARTED = 1000.0
"""The wall time at which a process with start tick 0 began; see `tests.support.literals.facts.table`."""


def shell(pid: int = 200, *, front: bool = True) -> Process:
    """The interactive shell of a pane; in `front` it is the foreground."""
    return process(
        pid, 100, argv=("-bash",), exe="/bin/bash", tty=5, foreground_pgid=pid if front else pid + 1
    )


def agent(pid: int, program: str = "claude", *, parent: int = 200, start: int | None = None) -> Process:
    """An agent in the foreground of its pane; it started at second `1000 + start / 100`."""
    return process(
        pid, parent, start=start, argv=(program,), exe=f"/bin/{program}", tty=5, foreground_pgid=pid
    )


def says(
    state: AgentState | None,
    *,
    source: StateSource = StateSource.AGENT_FILE,
    reason: WaitingReason | None = None,
    since: float | None = None,
) -> Clue:
    """What a source says; the weak ones are not certain."""
    certain = source in (StateSource.AGENT_FILE, StateSource.HOOK, StateSource.PROCESS)
    return Clue(source=source, state=state, reason=reason, since=since, certain=certain, why="it says so")


class Story:
    """One pane `%0` with the shell 200, unless a look says otherwise; one every `step` from second 2000."""

    def __init__(self, memory: SavedAgents | None = None, *, step: float = 5.0) -> None:
        self.step = step
        memory = memory or SavedAgents()
        self.tracked_agents = AgentTracker(memory.tracked_agents, memory.absent)
        self.names = AgentNames(memory.names)
        self.now = 2000.0
        self._owners: Mapping[ProcessId, Owner] = {}

    def look(
        self,
        *processes: Process,
        clues: Sequence[Clue] = (),
        panes: Sequence[Pane] | None = None,
        up: bool = True,
        complete: bool = True,
        expected: Sequence[ExpectedAgent] = (),
    ) -> dict[str, TrackedAgent]:
        """The next look, by the names of the agents; `clues` are told of every one that runs."""
        self.now += self.step
        shown = [pane("%0", 200)] if panes is None else list(panes)
        view = tmux_view((answering if up else silent)(SERVER, *shown))
        read = table(SERVER, *processes, complete=complete)
        self._owners = attribute(read, view, self._owners)
        agents = find_agents(read, self._owners, view, SIGNATURES, self.names)
        sessions = {each.session_id for each in shown}
        sight = AgentSample(
            table=read,
            view=view,
            agents=agents,
            clues={each.process: clues for each in agents},
            session_labels={(SERVER.id, session): session for session in sessions},
            now=self.now,
        )
        tracked_agents = self.tracked_agents.observe(sight, expected)
        assert len({(each.server, each.session, each.name) for each in tracked_agents}) == len(tracked_agents)
        return {each.name: each for each in tracked_agents}

    def memory(self) -> SavedAgents:
        """What a later exporter would know."""
        return SavedAgents(
            tracked_agents=self.tracked_agents.memory(),
            names=self.names.memory(),
            absent=self.tracked_agents.absent(),
        )


def declared(name: str, pid: int | None = 200) -> Pane:
    """Pane `%0` with an `@agent`."""
    return replace(pane("%0", pid), agent_option=name)
