"""One sample: sources, then analysis, then a frozen Report. Who calls it, and when, is not its business."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tmux_exporter.analysis.agents.counters import AgentCounts
from tmux_exporter.analysis.agents.find import find_agents
from tmux_exporter.analysis.agents.lifecycle import AgentLives, Sight
from tmux_exporter.analysis.agents.names import NameBook
from tmux_exporter.analysis.cpu.counters import Accounts
from tmux_exporter.analysis.labels import labelled, unique_labels
from tmux_exporter.analysis.leaks.find import LeakBook, Leaks, Look, survivors
from tmux_exporter.analysis.leaks.folders import pane_processes
from tmux_exporter.analysis.memory.shared_memory import MemoryFigures, SharedPages
from tmux_exporter.analysis.operations.operations import Operations
from tmux_exporter.analysis.operations.tmux_commands import Commands
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.signatures import SIGNATURES, merge
from tmux_exporter.analysis.report.counter_keys import (
    UNATTRIBUTED,
    GroupKey,
    Paid,
    account_facts,
    scheduler_places,
    schedulers_by_place,
)
from tmux_exporter.analysis.report.query_stats import QueryStats
from tmux_exporter.analysis.report.remembered import known_by_memory, owners_of, remembered
from tmux_exporter.analysis.report.summary import Summary
from tmux_exporter.analysis.report.unchanged import Makes, Repeated, shape
from tmux_exporter.analysis.report.usage import Costs
from tmux_exporter.analysis.report.view import PaneMembers, Rosters, Snapshot, rosters_of
from tmux_exporter.analysis.schedulers.candidates import Scripts
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.analysis.schedulers.outcomes import SchedulerOutcomes
from tmux_exporter.analysis.schedulers.tmux_words import questions
from tmux_exporter.analysis.schedulers.warnings import pane_states
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import Config
from tmux_exporter.facts.agents import Agent, AgentMemory
from tmux_exporter.facts.commands import CommandHarvest
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.report import CommandsReport, OperationsReport, Remembered, Report
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sampling.agent_clues import AgentWatch, Watched
from tmux_exporter.sampling.protocols import (
    CircumstanceSource,
    CommandSource,
    HostSource,
    LimitSource,
    OperationSource,
    ProcessSource,
    ProportionSource,
    RemediatorSource,
    ServerSource,
)

OWN_PROC = "/proc"

RESULTS = ("complete", "partial", "failed")

_COUNTED = (OwnerKind.PANE, OwnerKind.LEAKED)

SETTLE_SECONDS = 1.0
"""How long whoever looks only once waits before the second look, where that is needed."""


class Sampler:
    """Takes samples, one at a time, and keeps what must outlive them: counters, names, owners seen before."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        processes: ProcessSource,
        tmux: ServerSource,
        limits: LimitSource,
        *,
        default_socket: str,
        remediator: RemediatorSource | None = None,
        host: HostSource | None = None,
        circumstances: CircumstanceSource | None = None,
        proportions: ProportionSource | None = None,
        operations: Operations | None = None,
        reports: OperationSource | None = None,
        watch: AgentWatch | None = None,
        memory: AgentMemory | None = None,
        keep: Callable[[AgentMemory], None] | None = None,
        commands: CommandSource | None = None,
        counting: bool = True,
        earlier: Sequence[Remembered] = (),
    ) -> None:
        """`earlier` is what another sampler of this machine knew."""
        self._default_socket = default_socket
        self._config = config
        self._clock = clock
        self._processes = processes
        self._tmux = tmux
        self._limits = limits
        self._remediator = remediator
        self._host = host
        self._circumstances = circumstances
        self._proportions = proportions
        self._shared_pages = SharedPages()
        self._leaks = LeakBook(earlier)
        self._operations = operations or Operations()
        self._reports = reports
        self._watch = watch
        self._commands = commands
        self._command_counts = Commands()
        self._unsettled = False
        self._accounts: Accounts[GroupKey] = Accounts()
        self._begun = False
        self._counting = counting
        self._queries = QueryStats()
        self._scripts = Scripts()
        self._outcomes = SchedulerOutcomes()
        memory = memory or AgentMemory()
        self._names = NameBook(memory.names)
        self._lives = AgentLives(memory.lives, memory.absent)
        self._keep = keep
        self._agent_counts = AgentCounts()
        self._owners: Mapping[ProcessId, Owner] = owners_of(earlier)
        self._known_by_memory: tuple[tuple[ProcessId, Owner], ...] = ()
        self._rostered: tuple[Mapping[ProcessId, Owner], Rosters] = ({}, {})
        self._members = PaneMembers()
        self._costs = Costs()
        self._makes = Makes()
        self._our_makes = Makes()
        self._owned: Repeated[Mapping[ProcessId, Owner]] = Repeated()
        self._found: Repeated[tuple[Agent, ...]] = Repeated()
        self._paid: Repeated[Paid] = Repeated()
        self._facts: object = None
        self._counts = dict.fromkeys(RESULTS, 0)
        self._missed = 0
        self._last: Report | None = None
        self._last_at = 0.0
        self._watch_commands()

    def configure(self, config: Config) -> None:
        """Use these settings from the next sample on."""
        if (config.tmux, config.sampling) != (self._config.tmux, self._config.sampling):
            self._tmux.configure(config.tmux, config.sampling.interval)
        self._config = config
        self._watch_commands()

    @property
    def unsettled(self) -> bool:
        """Whether one more look would tell what is leaked from what was only ending at the last one."""
        return self._unsettled

    def look(self) -> Snapshot:
        """Look at everything and conclude; counts nothing."""
        # Processes first, tmux second: a pane that tmux still lists had its chance to be in the table.
        table = self._processes.read()
        view = self._tmux.read(table)
        make, shown = self._makes.number(table), shape(table, view)
        facts = (make, shown) if table.complete else None
        owners = self._owned.of(facts, lambda: attribute(table, view, self._owners))
        # Whoever is missing from half a view may only have been missed.
        self._owners = owners if table.complete else {**self._owners, **owners}
        # While a conclusion stands it is the same object.
        if owners is not self._rostered[0]:
            self._rostered = owners, rosters_of(owners)
            self._known_by_memory = known_by_memory(owners)
        # Nothing further on follows from what strangers are.
        ours = self._our_makes.number(table, {each.pid for each in owners})
        further = facts and (shown, self._owned.number, ours)
        settings = self._config.agents
        signatures = merge(SIGNATURES, settings.signatures)
        agents = self._found.of(
            further and (further, settings),
            lambda: find_agents(table, owners, view, signatures, self._names, settings=settings),
        )
        labels = _session_labels(view)
        watched = (
            self._watch.look(table, view, agents, self._config) if self._watch else Watched(agents=agents)
        )
        now = self._clock.time()
        sight = Sight(
            table=table, view=view, agents=watched.agents, clues=watched.clues, session_labels=labels, now=now
        )
        lives = self._lives.observe(sight, self._config.agents.expected)
        candidates = self._scripts.candidates(table)
        schedulers = find_schedulers(
            table,
            owners,
            view,
            self._default_socket,
            now,
            settings=self._config.schedulers,
            panes=pane_states(lives),
            candidates=candidates,
            shells=self._circumstances.shells(questions(candidates)) if self._circumstances else None,
        )
        self._facts = further and (further, self._found.number)
        return Snapshot(
            table=table,
            view=view,
            owners=owners,
            agents=watched.agents,
            schedulers=schedulers,
            session_labels=labels,
            lives=lives,
            leaks=self._find_leaks(table, view, owners, schedulers, labels),
            memory=self._read_memory(table, owners),
            living=self._members.of(table, self._rostered[1]),
        )

    def _find_leaks(
        self,
        table: ProcessTable,
        view: TmuxView,
        owners: Mapping[ProcessId, Owner],
        schedulers: tuple[Scheduler, ...],
        labels: Mapping[tuple[ProcessId, str], str],
    ) -> Leaks:
        self._leaks.observe(view, labels)
        outlived = survivors(table, owners)
        look = Look(
            table=table,
            owners=owners,
            outlived=outlived,
            schedulers=schedulers,
            signatures=merge(SIGNATURES, self._config.agents.signatures),
            circumstances=self._circumstances.read(outlived.asked) if self._circumstances else {},
            folders=self._read_folders(table, view),
        )
        found = self._leaks.find(look)
        self._unsettled = bool(found.doubtful)
        return found

    def _read_folders(self, table: ProcessTable, view: TmuxView) -> Mapping[PaneKey, str]:
        if self._circumstances is None:
            return {}
        panes = pane_processes(table, view)
        folders = self._circumstances.folders(panes.values())
        return {key: folders[process] for key, process in panes.items() if process in folders}

    def sample(self) -> Report:
        """One sample. Raises only for our own mistakes: what cannot be seen is in the Report.

        The first takes two readings, so that counters begin with it: who ended unseen while the first reading
        was taken may leave a past to its parent, but not to the second.
        """
        started = self._clock.monotonic()
        timestamp = self._clock.time()
        if self._counting and not self._begun:
            self._accounts.observe(self._processes.read(), {})
            self._begun = True
        snapshot = self.look()
        # After the look: what it misses and has ended by then, the remediator has told by now.
        remediator = self._remediator.read() if self._remediator else None
        host = self._host.read(snapshot.table) if self._host and self._config.metrics.host else None
        paid = self._paid.of(
            self._facts and (self._facts, account_facts(snapshot)), lambda: Paid.by(snapshot)
        )
        if self._counting:
            self._accounts.observe(snapshot.table, paid.groups, paid.sinks)
        self._accounts.retain(paid.shown, snapshot.table.taken_at)
        self._missed += snapshot.table.missed
        self._queries.observe(snapshot.view.servers)
        self._agent_counts.observe(snapshot.lives, snapshot.view.servers, snapshot.table.taken_at)
        ended = remediator.status.ended if remediator and remediator.status else ()
        self._outcomes.observe(snapshot.table, schedulers_by_place(snapshot), self._clock.time(), ended)
        complete = _is_complete(snapshot)
        self._counts["complete" if complete else "partial"] += 1
        operations = self._read_operations(snapshot.table)
        harvest = self._commands.harvest() if self._commands else None
        summary = Summary(
            snapshot,
            self._accounts,
            self._queries,
            self._agent_counts,
            bounds=self._limits.read(_bounded(snapshot)),
            limits=self._config.limits,
            costs=self._costs,
        )
        report = Report(
            timestamp=timestamp,
            duration_seconds=self._clock.monotonic() - started,
            interval_seconds=self._config.sampling.interval,
            complete=complete,
            samples=dict(self._counts),
            servers=summary.servers(),
            sessions=summary.sessions(),
            panes=summary.panes(),
            agents=summary.agents(),
            schedulers=summary.schedulers(),
            scheduler_cpu_seconds_total=summary.scheduler_cpu(),
            scheduler_outcomes_total=self._outcomes.totals(
                scheduler_places(snapshot), snapshot.table.taken_at
            ),
            agent_recovery=self._agent_counts.recovery(),
            leaks=summary.leaks(),
            remembered=remembered(self._known_by_memory, snapshot.leaks.found, self._leaks.place_of),
            leaked_cpu_seconds_total=summary.leaked_cpu(),
            stale_sockets=snapshot.view.stale_sockets,
            unreadable_processes=snapshot.table.unreadable,
            unattributed_cpu_seconds_total=self._accounts.cpu_seconds(UNATTRIBUTED),
            discovery_missed_total=self._missed,
            collector_success={
                "processes": snapshot.table.complete,
                "remediator": remediator is None or remediator.status is not None,
                **({"host": host.complete} if host else {}),
                **({"operations": operations is not None} if self._reports else {}),
                **({"commands": harvest.listening} if harvest else {}),
            },
            problems=snapshot.view.problems,
            remediator=remediator,
            host=labelled(host) if host else None,
            operations=operations,
            commands=self._count_commands(harvest, snapshot.view) if harvest else None,
        )
        self._last, self._last_at = report, started
        if self._keep:
            lives, absent = self._lives.memory(), self._lives.absent()
            self._keep(AgentMemory(lives=lives, names=self._names.memory(), absent=absent))
        return report

    def _read_memory(self, table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> MemoryFigures:
        owned = (process for process, owner in owners.items() if owner.kind in _COUNTED)
        asked = self._shared_pages.plan(table, owned)
        if asked and self._proportions:
            self._shared_pages.learn(self._proportions.read(asked))
        return self._shared_pages.figures()

    def _read_operations(self, table: ProcessTable) -> OperationsReport | None:
        settings = self._config.operations
        # The kernel names senders as we know them; under another root the table may know them otherwise.
        judges = table.complete and self._config.processes.root == OWN_PROC

        def look() -> OperationsReport:
            self._operations.configure(settings.names, settings.max_names, exemplars=settings.exemplars)
            return self._operations.report(
                table.processes.keys() if judges else None, self._clock.monotonic()
            )

        return self._reports.read(look) if self._reports else look()

    def _watch_commands(self) -> None:
        if self._commands:
            settings = self._config.operations
            self._commands.configure(
                wanted=settings.watch_commands, most_per_second=settings.max_execs_per_second
            )

    def _count_commands(self, harvest: CommandHarvest, view: TmuxView) -> CommandsReport | None:
        servers = {each.socket: each.label for each in view.servers}
        return self._command_counts.report(harvest, servers, view.places)

    def failed(self) -> Report:
        """What to tell after a look that raised: the last report while it may be held, then an empty one."""
        self._counts["failed"] += 1
        samples = dict(self._counts)
        if self._last and self._clock.monotonic() - self._last_at <= self._config.tmux.hold:
            return replace(self._last, samples=samples, complete=False)
        return Report(
            timestamp=self._last.timestamp if self._last else 0.0,
            duration_seconds=0.0,
            interval_seconds=self._config.sampling.interval,
            complete=False,
            samples=samples,
        )


def _session_labels(view: TmuxView) -> dict[tuple[ProcessId, str], str]:
    labels: dict[tuple[ProcessId, str], str] = {}
    for server in view.servers:
        if (listing := server.listing) is not None:
            unique = unique_labels({session.id: session.name for session in listing.sessions})
            labels.update({(listing.server, session_id): label for session_id, label in unique.items()})
    return labels


def _bounded(snapshot: Snapshot) -> set[ProcessId]:
    """The processes whose limits bound sessions, panes and agents."""
    panes = [pane for _, pane in snapshot.panes().values()]
    return {*snapshot.roots(panes), *(agent.process for agent in snapshot.agents)}


def _is_complete(snapshot: Snapshot) -> bool:
    """Nothing is unknown: a server that is known to have ended is not."""
    return (
        snapshot.table.complete
        and all(server.up or server.ended for server in snapshot.view.servers)
        and not snapshot.view.problems
    )
