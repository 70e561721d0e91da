"""Reached limits and quotas of accounts: who stands at one, until when, and when it is over."""

from dataclasses import replace

import pytest

from tmux_exporter.analysis.spending.limits import (
    account_quotas,
    newest_quotas,
    usage_limits,
)
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import (
    LONGEST_LIMIT_SECONDS,
    AccountQuota,
    Exactness,
    ProcessSpending,
    Quota,
    Spent,
    UsageLimit,
)

NOW = 1_000_000.0
A, B = ProcessId(1, 10), ProcessId(2, 20)
FULL = Quota(used_ratio=1.0, reset=NOW + 600, observed=NOW - 60)
HALF = Quota(used_ratio=0.5, reset=NOW + 600, observed=NOW - 30)


def says(
    *, since: float | None = None, reset: float | None = None, account: int = 0, **quotas: Quota
) -> ProcessSpending:
    spent = Spent(limited_since=since, limit_reset=reset, quotas=quotas)
    return ProcessSpending(exactness=Exactness.EXACT, spent=spent, base=Spent(), account=account)


def limits(*agents: ProcessSpending, now: float = NOW) -> list[UsageLimit | None]:
    found = {ProcessId(number, 1): ("codex", each) for number, each in enumerate(agents)}
    reached = usage_limits(found, newest_quotas(found.values()), now)
    return [reached.get(process) for process in found]


def test_a_turn_that_ended_at_a_limit_lasts_until_the_reset_that_is_told() -> None:
    stopped = says(since=NOW - 5, reset=NOW + 600)
    assert limits(stopped) == [UsageLimit(since=NOW - 5, until=NOW + 600, stopped=True)]
    assert limits(stopped, now=NOW + 599) != [None]
    assert limits(stopped, now=NOW + 600) == [None]


def test_without_a_reset_it_lasts_eight_days_at_most() -> None:
    stopped = says(since=NOW)
    assert limits(stopped, now=NOW + LONGEST_LIMIT_SECONDS - 1) == [
        UsageLimit(since=NOW, until=None, stopped=True)
    ]
    assert limits(stopped, now=NOW + LONGEST_LIMIT_SECONDS) == [None]


def test_a_used_up_quota_is_that_of_all_agents_of_its_account() -> None:
    found = limits(says(w5h=FULL), says(), says(account=1))
    assert found == [UsageLimit(since=NOW - 60, until=NOW + 600, stopped=False)] * 2 + [None]
    assert limits(says(w5h=FULL), says(), now=NOW + 600) == [None, None]


def test_the_later_reset_of_two_used_up_windows_counts() -> None:
    week = replace(FULL, reset=NOW + 9000)
    found = limits(says(since=NOW - 5, reset=NOW + 600, w5h=FULL, w7d=week))
    assert found == [UsageLimit(since=NOW - 5, until=NOW + 9000, stopped=True)]


def test_the_newest_word_on_a_window_counts() -> None:
    assert limits(says(w5h=FULL), says(w5h=HALF)) == [None, None]
    later = replace(FULL, observed=NOW - 10)
    assert None not in limits(says(w5h=later), says(w5h=HALF))


def test_a_limit_is_over_where_another_agent_of_the_account_is_told_of_room_since() -> None:
    stopped = says(since=NOW - 40, reset=NOW + 600)
    assert limits(stopped, says(w5h=HALF))[0] is None
    assert limits(stopped, says(w5h=replace(HALF, observed=NOW - 50)))[0] is not None
    assert limits(stopped, says(account=1, w5h=HALF))[0] is not None


@pytest.mark.parametrize(("now", "used"), [(NOW, 1.0), (NOW + 599, 1.0), (NOW + 600, None)])
def test_what_is_used_is_not_known_after_a_reset(now: float, used: float | None) -> None:
    (shown,) = account_quotas(newest_quotas([("codex", says(w5h=FULL, account=3))]), now)
    assert shown == AccountQuota(
        program="codex", account=3, window="w5h", used_ratio=used, reset=NOW + 600, observed=NOW - 60
    )
