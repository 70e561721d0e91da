"""The reports of `run`: budgets, exit codes, Markdown, JUnit and JSON, whatever a command is called."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tmux_exporter.commands.run.cost import (
    Budgets,
    Cost,
    Left,
    as_json,
    as_junit,
    as_markdown,
    as_text,
    lines,
    status,
)

COST = Cost(
    command=("sh", "-c", 'a|b `c` <d> & "e"\x1b'), exit_code=0, seconds=2.5, cpu_seconds=60.0,
    peak_memory_bytes=2 * 2**30, peak_processes=7, tmux_servers_left=1,
    leaks=(Left(pid=42, name="no\x00de <1>", memory_bytes=None),),
)  # fmt: skip
AT_THE_BOUND = Budgets(memory=2 * 2**30, cpu=60.0, time=2.5, leaks=1)
BEYOND = Budgets(memory=2 * 2**30 - 1, cpu=59.9, time=2.4, leaks=0)


def test_a_budget_holds_up_to_its_bound() -> None:
    assert status(COST, lines(COST, AT_THE_BOUND)) == 0
    assert [each.within for each in lines(COST, AT_THE_BOUND)] == [True] * 4 + [None] * 2
    assert [each.within for each in lines(COST, BEYOND)] == [False] * 4 + [None] * 2


@pytest.mark.parametrize("bound", ["memory", "cpu", "time", "leaks"])
def test_each_budget_breaks_alone_and_only_what_succeeded(bound: str) -> None:
    budgets = Budgets(**{bound: getattr(BEYOND, bound)})
    assert status(COST, lines(COST, budgets)) == 1
    assert status(replace(COST, exit_code=3), lines(COST, budgets)) == 3


def test_memory_that_was_not_seen_is_not_judged() -> None:
    unseen = replace(COST, peak_memory_bytes=None)
    told = lines(unseen, Budgets(memory=1))
    assert status(unseen, told) == 0
    assert "peak memory not seen, budget 1 B, not judged" in as_text(told)


def test_junit_has_a_case_for_the_command_and_each_budget() -> None:
    suite = ET.fromstring(as_junit(COST, lines(COST, BEYOND)))
    assert (suite.attrib["tests"], suite.attrib["failures"], len(suite)) == ("5", "4", 5)
    assert [each.attrib["name"] for each in suite][:2] == ["command", "peak memory"]
    told = ET.fromstring(as_junit(replace(COST, exit_code=1), lines(COST, AT_THE_BOUND)))
    assert (told.attrib["failures"], told[0][0].attrib["message"]) == ("1", "exit code 1")


def test_a_name_breaks_no_table_and_no_json() -> None:
    table = as_markdown(COST, lines(COST, BEYOND)).splitlines()
    assert table[0] == "### Cost of `sh -c a/b 'c' <d> & \"e\"\x1b` (exit code 0)"
    assert all(line.count("|") == 5 for line in table[2:-1])
    assert "\x1b" not in as_junit(COST, lines(COST, BEYOND))
    document = json.loads(as_json(COST, BEYOND, lines(COST, BEYOND)))
    assert document["exceeded"] == ["peak memory", "CPU", "time", "left over"]
    assert document["version"] == 1
    assert document["leaks"][0]["pid"] == 42
