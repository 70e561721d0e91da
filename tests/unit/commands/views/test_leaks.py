"""The table of what is leaked: added up by owner and kind, then each, with what is not known told as such."""

import json
from dataclasses import replace

from tests.support.literals.report import example_report, leak
from tmux_exporter.commands.views.leaks import as_dict, as_text
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import LeakReport, Report

MIB = 1_048_576
LEAKED = (
    leak("default", "work", LeakKind.MCP_SERVER, pid=7001, memory=100 * MIB, age=600),
    leak("default", "work", LeakKind.MCP_SERVER, pid=7002, memory=200 * MIB, age=9000),
    leak("default", "shop", LeakKind.DEV_SERVER, pid=7003, memory=50 * MIB),
    leak("", "", LeakKind.OTHER, pid=7004, memory=None, fds=None),
)
PORTS = {each.process: frozenset[int]() for each in LEAKED[:2]} | {LEAKED[2].process: frozenset({8080, 3000})}


def report(*leaks: LeakReport) -> Report:
    return replace(example_report(), leaks=leaks)


def lines(*leaks: LeakReport) -> list[str]:
    return [" ".join(line.split()) for line in as_text(report(*leaks), PORTS).splitlines()]


def test_nothing_leaked_is_one_line() -> None:
    assert "nothing is leaked" in as_text(report(), {})
    assert as_dict(report(), {})["leaks"] == []


def test_they_are_added_up_by_owner_and_kind_the_largest_first() -> None:
    shown = lines(*LEAKED)
    assert shown[0] == "SERVER SESSION KIND COUNT MEMORY CPU FDS OLDEST PORTS"
    assert shown[1] == "default work mcp_server 2 300.0 MiB 5.0s 10 2h 30m -"
    assert shown[2] == "default shop dev_server 1 50.0 MiB 2.5s 5 2h 00m 3000,8080"
    assert (shown[3], shown[-1]) == ("? ? other 1 ? 2.5s ? 2h 00m -", "4 leaked, 350.0 MiB")


def test_open_files_that_two_have_together_are_added_up_once() -> None:
    shared = (
        leak("a", "b", LeakKind.OTHER, pid=8, fds=40),
        leak("a", "b", LeakKind.OTHER, pid=9, fds=40, files=8),
    )
    assert lines(*shared)[1] == "a b other 2 24.0 MiB 5.0s 40 2h 00m -"


def test_each_is_told_with_its_name_ports_and_why() -> None:
    assert lines(*LEAKED)[6:10] == [
        "mcp_server 7002 node serve.js 2h 30m 200.0 MiB 2.5s 5 - work %9 its pane is gone",
        "mcp_server 7001 node serve.js 10m 00s 100.0 MiB 2.5s 5 - work %9 its pane is gone",
        "dev_server 7003 node serve.js 2h 00m 50.0 MiB 2.5s 5 3000,8080 shop %9 its pane is gone",
        # Nobody could look at its memory, descriptors and ports.
        "other 7004 node serve.js 2h 00m ? 2.5s ? ? ? ? its pane is gone",
    ]


def test_the_data_is_the_same_with_null_for_what_is_not_known() -> None:
    shown = as_dict(report(*LEAKED), PORTS)
    json.dumps(shown, allow_nan=False)
    first = shown["owners"][0]
    assert (first["session"], first["processes"], first["memory_bytes"]) == ("work", 2, 300 * MIB)
    assert first["oldest_start_time_seconds"] == shown["timestamp"] - 9000
    assert [each["listening_ports"] for each in shown["owners"]] == [[], [3000, 8080], []]
    assert [each["listening_ports"] for each in shown["leaks"]] == [[], [], [3000, 8080], None]
    assert (shown["leaks"][3]["memory_bytes"], shown["leaks"][3]["open_fds"]) == (None, None)
    assert ProcessId(shown["leaks"][0]["pid"], shown["leaks"][0]["start_ticks"]) == LEAKED[1].process
