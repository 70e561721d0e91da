"""Joins the files of agents and their accounts. Loaded with the first agent whose program has a source."""

from collections.abc import Mapping, Sequence

from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.analysis.spending.counters import SpendingCounts
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import AgentSpending
from tmux_exporter.sampling.stages.spending import Labels, Problems
from tmux_exporter.sources.spending.located import Target
from tmux_exporter.sources.spending.reader import SpendingReader


class FileWatch:
    """A SpendingWatch over the files of the user who runs us."""

    def __init__(
        self,
        *,
        uid: int,
        clock: Clock,
        environ: Mapping[str, str],
        proc_root: str,
        at_once: float | None = None,
    ) -> None:
        """`environ` is our own environment. With `at_once` each sample reads, so many seconds at most.

        Without it a thread does.
        """
        self._clock, self._at_once = clock, at_once
        self._counts = SpendingCounts()
        self._targets: dict[ProcessId, Target] = {}
        self._reader = SpendingReader(
            uid=uid, clock=clock, environ=environ, proc_root=proc_root, open_account=Account
        )

    def observe(
        self, snapshot: Snapshot, agents: Sequence[Agent], earlier: int
    ) -> Mapping[Labels, AgentSpending]:
        """As SpendingWatch says; what is shown is what the last round of the reader knew."""
        table, known = snapshot.table, self._targets
        self._targets = {
            each.process: old
            if (old := known.get(each.process)) is not None and old.programs == each.programs
            else Target(
                process=each.process,
                program=each.program,
                programs=each.programs,
                started=old.started if old is not None else table.start_time(each.process),
                fresh=each.process.start_ticks > earlier,
            )
            for each in agents
        }
        targets = tuple(self._targets.values())
        if self._at_once is None:
            self._reader.follow(targets)
        else:
            self._read(targets, self._clock.monotonic() + self._at_once)
        labels = {
            (each.server, each.session, each.name): each.agent.process if each.agent else None
            for each in snapshot.tracked_agents
        }
        return self._counts.observe(self._reader.found, labels, table.taken_at)

    def _read(self, targets: Sequence[Target], until: float) -> None:
        self._reader.round(targets)
        while self._reader.behind and self._clock.monotonic() < until:
            self._reader.round(targets)

    @property
    def problems(self) -> Problems:
        """As SpendingWatch says."""
        return self._reader.problems
