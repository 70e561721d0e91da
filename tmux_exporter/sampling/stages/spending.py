"""Stage: what agents spend. Nothing of it is loaded before an agent runs whose program has a source."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tmux_exporter.facts.agents import Agent, TrackedAgent
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.spending import PROGRAMS, AccountQuota, SpendingCounters, SpendingProblem, UsageLimit

Problems = Mapping[tuple[str, SpendingProblem], int]
NOTHING = SpendingCounters()


class SpendingWatch(Protocol):
    """Follows the files of agents and counts what they tell."""

    def follow(self, table: ProcessTable, agents: Sequence[Agent], earlier: int) -> None:
        """Follow the files of these agents, and no others.

        Processes that started after `earlier` (in ticks) have spent nothing before we began.
        """

    def limits(self) -> Mapping[ProcessId, UsageLimit]:
        """Those that stand at a usage limit, by their root processes."""

    def quotas(self) -> tuple[AccountQuota, ...]:
        """The quotas of their accounts."""

    def count(self, agents: Sequence[TrackedAgent], at: float) -> SpendingCounters:
        """What agents and sessions have spent up to the monotonic time `at`, where that is known."""

    @property
    def problems(self) -> Problems:
        """How often something was not counted, by program and reason."""


SpendingOpener = Callable[[], SpendingWatch | None]
"""Opens the watch, or says that it is not wanted yet."""


class SpendingStage:
    """Opens the watch for the first agent with a source; keeps it from then on."""

    def __init__(self, open_watch: SpendingOpener | None) -> None:
        """None: nothing is read."""
        self._open_watch = open_watch
        self._watch: SpendingWatch | None = None
        self._earlier: int | None = None

    def look(
        self, table: ProcessTable, found: Sequence[Agent], *, wanted: bool
    ) -> Mapping[ProcessId, UsageLimit]:
        """Which of these agents stand at a usage limit; only files of our own user's agents are read."""
        processes = table.processes
        if self._earlier is None:
            self._earlier = max((each.id.start_ticks for each in processes.values()), default=0)
        agents = [
            each
            for each in found
            if wanted
            and each.program in PROGRAMS
            and (root := processes.get(each.process.pid)) is not None
            and root.uid == table.uid
        ]
        if self._watch is None and agents and self._open_watch is not None:
            self._watch = self._open_watch()
        if self._watch is None:
            return {}
        self._watch.follow(table, agents, self._earlier)
        return self._watch.limits()

    def quotas(self) -> tuple[AccountQuota, ...]:
        """The quotas of the accounts of agents."""
        return self._watch.quotas() if self._watch is not None else ()

    def count(self, agents: Sequence[TrackedAgent], at: float) -> SpendingCounters:
        """What each agent and session has spent; only of agents whose file is known."""
        return self._watch.count(agents, at) if self._watch is not None else NOTHING

    @property
    def problems(self) -> Problems:
        """How often something was not counted, by program and reason; empty before anything was read."""
        return self._watch.problems if self._watch is not None else {}
