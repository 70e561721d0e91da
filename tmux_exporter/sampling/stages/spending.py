"""Stage: what agents spend. Nothing of it is loaded before an agent runs whose program has a source."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.spending import PROGRAMS, AgentSpending, SpendingProblem

Labels = tuple[str, str, str]
Problems = Mapping[tuple[str, SpendingProblem], int]


class SpendingWatch(Protocol):
    """Follows the files of agents and counts what they tell."""

    def observe(
        self, snapshot: Snapshot, agents: Sequence[Agent], earlier: int
    ) -> Mapping[Labels, AgentSpending]:
        """What each of these agents has spent, where that is known, by its labels.

        Processes that started after `earlier` (in ticks) have spent nothing before we began.
        """

    @property
    def problems(self) -> Problems:
        """How often something was not counted, by program and reason."""


class SpendingStage:
    """Opens the watch for the first agent with a source; keeps it from then on."""

    def __init__(self, open_watch: Callable[[], SpendingWatch] | None) -> None:
        """None: nothing is read."""
        self._open_watch = open_watch
        self._watch: SpendingWatch | None = None
        self._earlier: int | None = None

    def observe(self, snapshot: Snapshot, *, wanted: bool) -> Mapping[Labels, AgentSpending]:
        """What each agent of our own user has spent, by its labels; only those whose file is known."""
        processes = snapshot.table.processes
        if self._earlier is None:
            self._earlier = max((each.id.start_ticks for each in processes.values()), default=0)
        agents = [
            each
            for each in snapshot.agents
            if wanted
            and each.program in PROGRAMS
            and (root := processes.get(each.process.pid)) is not None
            and root.uid == snapshot.table.uid
        ]
        if self._watch is None and agents and self._open_watch is not None:
            self._watch = self._open_watch()
        return self._watch.observe(snapshot, agents, self._earlier) if self._watch is not None else {}

    @property
    def problems(self) -> Problems:
        """How often something was not counted, by program and reason; empty before anything was read."""
        return self._watch.problems if self._watch is not None else {}
