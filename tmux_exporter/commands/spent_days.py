"""What the user's programs have spent by day, for `usage --by day`: read once, when somebody asks."""

import os
import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from tmux_exporter.analysis.spending.by_day import DayAccount
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.spending import SpendingProblem, TokenKind
from tmux_exporter.sampling.stages.spending_watch import price_table
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.history import files_since
from tmux_exporter.sources.spending.located import Source

_BLOCK_BYTES = 8 * 1024 * 1024


def spent_by_day(clock: Clock, environ: Mapping[str, str], prices: str, days: int) -> dict[str, Any]:
    """Rows of day and program, the latest first, for so many days up to today, in the local time zone.

    Sources are the files of the user's own configuration folders, by the times that stand in their lines:
    also those of processes that have ended. `unread` counts those that could not be read.
    """
    table, _ = price_table(prices, os.getuid())
    first = date.fromisoformat(_day_of(clock.time())) - timedelta(days=days - 1)
    since = time.mktime(first.timetuple())
    accounts: dict[str, DayAccount] = {}
    unread: dict[str, int] = {}
    for program, source in files_since(environ, since, os.getuid()):
        account = accounts.setdefault(program, DayAccount(since, table, _day_of))
        try:
            if source is None:
                raise NotFollowedError(SpendingProblem.MALFORMED)
            _read(source, account, since)
        except (NotFollowedError, OSError):
            unread[program] = unread.get(program, 0) + 1
    return {
        "version": 1,
        "timestamp": clock.time(),
        "by": "day",
        "prices_as_of": table.as_of,
        "time_zone": time.strftime("%Z", time.localtime(clock.time())),
        "unread": unread,
        "rows": [
            {
                "day": day,
                "program": program,
                "requests": spent.requests,
                **dict(zip(map(str, TokenKind), spent.tokens.by_kind, strict=True)),
                "cost_dollars": spent.cost.dollars + spent.cost.own,
                "unpriced_tokens": spent.cost.unpriced,
                "whole": True,
            }
            for day in sorted({day for each in accounts.values() for day in each.days}, reverse=True)
            for program, account in accounts.items()
            if (spent := account.days.get(day)) is not None
        ],
    }


def _day_of(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))


def _read(source: Source, account: DayAccount, since: float) -> None:
    followed = source.open(uid=os.getuid(), since=since, note=lambda _: None)
    conversation = account.conversation(begins=source.begins, whole=followed.whole)
    while not followed.caught_up:
        for line in followed.read(_BLOCK_BYTES):
            if line is not None:
                conversation.observe((line,))
