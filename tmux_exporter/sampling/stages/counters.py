"""Stage: counters of CPU, I/O, agents and tmux queries: process accounting per pane, session, agent, ..."""

import logging
from collections.abc import Callable, Iterable, Mapping

from tmux_exporter.analysis.agents.counters import AgentCounts
from tmux_exporter.analysis.cpu.counters import GroupCounters
from tmux_exporter.analysis.cpu.ledger_account import LedgerAccount
from tmux_exporter.analysis.cpu.unwatched import EndedOrphans, Unwatched
from tmux_exporter.analysis.report.appeared import Appeared
from tmux_exporter.analysis.report.counter_keys import CounterKeys, GroupKey, KeyTracker, agent_key
from tmux_exporter.analysis.report.ledger_counters import LedgerCounters
from tmux_exporter.analysis.report.query_stats import QueryStats
from tmux_exporter.analysis.report.summary import Counters
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.changes import Changes
from tmux_exporter.facts.ledgers import CpuSource, PaneLedger
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.ownership import Ownership

_log = logging.getLogger(__name__)


class CounterStage:
    """Counts from the first sample on; every counter starts at 0."""

    def __init__(self, *, counting: bool) -> None:
        """Without `counting` what processes use is not counted: those counters stay 0."""
        self._counting = counting
        self._begun = False
        self._keys = KeyTracker()
        self._group_counters: GroupCounters[GroupKey] = GroupCounters()
        self._appeared: Appeared[GroupKey] = Appeared()
        self._ledgers: LedgerCounters[GroupKey] = LedgerCounters()
        self._queries = QueryStats()
        self._agents = AgentCounts()
        self._accounts: dict[PaneKey, LedgerAccount] = {}
        self._orphan_rests: dict[PaneKey, int] = {}
        self._unwatched: Unwatched[GroupKey] = Unwatched()
        self._groups: Mapping[ProcessId, frozenset[GroupKey]] = {}
        self._missed = 0

    def begin(self, read: Callable[[], ProcessTable]) -> None:
        """Read the processes once more before the first sample, so that counters begin with that one.

        What ended unseen while the first reading was taken may leave its usage to its parent then, but not
        at the second.
        """
        if self._counting and not self._begun:
            self._group_counters.observe(read(), {})
            self._begun = True

    def observe(self, snapshot: Snapshot, ownership: Ownership, changes: Changes, now: float) -> Counters:
        """Count one sample; `now` is its wall time."""
        keys = self._keys.observe(snapshot, ownership.changed, changes)
        if self._counting:
            ledgers = keys.charged(self._open_accounts(snapshot.ledgers)) if snapshot.ledgers else {}
            orphans = keys.orphans(self._ticks(snapshot)) if snapshot.orphan_cpu else {}
            caught = self._group_counters.observe(
                snapshot.table, keys.groups, keys.catch_alls, ledgers, orphans
            )
            self._count_unwatched(snapshot, keys, caught, now)
            if snapshot.ledgers:
                agents = ((each.pane, agent_key(each)) for each in snapshot.tracked_agents if each.pane)
                self._ledgers.observe(snapshot.ledgers, keys.panes, agents)
        self._group_counters.retain(keys.shown, snapshot.table.taken_at)
        self._ledgers.retain(keys.shown, snapshot.table.taken_at)
        short = self._unwatched.groups
        active = keys.active | short if short else keys.active
        self._appeared.observe(active, keys.shown, snapshot.table.taken_at)
        self._queries.observe(snapshot.view.servers)
        self._agents.observe(snapshot.tracked_agents, snapshot.view.servers, snapshot.table.taken_at, now)
        self._missed += snapshot.table.missed + ownership.corrected + keys.corrected
        if keys.corrected:
            _log.error("counter keys corrected by an audit", extra=log_fields(processes=keys.corrected))
        return Counters(
            usage=self._group_counters,
            appeared=self._appeared,
            ledgers=self._ledgers,
            queries=self._queries,
            agents=self._agents,
            missed=self._missed,
        )

    def _ticks(self, snapshot: Snapshot) -> dict[PaneKey, int]:
        """Whole ticks of what orphans used; the rest of a tick comes later."""
        tick = 1_000_000_000 // snapshot.table.clock_ticks_per_second
        found = {}
        for pane, (used, _) in (snapshot.orphan_cpu or {}).items():
            found[pane], self._orphan_rests[pane] = divmod(used + self._orphan_rests.get(pane, 0), tick)
        return found

    def _count_unwatched(
        self, snapshot: Snapshot, keys: CounterKeys, caught: Mapping[ProcessId, int], now: float
    ) -> None:
        """Count what orphans used that no counter of their session has; ledgers miss nothing."""
        servers = {view.process for view in snapshot.view.servers}
        groups, self._groups = self._groups, keys.groups
        own = (pane for pane, each in snapshot.ledgers.items() if each.cpu_source is CpuSource.CGROUP)
        whole = {key for pane in own for key in keys.panes.get(pane, ())}

        def group_of(found: Iterable[GroupKey]) -> GroupKey | None:
            """The session of a pane that has no account of its own, by the keys of its members."""
            by_kind = {key[0]: key for key in found}
            session, pane = by_kind.get("session"), by_kind.get("pane")
            return ("unwatched", *session[1:]) if session and pane not in whole else None

        ended: dict[GroupKey | None, EndedOrphans] | None = None
        if snapshot.orphan_cpu is not None:
            ended, tick = {}, 1_000_000_000 / snapshot.table.clock_ticks_per_second
            for pane, (used, unasked) in snapshot.orphan_cpu.items():
                group = group_of(keys.panes.get(pane, ()))
                counted, before = ended.get(group, (0.0, 0.0))
                ended[group] = EndedOrphans(counted + used / tick, before + unasked / tick)
        adopters = {process: ticks for process, ticks in caught.items() if process not in servers}
        self._group_counters.add(
            self._unwatched.observe(
                snapshot.table, now, adopters, lambda process: group_of(groups.get(process, ())), ended
            )
        )

    def _open_accounts(self, ledgers: Mapping[PaneKey, PaneLedger]) -> dict[PaneKey, LedgerAccount]:
        """The accounts that count in this sample."""
        self._accounts = {pane: self._accounts.get(pane) or LedgerAccount() for pane in ledgers}
        for pane, account in self._accounts.items():
            account.begin(ledgers[pane].cpu)
        return {pane: account for pane, account in self._accounts.items() if account.counts}

    def note_corrected(self, parts: int) -> None:
        """Count parts of a report that an audit found wrong; they show from the next sample on."""
        self._missed += parts
