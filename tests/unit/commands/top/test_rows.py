"""What top shows of a report: rates, totals, order, filter, and what is left of sessions that are gone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.report import NOW, agent, example_report, leak, scheduler, session
from tmux_exporter.commands.top.rows import Board, Rates, Sort, as_dict, board
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.metrics.report_json import render

REPORT = replace(
    example_report(),
    sessions=(session("default", "calm", 1), session("default", "busy", 3), session("default", "empty", 2)),
    agents=(
        agent("default", "calm", "reader", "%1", program="claude", scale=1, state=AgentState.IDLE),
        agent("default", "busy", "worker", "%2", program="codex", scale=3, state=AgentState.WORKING),
        agent("default", "busy", "asker", "%3", program="claude", scale=2, state=AgentState.WAITING),
    ),
    leaks=(
        leak("default", "busy", LeakKind.MCP_SERVER, pid=7001),
        leak("default", "ended", LeakKind.OTHER, pid=7002, memory=None),
    ),
    schedulers=(
        scheduler("default", "calm", SchedulerState.ARMED, pid=6001, due=NOW + 60),
        scheduler("default", "calm", SchedulerState.DANGLING, pid=6002, due=NOW + 30),
        scheduler("", "", SchedulerState.UNKNOWN, pid=6003, due=None),
    ),
)


def document(report: Report = REPORT, **changes: Any) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(render(report))
    return shown | changes


def shown(sort: Sort = Sort.STATE, *words: str, report: Report = REPORT) -> Board:
    return board(document(report), Rates(), sort=sort, words=words)


def names(found: Board) -> list[str]:
    return [each.session for each in found.sessions]


def test_who_waits_comes_first_and_what_is_left_of_the_gone_last() -> None:
    found = shown()
    assert names(found) == ["busy", "calm", "empty", "", "ended"]
    assert [each.agent for each in found.sessions[0].agents] == ["asker", "worker"]
    assert found.sessions[0].agents[0].reason == "permission"
    assert [each.gone for each in found.sessions] == [False, False, False, True, True]
    assert found.sessions[4].owed.leaks == 1
    assert found.sessions[4].owed.leaked_memory_bytes is None


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        (Sort.MEMORY, "busy"),
        (Sort.FDS, "busy"),
        (Sort.LEAKS, "busy"),
        (Sort.DUE, "calm"),
        (Sort.NAME, "busy"),
    ],
)
def test_each_order_has_its_first(sort: Sort, first: str) -> None:
    assert names(shown(sort))[0] == first
    assert set(names(shown(sort))[-2:]) == {"", "ended"}


def test_the_order_by_cpu_puts_what_is_not_known_last() -> None:
    rates = Rates()
    rates.take(document())
    later = document(timestamp=NOW + 2)
    later["sessions"][0]["usage"]["cpu_seconds_total"] += 1.0
    later["sessions"][1]["usage"]["cpu_seconds_total"] -= 1.0
    rates.take(later)
    found = board(later, rates, sort=Sort.CPU)
    assert names(found)[:3] == ["calm", "empty", "busy"]
    cores = {each.session: each.cost.cpu_cores for each in found.sessions}
    assert (cores["calm"], cores["empty"], cores["busy"]) == (0.5, 0.0, None)
    assert found.cost.cpu_cores == 0.5


def test_rates_need_two_reports_some_time_apart() -> None:
    rates = Rates()
    rates.take(document())
    assert not rates.known
    rates.take(document(timestamp=NOW + 0.5))
    assert not rates.known
    rates.take(document(timestamp=NOW - 30))
    assert not rates.known, "the clock was set back"
    rates.take(document(timestamp=NOW - 28))
    assert rates.known


def test_where_nothing_runs_a_second_report_is_enough() -> None:
    rates = Rates()
    rates.take({**document(), "sessions": [], "agents": []})
    rates.take({**document(timestamp=NOW + 1), "sessions": [], "agents": []})
    assert rates.known


def test_totals_are_of_everything_whatever_the_filter() -> None:
    whole, some = shown(), shown(Sort.STATE, "asker")
    assert (whole.cost, whole.owed, whole.agents) == (some.cost, some.owed, some.agents)
    assert whole.agents == {"waiting": 1, "working": 1, "idle": 1}
    assert (whole.owed.check_ins, whole.owed.in_trouble) == (3, 1)
    assert whole.owed.next_due_timestamp_seconds == NOW + 30
    assert whole.sessions_there == some.sessions_there == 3


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("BUSY",), {"busy": ["asker", "worker"]}),
        (("claude",), {"busy": ["asker"], "calm": ["reader"]}),
        (("waiting",), {"busy": ["asker"]}),
        (("permission", "busy"), {"busy": ["asker"]}),
        (("default", "codex"), {"busy": ["worker"]}),
        (("codex", "waiting"), {}),
        (("ended",), {"ended": []}),
    ],
)
def test_a_filter_keeps_rows_with_all_its_words(words: tuple[str, ...], found: dict[str, list[str]]) -> None:
    rows = shown(Sort.STATE, *words).sessions
    assert {each.session: [one.agent for one in each.agents] for each in rows} == found


def test_the_data_can_be_written() -> None:
    data = json.loads(json.dumps(as_dict(shown()), allow_nan=False))
    assert data["sessions"][0]["agents"][0]["state"] == "waiting"
    assert data["sessions"][0]["cost"]["cpu_cores"] is None
