"""The JSON of a report: its shape, what it must never hold, and bytes that are not text."""

import json
import math
from dataclasses import fields, replace
from typing import Any

from tests.support.literals.detail import DETAIL
from tests.support.literals.report import NOW, OBSERVER, example_report, scheduler
from tmux_exporter.facts.ledgers import CpuSource
from tmux_exporter.facts.process import MemorySource, Problem, ProcessId
from tmux_exporter.facts.remediation import RemediatorReport
from tmux_exporter.facts.report import Remembered, Sum, Usage
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.metrics.report_json import render, render_detail

SECRET = "token=hunter2 /home/somebody/project"


def parsed(report: Any) -> Any:
    return json.loads(render(report))


def test_says_its_version_and_everything_of_the_example() -> None:
    document = parsed(example_report())
    assert (document["version"], document["timestamp"]) == (1, 1_795_500_000.25)
    assert document["complete"] is False
    assert document["samples"] == {"complete": 41, "partial": 2}
    assert document["unreadable_processes"] == {"permission": 4}
    assert document["problems"] == [{"source": "claude-swarm-1", "reason": "hung"}]
    held = document["servers"][1]
    assert (held["up"], held["held"], held["reason"]) == (False, True, "hung")
    assert (held["queries"], held["query_failures"]) == (3, {"hung": 2})
    assert [each["session"] for each in document["sessions"]][::2] == ["work", "team"]
    assert document["sessions"][0]["usage"]["memory_bytes"] == 340_246_528
    assert [each["agent"] for each in document["agents"]][::2] == ["lead", "lead"]
    assert [each["state"] for each in document["schedulers"]][-1] == "unknown"
    assert document["schedulers"][0]["pid"] == 6001
    assert {tuple(each["remarks"]) for each in document["schedulers"]} == {(), ("target_at_shell",)}
    assert document["leaks"][0] == {
        "server": "default", "session": "work", "pane": "%9", "kind": "mcp_server",
        "start_time_seconds": 1_795_492_800.25, "memory_bytes": 12_582_912, "cpu_seconds_total": 2.5,
        "open_fds": 5, "pid": 7001, "start_ticks": 1234,
    }  # fmt: skip


def test_tells_of_operations_and_whether_their_reports_come_here() -> None:
    *_, deploy = parsed(example_report())["operations"]
    assert (deploy["operation"], deploy["count"], deploy["seconds_total"]) == ("deploy", 5, 517.01)
    assert (deploy["in_flight"], deploy["retries_total"], deploy["errors"]["timeout"]) == (2, 2, 1)
    assert parsed(replace(example_report(), operations=None))["operations"] is None


def test_tells_of_the_host_without_names() -> None:
    told = parsed(example_report())["host"]
    assert (told["memory_available_bytes"], told["load1"], told["processes"]) == (9_876_543_488, 1.75, 321)
    assert all(each is None or isinstance(each, int | float) for each in told.values())
    assert parsed(replace(example_report(), host=None))["host"] is None


def test_tells_what_a_remediator_does() -> None:
    report = example_report()
    told = parsed(report)["remediator"]
    assert (told["up"], told["mode"]) == (True, "observe")
    assert [each["policy"] for each in told["policies"]] == [each.policy for each in OBSERVER.policies]
    assert any(each["actions"] for each in told["policies"])
    assert all(set(each["refusals"].values()) <= set(range(1, 10**6)) for each in told["policies"])
    unreadable = replace(report, remediator=RemediatorReport(up=True, detail="hunter2"))
    assert parsed(unreadable)["remediator"] == {"up": True}
    assert parsed(replace(report, remediator=None))["remediator"] is None


def test_a_detail_has_figures_names_and_closed_lists_only() -> None:
    told = json.loads(render_detail(DETAIL, NOW))
    assert (told["timestamp"], told["left_out"]) == (NOW, 0)
    assert told["processes"][1] == {
        "pid": 5009, "parent": 1, "name": "vite", "memory_bytes": 77 * 2**20, "cpu_seconds_total": 1.5,
        "open_fds": 30, "threads": 4, "pane": "%0", "start_time_seconds": NOW - 300,
        "evidence": "environment",
    }  # fmt: skip
    assert told["clues"] == [
        {"source": "pane_text", "state": "working"},
        {"source": "window_activity", "state": None},
    ]
    assert [each["pane"] for each in told["panes"]] == ["%0", "%1"]


def test_tells_what_only_memory_knows() -> None:
    known = Remembered(
        process=ProcessId(7001, 1234), origin=ProcessId(900, 77), pane="%9", server="default", session="work",
        leaked=True, by_folder=False,
    )  # fmt: skip
    assert parsed(replace(example_report(), remembered=(known,)))["remembered"] == [
        {
            "pid": 7001, "start_ticks": 1234, "server_pid": 900, "server_start_ticks": 77, "pane": "%9",
            "server": "default", "session": "work", "leaked": True, "by_folder": False,
            "by_lineage": False,
        }
    ]  # fmt: skip


def test_every_figure_of_a_usage_is_there() -> None:
    assert list(parsed(example_report())["sessions"][0]["usage"]) == [each.name for each in fields(Usage)]
    # All of them are shown to anyone who reaches the port: none may hold what somebody typed.
    figures = {int, float, int | None, float | None, MemorySource | None, CpuSource, tuple[Sum, ...]}
    assert {each.type for each in fields(Usage)} <= figures


def test_holds_no_message_no_reason_no_target_and_no_path() -> None:
    report = example_report()
    report = replace(
        report,
        servers=tuple(
            replace(each, socket=SECRET, problem=Problem(source=each.server, reason="hung", detail=SECRET))
            for each in report.servers
        ),
        schedulers=tuple(replace(each, reason=SECRET, targets=(SECRET,)) for each in report.schedulers),
        leaks=tuple(replace(each, reason=SECRET) for each in report.leaks),
        problems=(Problem(source="tmux", reason="hung", detail=SECRET),),
    )
    rendered = render(report)
    assert b"hunter2" not in rendered
    assert b"/home/somebody" not in rendered


def test_a_sleep_without_end_has_no_due_time() -> None:
    eternal = scheduler("default", "work", SchedulerState.IMMORTAL, pid=7000, due=math.inf)
    document = parsed(replace(example_report(), schedulers=(eternal,)))
    assert document["schedulers"][0]["due_timestamp_seconds"] is None


def test_is_one_line_of_ascii_whatever_the_names_hold() -> None:
    report = example_report()
    strange = "a\nb\r\n\tdata: x\u2028\udcff\u0000"
    report = replace(report, agents=(replace(report.agents[0], window_name=strange),))
    rendered = render(report)
    assert rendered.isascii()
    assert b"\n" not in rendered
    assert b"\r" not in rendered
    assert json.loads(rendered)["agents"][0]["window_name"] == strange
