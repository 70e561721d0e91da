"""Joins the files of agents and their accounts. Loaded with the first agent whose program has a source."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.analysis.spending.counters import SpendingCounts
from tmux_exporter.analysis.spending.limits import Quotas, account_quotas, newest_quotas, usage_limits
from tmux_exporter.analysis.spending.prices import OURS
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.agents import Agent, TrackedAgent
from tmux_exporter.facts.prices import PriceTable
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.spending import (
    PRICES,
    AccountQuota,
    ProcessSpending,
    SpendingCounters,
    SpendingProblem,
    UsageLimit,
)
from tmux_exporter.sampling.stages.spending import Problems
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Target
from tmux_exporter.sources.spending.price_file import read_prices
from tmux_exporter.sources.spending.reader import SpendingReader

_log = logging.getLogger(__name__)


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
        only_limits: bool = False,
        prices: str = "",
    ) -> None:
        """`environ` is our own environment, `prices` the user's own table of prices, if there is one.

        With `at_once` each sample reads, so many seconds at most; without it a thread does. With
        `only_limits` nothing is counted, and who has a file that is not read to its end yet stands at a
        limit, for all that is known.
        """
        self._clock, self._at_once, self._only_limits = clock, at_once, only_limits
        self._counts = SpendingCounts()
        self._targets: dict[ProcessId, Target] = {}
        self._programs: dict[ProcessId, str] = {}
        self._found: Mapping[ProcessId, ProcessSpending] = {}
        self._quotas: Quotas = {}
        self._prices, self._refused = price_table(prices, uid) if not only_limits else (OURS, None)
        self._reader = SpendingReader(
            uid=uid,
            clock=clock,
            environ=environ,
            proc_root=proc_root,
            open_account=partial(Account, prices=self._prices),
        )

    def follow(self, table: ProcessTable, agents: Sequence[Agent], earlier: int) -> None:
        """As SpendingWatch says; what is known of them is what the last round of the reader knew."""
        known = self._targets
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
        self._found = self._reader.found
        self._programs.update((process, each.program) for process, each in self._targets.items())
        self._programs = {
            each: name
            for each, name in self._programs.items()
            if each in self._found or each in self._targets
        }
        self._quotas = newest_quotas((self._programs[each], told) for each, told in self._found.items())

    def limits(self) -> Mapping[ProcessId, UsageLimit]:
        """As SpendingWatch says."""
        running = {
            process: (each.program, self._found[process])
            for process, each in self._targets.items()
            if process in self._found
        }
        now = self._clock.time()
        limits = usage_limits(running, self._quotas, now)
        if self._only_limits:
            unread = UsageLimit(since=now, until=None, stopped=False, unread=True)
            limits |= dict.fromkeys(self._reader.unread, unread)
        return limits

    def quotas(self) -> tuple[AccountQuota, ...]:
        """As SpendingWatch says."""
        return account_quotas(self._quotas, self._clock.time())

    def count(self, agents: Sequence[TrackedAgent], at: float) -> SpendingCounters:
        """As SpendingWatch says."""
        if self._only_limits:
            return SpendingCounters()
        labels = {
            (each.server, each.session, each.name): each.agent.process if each.agent else None
            for each in agents
        }
        states = {(each.server, each.session, each.name): each.status.state for each in agents}
        return replace(self._counts.observe(self._found, labels, at, states), prices_as_of=self._prices.as_of)

    def _read(self, targets: Sequence[Target], until: float) -> None:
        self._reader.round(targets)
        while self._reader.behind and self._clock.monotonic() < until:
            self._reader.round(targets)

    @property
    def problems(self) -> Problems:
        """As SpendingWatch says."""
        refused = {(PRICES, self._refused): 1} if self._refused else {}
        return {**self._reader.problems, **refused}


def price_table(path: str, uid: int) -> tuple[PriceTable, SpendingProblem | None]:
    """The table of prices, and why that of the user is not read: then nothing has a price."""
    if not path:
        return OURS, None
    try:
        return read_prices(path, uid), None
    except NotFollowedError as error:
        _log.error(
            "the table of prices is not read: no tokens have a price", extra=log_fields(reason=error.problem)
        )
        return PriceTable(as_of=None, models={}), error.problem
