"""Builds the Report of one sample: usage per server, session, pane, agent, scheduler and leak."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from tmux_exporter.analysis.agents.counters import AgentCounts
from tmux_exporter.analysis.cpu.counters import GroupCounters, Totals
from tmux_exporter.analysis.memory.limits import lowest_limit
from tmux_exporter.analysis.report.appeared import Appeared
from tmux_exporter.analysis.report.counter_keys import (
    UNATTRIBUTED,
    GroupKey,
    agent_key,
    leak_key,
    leak_sessions,
    scheduler_key,
    scheduler_sessions,
    server_key,
    server_labels,
    state_key,
)
from tmux_exporter.analysis.report.ledger_counters import LedgerCounters
from tmux_exporter.analysis.report.query_stats import QueryStats
from tmux_exporter.analysis.report.shown import ShownPane, ShownSession, what_is_shown
from tmux_exporter.analysis.report.single import leak_report, scheduler_report, server_report
from tmux_exporter.analysis.report.usage import (
    ReportCache,
    account,
    helpers_usage,
    most_repeated_command,
    sum_of,
    usage,
    with_counts,
    with_ledger,
)
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.config import LimitSettings
from tmux_exporter.facts.agents import AgentState, TrackedAgent
from tmux_exporter.facts.attach import attach_point
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.ledgers import Counts
from tmux_exporter.facts.owner import OwnerKind
from tmux_exporter.facts.process import Cgroup, MemoryBounds, Process, ProcessId
from tmux_exporter.facts.report import (
    AgentReport,
    PaneReport,
    Report,
    ServerReport,
    SessionReport,
    Usage,
)
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.facts.spending import SpendingCounters
from tmux_exporter.facts.tmux import Pane, PaneKey, ServerView

M = TypeVar("M", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counters since the start: `missed` counts processes that a listing missed and a later one had."""

    usage: GroupCounters[GroupKey]
    appeared: Appeared[GroupKey]
    ledgers: LedgerCounters[GroupKey]
    queries: QueryStats
    agents: AgentCounts
    missed: int = 0
    spending: SpendingCounters = field(default_factory=SpendingCounters)


class Summary:
    """Builds the report of one snapshot. `counters` must have observed the same sample."""

    def __init__(
        self,
        snapshot: Snapshot,
        counters: Counters,
        *,
        bounds: MemoryBounds,
        limits: LimitSettings,
        cache: ReportCache | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._group_counters = counters.usage
        self._appeared = counters.appeared
        self._counts = counters.ledgers.of
        self._queries = counters.queries
        self._bounds = bounds
        self._limits = limits
        self._lowest_limits: dict[tuple[frozenset[Cgroup | None], int | None], int | None] = {}
        self._agents = counters.agents
        self._missed = counters.missed
        self._spending = counters.spending
        self._table = snapshot.table
        self._members = snapshot.members()
        self._cache = cache or ReportCache()
        shared = (snapshot.table.boot_time, bounds, limits)
        self._zombies = self._cache.begin(snapshot.table, shared)
        self._pane_zombies = self._zombies_by_pane()
        self._listings = snapshot.listings()
        self._window_names = self._cache.made(
            "window names",
            [listing.windows for _, listing in self._listings],
            lambda: {
                (listing.server, window.id): label_text(window.name)
                for _, listing in self._listings
                for window in listing.windows
            },
        )
        self._corrections = snapshot.memory.by_process()
        self._pane_corrections: dict[PaneKey | None, list[object]] = {}
        for process, correction in self._corrections.items():
            owner = snapshot.owners.get(process)
            place = owner.pane if owner is not None and owner.kind is OwnerKind.PANE else None
            self._pane_corrections.setdefault(place, []).append((process, correction))
        said = [
            (view.label, listing.server, listing.panes, listing.sessions) for view, listing in self._listings
        ]
        names = snapshot.session_labels, self._window_names
        self._shown = self._cache.made(
            "what is shown", (said, *names), lambda: what_is_shown(self._listings, *names)
        )
        self._panes = self._all_panes()
        self._labels = server_labels(snapshot)

    def report(self, *, timestamp: float, interval: float) -> Report:
        """The report of this snapshot; the sampler adds other sources, times and sample counts.

        Every server is shown, whether it answers or not, every listed session in the order of its id, every
        listed pane once, every agent that runs, is known or declared, and every leak still in the table. CPU
        seconds of schedulers and leaks are those of each state or kind that one in a shown session has had.
        """
        snapshot, table, view = self._snapshot, self._table, self._snapshot.view
        panes = snapshot.panes() if snapshot.tracked_agents else {}
        return Report(
            timestamp=timestamp,
            duration_seconds=0.0,
            interval_seconds=interval,
            complete=snapshot.complete,
            samples={},
            servers=tuple(map(self._server, view.servers)),
            sessions=self._all_sessions(),
            panes=self._panes,
            agents=tuple(
                self._agent(each, panes.get(each.pane) if each.pane else None)
                for each in snapshot.tracked_agents
            ),
            schedulers=tuple(scheduler_report(each, snapshot, self._labels) for each in snapshot.schedulers),
            scheduler_cpu_seconds_total=self._appeared_cpu(
                scheduler_sessions(snapshot), SchedulerState, scheduler_key
            ),
            agent_recovery=self._agents.recovery(),
            agent_outages=self._agents.outages(),
            leaks=tuple(
                leak_report(leak, process, snapshot)
                for leak in snapshot.leaks.found
                if (process := self._table.find(leak.process))
            ),
            leaked_cpu_seconds_total=self._appeared_cpu(leak_sessions(snapshot), LeakKind, leak_key),
            stale_sockets=view.stale_sockets,
            unreadable_processes=self._cache.unreadable(table, snapshot.owners),
            unattributed_cpu_seconds_total=self._group_counters.cpu_seconds(UNATTRIBUTED),
            discovery_missed_total=self._missed,
            problems=view.problems,
        )

    def _appeared_cpu(
        self,
        sessions: Iterable[tuple[str, str]],
        members: type[M],
        key_of: Callable[[str, str, M], GroupKey],
    ) -> dict[tuple[str, str, M], float]:
        session_keys = tuple(sessions)
        keys = self._cache.made(
            members,
            (session_keys, self._appeared.version),
            lambda: {
                (*session, member): key
                for session in session_keys
                for member in members
                if (key := key_of(*session, member)) in self._appeared
            },
        )
        return {labels: self._shown_cpu(key) for labels, key in keys.items()}

    def _shown_cpu(self, key: GroupKey) -> float:
        return self._appeared.value(key, self._group_counters.cpu_seconds(key))

    def _server(self, view: ServerView) -> ServerReport:
        cpu_seconds = self._group_counters.cpu_seconds(server_key(view.label))
        return server_report(view, self._table, queries=self._queries.of(view.label), cpu_seconds=cpu_seconds)

    def _all_sessions(self) -> tuple[SessionReport, ...]:
        shown = self._shown
        totals = self._group_counters.totals_of(shown.session_keys)
        missing = [self._shown_cpu(key) if key in self._appeared else None for key in shown.unwatched_keys]
        facts = [
            (each, [self._panes[place] for place in each.panes], counted, self._counts(each.key), unwatched)
            for each, counted, unwatched in zip(shown.sessions, totals, missing, strict=True)
        ]
        return self._cache.each(
            "sessions", shown.session_keys, [*facts], lambda place: self._session(*facts[place])
        )

    def _session(
        self,
        shown: ShownSession,
        panes: Sequence[PaneReport],
        totals: Totals,
        counts: Counts,
        unwatched: float | None,
    ) -> SessionReport:
        session, limit = shown.session, self._limit(self._snapshot.roots(panes), None)
        return SessionReport(
            server=shown.server,
            session=shown.label,
            group=label_text(session.group),
            created_timestamp_seconds=session.created,
            last_activity_timestamp_seconds=session.activity,
            attached_clients=session.attached,
            history_bytes=sum(pane.history_bytes for pane in panes),
            windows=len({pane.window for pane in panes}),
            panes=len(panes),
            usage=with_counts(
                self._noted(shown.key, sum_of([p.usage for p in panes], totals, limit)), counts
            ),
            unwatched_cpu_seconds_total=unwatched,
        )

    def _all_panes(self) -> tuple[PaneReport, ...]:
        shown, places, ledgers = self._shown, self._shown.places, self._snapshot.ledgers
        # Without a call of Python for each pane: most are as they were.
        facts = list(
            zip(
                shown.panes,
                map(self._members_of, places) if self._pane_zombies else map(self._members.get, places),
                self._group_counters.totals_of(shown.pane_keys),
                map(self._pane_corrections.get, places),
                [each and each.shown for each in map(ledgers.get, places)],
                map(self._counts, shown.pane_keys),
                strict=True,
            )
        )
        return self._cache.each(
            "panes",
            shown.pane_keys,
            [*facts],
            lambda place: self._pane(facts[place][0], facts[place][1] or (), facts[place][2]),
        )

    def _pane(self, shown: ShownPane, members: Sequence[Process], totals: Totals) -> PaneReport:
        pane = shown.pane
        own = self._noted(shown.key, self._usage(members, totals, self._snapshot.roots((pane,))))
        if (ledger := self._snapshot.ledgers.get(shown.place)) is not None:
            own = with_ledger(own, ledger, members, self._snapshot.memory)
        counts = self._counts(shown.key)
        return PaneReport(
            server=shown.server,
            session=shown.session,
            window=str(pane.window_index),
            pane=pane.id,
            window_name=shown.window_name,
            dead=pane.dead,
            history_bytes=pane.history_bytes,
            history_lines=pane.history_lines,
            history_limit_lines=pane.history_limit_lines,
            pid=pane.pid,
            protected=pane.protected,
            usage=with_counts(own, counts),
            account=account(ledger.pids if ledger else None, counts),
        )

    def _members_of(self, pane: PaneKey) -> Sequence[Process]:
        """The living processes of a pane, and the zombies that they have not reaped."""
        members = self._members.get(pane, ())
        return (*members, *zombies) if (zombies := self._pane_zombies.get(pane)) else members

    def _zombies_by_pane(self) -> dict[PaneKey, list[Process]]:
        """A zombie belongs to the pane of its parent until it is reaped."""
        found: dict[PaneKey, list[Process]] = {}
        for parent_pid, zombies in self._zombies.items():
            parent = self._table.processes.get(parent_pid)
            owner = self._snapshot.owners.get(parent.id) if parent else None
            if owner is not None and owner.kind is OwnerKind.PANE and owner.pane is not None:
                found.setdefault(owner.pane, []).extend(zombies)
        return found

    def _agent(self, tracked: TrackedAgent, at: tuple[ServerView, Pane] | None) -> AgentReport:
        view, pane = at or (None, None)
        ids = sorted(tracked.agent.members) if tracked.agent else ()
        members = [process for member in ids if (process := self._table.find(member))]
        labels = (tracked.server, tracked.session, tracked.name)
        status = tracked.status
        states, seconds = self._states(tracked), self._agents.seconds(labels)
        key = agent_key(tracked)
        members += [zombie for each in ids for zombie in self._zombies.get(each.pid, ())]
        totals, counts = self._group_counters.totals(key), self._counts(key)
        roots = [tracked.agent.process] if tracked.agent else []
        helpers = tracked.agent.helpers if tracked.agent else ()
        own_usage, (helper_counts, helper_memory) = self._cache.made(
            key,
            (
                members,
                [self._corrections.get(each) for each in ids] if self._corrections else (),
                totals,
                roots,
                helpers,
                counts,
            ),
            lambda: (
                with_counts(
                    self._noted(key, self._usage(members, totals, roots, self._limits.agent_memory)), counts
                ),
                helpers_usage(helpers, members, self._snapshot.memory),
            ),
        )
        return AgentReport(
            server=tracked.server,
            session=tracked.session,
            agent=tracked.name,
            window=str(pane.window_index) if pane else "",
            pane=pane.id if pane else "",
            program=tracked.program,
            version=tracked.version,
            role=tracked.role,
            window_name=(
                self._window_names.get((view.listing.server, pane.window_id), "")
                if view and view.listing and pane
                else ""
            ),
            pid=tracked.agent.process.pid if tracked.agent else None,
            usage=own_usage,
            up=tracked.up,
            state=status.state,
            state_since_timestamp_seconds=status.since,
            state_source=status.source,
            waiting_reason=status.reason,
            usage_limit_reset_timestamp_seconds=status.until,
            restarts_total=self._agents.restarts(labels),
            declared=tracked.declared,
            crashed=tracked.crashed,
            same_command_processes=most_repeated_command(members)[0],
            process=tracked.agent.process if tracked.agent else None,
            attach=attach_point(view, pane),
            helpers=helper_counts,
            helpers_memory_bytes=helper_memory,
            spending=self._spending.agents.get(labels),
            usage_limit=self._snapshot.limits.get(tracked.agent.process) if tracked.agent else None,
            listening_processes=self._snapshot.ports.get(tracked.agent.process, {}) if tracked.agent else {},
            workspaces=self._snapshot.workspaces.get(tracked.agent.process, {}) if tracked.agent else {},
            state_seconds_total={
                state: self._appeared.value(key, seconds[state]) for state, key in states.items()
            },
            state_cpu_seconds_total={state: self._shown_cpu(key) for state, key in states.items()},
        )

    def _states(self, tracked: TrackedAgent) -> dict[AgentState, GroupKey]:
        """The states that the agent was in, with their keys."""
        return {state: key for state in AgentState if (key := state_key(tracked, state)) in self._appeared}

    def _usage(
        self,
        members: Sequence[Process],
        totals: Totals,
        roots: Sequence[ProcessId],
        own_limit: int | None = None,
    ) -> Usage:
        limit = self._limit(roots, own_limit)
        return usage(members, totals, self._table.start_time, limit, self._snapshot.memory)

    def _noted(self, key: GroupKey, own: Usage) -> Usage:
        """The usage of a group; once its bytes are known, their counters do not end."""
        if own.processes and own.read_bytes_total is not None:
            self._group_counters.note_io(key)
        return own

    def _limit(self, roots: Sequence[ProcessId], own_limit: int | None) -> int | None:
        # Cached: most panes are in one cgroup. The limit of a session applies to everything in it.
        case = frozenset(self._bounds.cgroups.get(each) for each in roots), own_limit
        if case not in self._lowest_limits:
            configured = (own_limit, self._limits.session_memory)
            self._lowest_limits[case] = lowest_limit(self._bounds, roots, configured)
        return self._lowest_limits[case]
