"""Reached usage limits and quotas of accounts, by what the files of agents say; pure.

A quota is that of an account: what its newest file says of a window holds for all of its agents.
"""

from collections.abc import Iterable, Mapping

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import AccountQuota, ProcessSpending, Quota, UsageLimit

Account = tuple[str, int]
Quotas = Mapping[Account, Mapping[str, Quota]]


def newest_quotas(found: Iterable[tuple[str, ProcessSpending]]) -> Quotas:
    """The newest word on each window of each account; `found` has the program of each process."""
    newest: dict[Account, dict[str, Quota]] = {}
    for program, each in found:
        for window, quota in each.spent.quotas.items():
            windows = newest.setdefault((program, each.account), {})
            if window not in windows or quota.observed > windows[window].observed:
                windows[window] = quota
    return newest


def account_quotas(quotas: Quotas, now: float) -> tuple[AccountQuota, ...]:
    """The quotas as they are shown at the wall time `now`: how much is used is not known after a reset."""
    return tuple(
        AccountQuota(
            program=program,
            account=account,
            window=window,
            used_ratio=quota.used_ratio if quota.reset is None or now < quota.reset else None,
            reset=quota.reset,
            observed=quota.observed,
        )
        for (program, account), windows in sorted(quotas.items())
        for window, quota in sorted(windows.items())
    )


def usage_limits(
    found: Mapping[ProcessId, tuple[str, ProcessSpending]], quotas: Quotas, now: float
) -> dict[ProcessId, UsageLimit]:
    """The agents that stand at a limit at the wall time `now`."""
    limits = {}
    for process, (program, each) in found.items():
        limit = _limit(each, quotas.get((program, each.account), {}), now)
        if limit is not None:
            limits[process] = limit
    return limits


def _limit(spending: ProcessSpending, quotas: Mapping[str, Quota], now: float) -> UsageLimit | None:
    used_up = [
        each
        for each in quotas.values()
        if each.used_ratio >= 1 and each.reset is not None and now < each.reset
    ]
    ahead = max((each.reset for each in used_up if each.reset is not None), default=None)
    since, told = spending.spent.limited_since, spending.spent.limit_reset
    if since is None:
        observed = min((each.observed for each in used_up), default=now)
        return None if ahead is None else UsageLimit(since=observed, until=ahead, stopped=False)
    # Others of the account go on: it was reset early, or somebody has bought more.
    refuted = any(each.observed > since for each in quotas.values()) and not used_up
    limit = UsageLimit(since=since, until=told if ahead is None else ahead, stopped=True)
    return None if refuted or now >= limit.latest_end else limit
