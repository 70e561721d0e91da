"""Stage: counters of CPU, I/O, agents and tmux queries: process accounting per pane, session, agent, ..."""

import logging
from collections.abc import Callable, Mapping

from tmux_exporter.analysis.agents.counters import AgentCounts
from tmux_exporter.analysis.cpu.counters import GroupCounters
from tmux_exporter.analysis.cpu.ledger_account import LedgerAccount
from tmux_exporter.analysis.report.appeared import Appeared
from tmux_exporter.analysis.report.counter_keys import GroupKey, KeyTracker, agent_key
from tmux_exporter.analysis.report.ledger_counters import LedgerCounters
from tmux_exporter.analysis.report.query_stats import QueryStats
from tmux_exporter.analysis.report.summary import Counters
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.changes import Changes
from tmux_exporter.facts.ledgers import PaneLedger
from tmux_exporter.facts.process import ProcessTable
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
            self._group_counters.observe(snapshot.table, keys.groups, keys.catch_alls, ledgers, orphans)
            if snapshot.ledgers:
                agents = ((each.pane, agent_key(each)) for each in snapshot.tracked_agents if each.pane)
                self._ledgers.observe(snapshot.ledgers, keys.panes, agents)
        self._group_counters.retain(keys.shown, snapshot.table.taken_at)
        self._ledgers.retain(keys.shown, snapshot.table.taken_at)
        self._appeared.observe(keys.active, keys.shown, snapshot.table.taken_at)
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
        for pane, used in snapshot.orphan_cpu.items():
            found[pane], self._orphan_rests[pane] = divmod(used + self._orphan_rests.get(pane, 0), tick)
        return found

    def _open_accounts(self, ledgers: Mapping[PaneKey, PaneLedger]) -> dict[PaneKey, LedgerAccount]:
        """The accounts that count in this sample."""
        self._accounts = {pane: self._accounts.get(pane) or LedgerAccount() for pane in ledgers}
        for pane, account in self._accounts.items():
            account.begin(ledgers[pane].cpu)
        return {pane: account for pane, account in self._accounts.items() if account.counts}

    def note_corrected(self, parts: int) -> None:
        """Count parts of a report that an audit found wrong; they show from the next sample on."""
        self._missed += parts
