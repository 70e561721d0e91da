"""One sample: read the sources, let each stage conclude and count, and return a frozen Report."""

import logging
import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import fields, replace

from tmux_exporter.analysis.labels import SessionLabels, labelled, session_labels
from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.analysis.report.detail import detail
from tmux_exporter.analysis.report.remembered import saved_ties
from tmux_exporter.analysis.report.summary import Counters, Summary
from tmux_exporter.analysis.report.usage import ReportCache, agent_trees
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.config import Config
from tmux_exporter.facts.agents import Agent, SavedAgents
from tmux_exporter.facts.changes import AuditTurns, Changes, ChangeTracker
from tmux_exporter.facts.detail import Detail, Wanted
from tmux_exporter.facts.process import MemoryBounds, ProcessId
from tmux_exporter.facts.report import Remembered, Report
from tmux_exporter.sampling.last_report import LastReport
from tmux_exporter.sampling.stages.agents import AgentStage
from tmux_exporter.sampling.stages.counters import CounterStage
from tmux_exporter.sampling.stages.leaks import LeakStage
from tmux_exporter.sampling.stages.ledgers import LedgerStage
from tmux_exporter.sampling.stages.lineage import LineageStage
from tmux_exporter.sampling.stages.memory import MemoryStage
from tmux_exporter.sampling.stages.operations import OperationStage
from tmux_exporter.sampling.stages.ownership import Ownership, OwnershipStage
from tmux_exporter.sampling.stages.ports import PortStage
from tmux_exporter.sampling.stages.protocols import SampleFacts, Sources
from tmux_exporter.sampling.stages.schedulers import SchedulerStage
from tmux_exporter.sampling.stages.spending import SpendingStage
from tmux_exporter.sampling.stages.workspaces import WorkspaceStage

_log = logging.getLogger(__name__)


class Sampler:
    """Takes samples, one at a time. What must outlive a sample is kept by its stages."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        sources: Sources,
        *,
        default_socket: str,
        operations: OperationCounters | None = None,
        memory: SavedAgents | None = None,
        keep: Callable[[SavedAgents], None] | None = None,
        counting: bool = True,
        earlier: Sequence[Remembered] = (),
        trees: bool = False,
    ) -> None:
        """Parameters as those of `open_sampler`; `keep` is called with what the next run has to know."""
        self._config, self._clock, self._sources, self._keep = config, clock, sources, keep
        self._trees = trees
        details = sources.leak_details
        self._ownership = OwnershipStage(earlier, memory.ties if memory else ())
        self._agents = AgentStage(clock, memory or SavedAgents(), sources.watch)
        self._schedulers = SchedulerStage(clock, default_socket, details)
        self._leaks = LeakStage(earlier, details, memory.left if memory else ())
        self._memory = MemoryStage(sources.proportions, sources.held_files)
        self._lineage = LineageStage(sources.lineage)
        self._lineage.configure(config)
        self._ports = PortStage(details)
        self._workspaces = WorkspaceStage(sources.workspaces, details)
        self._ledgers = LedgerStage(sources.ledgers) if sources.ledgers else None
        self._counters = CounterStage(counting=counting)
        self._spending = SpendingStage(sources.open_spending)
        self._operations = OperationStage(clock, operations, sources.reports, sources.commands)
        self._operations.configure(config)
        self._changes = ChangeTracker()
        self._labels: SessionLabels = {}
        self._cache = ReportCache()
        self._audit = AuditTurns(0.75)
        self._last = LastReport()
        self._turn = threading.Lock()
        self._seen: tuple[Snapshot, Report] | None = None
        self._limited: tuple[tuple[Agent, ...], Set[ProcessId]] = ((), frozenset())

    def configure(self, config: Config) -> None:
        """Use these settings from the next sample on."""
        if (config.tmux, config.sampling) != (self._config.tmux, self._config.sampling):
            self._sources.tmux.configure(config.tmux, config.sampling.interval)
        self._config = config
        self._operations.configure(config)
        self._lineage.configure(config)

    @property
    def unsettled(self) -> bool:
        """Whether one more sample would tell a leak from a process that was only ending."""
        return self._leaks.unsettled or (self._ledgers is not None and self._ledgers.unsettled)

    @property
    def in_doubt(self) -> bool:
        """Whether the next sample tells what this one could not.

        That is a leak, the end or a state of an agent, or what becomes of a scheduler that is about to fire.
        """
        return self.unsettled or self._agents.in_doubt or self._schedulers.imminent

    @property
    def asks_again(self) -> bool:
        """Whether one more look, soon, tells what the last sample left open of an agent."""
        return self._agents.asks_again

    def look(self) -> Snapshot:
        """Read everything and conclude; counts nothing."""
        return self._look()[0]

    def sample(self) -> Report:
        """One sample. Raises only for our own mistakes: what cannot be seen is in the Report."""
        with self._turn:
            return self._sample()

    def detail(self, wanted: Wanted) -> Detail | None:
        """One thing of the last sample, from any thread; waits for the sample under way."""
        with self._turn:
            return detail(wanted, *self._seen) if self._seen else None

    def _sample(self) -> Report:
        started, timestamp = self._clock.monotonic(), self._clock.time()
        self._counters.begin(self._sources.processes.read)
        (snapshot, ownership, changes), sources = self._look(), self._sources
        # After the look: by now the remediator has told of what it ended during the look.
        remediator = sources.remediator.read() if sources.remediator else None
        host = sources.host.read(snapshot.table) if sources.host and self._config.metrics.host else None
        counters = replace(
            self._counters.observe(snapshot, ownership, changes, timestamp),
            spending=self._spending.count(snapshot.tracked_agents, snapshot.table.taken_at),
        )
        outcomes = self._schedulers.count(snapshot, remediator)
        operations = self._operations.operations(snapshot.table, self._config)
        commands, listening = self._operations.commands(snapshot.view)
        if changes.tmux or changes.processes.identities or snapshot.agents != self._limited[0]:
            self._limited = snapshot.agents, snapshot.limited()
        bounds = sources.limits.read(self._limited[1])
        lineage = self._lineage.report()
        report = replace(
            self._summary(snapshot, counters, bounds, timestamp),
            samples=self._last.count(complete=snapshot.complete),
            scheduler_outcomes_total=outcomes,
            remembered=self._leaks.remembered(ownership, snapshot.leaks),
            collector_success={
                "processes": snapshot.table.complete,
                "remediator": remediator is None or remediator.status is not None,
                **({"host": host.complete} if host else {}),
                **self._operations.succeeded(operations),
                **listening,
                **({"lineage": lineage.listening} if lineage else {}),
            },
            remediator=remediator,
            host=labelled(host) if host else None,
            operations=operations,
            commands=commands,
            lineage=lineage,
            spending_problems=self._spending.problems,
            session_spending=counters.spending.sessions,
            prices_as_of=counters.spending.prices_as_of,
            quotas=self._spending.quotas(),
            trees=agent_trees(snapshot) if self._trees else {},
            duration_seconds=self._clock.monotonic() - started,
        )
        if self._keep:
            ties, left = saved_ties(ownership.by_memory), self._leaks.left(ownership)
            self._keep(replace(self._agents.memory(), ties=ties, left=left))
        self._seen = snapshot, report
        return self._last.keep(report, started)

    def _summary(
        self, snapshot: Snapshot, counters: Counters, bounds: MemoryBounds, timestamp: float
    ) -> Report:
        """The usage of everything; in some samples worked out from nothing too, and corrected by that."""

        def report(cache: ReportCache) -> Report:
            summary = Summary(snapshot, counters, bounds=bounds, limits=self._config.limits, cache=cache)
            return summary.report(timestamp=timestamp, interval=self._config.sampling.interval)

        found = report(self._cache)
        if self._audit.come(snapshot.table.taken_at) and found != (anew := report(ReportCache())):
            wrong = [
                each.name for each in fields(Report) if getattr(found, each.name) != getattr(anew, each.name)
            ]
            _log.error("report corrected by an audit", extra=log_fields(parts=" ".join(wrong)))
            self._counters.note_corrected(len(wrong))
            self._cache = ReportCache()
            return anew
        return found

    def _look(self) -> tuple[Snapshot, Ownership, Changes]:
        # Processes first, tmux second: a pane that tmux still lists had its chance to be in the table.
        table = self._sources.processes.read()
        view = self._sources.tmux.read(table)
        changes = self._changes.observe(table, view)
        labels = self._labels = session_labels(view) if changes.tmux else self._labels
        facts = SampleFacts(table=table, view=view, labels=labels, config=self._config, changes=changes)
        ties = {**self._lineage.ties, **(self._ledgers.ties if self._ledgers else {})}
        ownership = self._ownership.observe(facts, ties)
        self._lineage.observe(facts, ownership)
        agents = self._agents.observe(
            facts,
            ownership,
            lambda found: self._spending.look(table, found, wanted=self._config.agents.usage),
        )
        schedulers = self._schedulers.observe(facts, ownership.owners, agents.tracked_agents)
        snapshot = Snapshot(
            table=table,
            view=view,
            owners=ownership.owners,
            agents=agents.running,
            schedulers=schedulers,
            session_labels=facts.labels,
            tracked_agents=agents.tracked_agents,
            limits=agents.limits,
            leaks=self._leaks.observe(facts, ownership, schedulers),
            memory=self._memory.observe(facts, ownership.owners),
            living=ownership.members,
            ledgers=self._ledgers.observe(facts, ownership) if self._ledgers else {},
            ports=self._ports.observe(agents.running, table.taken_at, wanted=self._config.metrics.ports),
            workspaces=self._workspaces.observe(
                table, agents.running, wanted=self._config.metrics.workspaces
            ),
            orphan_cpu=self._lineage.orphan_cpu,
        )
        return snapshot, ownership, changes

    def failed(self) -> Report:
        """What to tell after a sample that raised: the last report while it may be held, else none."""
        return self._last.failed(self._clock.monotonic(), self._config)
