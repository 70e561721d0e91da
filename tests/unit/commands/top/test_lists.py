"""The flat views of top, and what is opened: true to the report, within any screen, names last to go."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.literals.detail import DETAIL
from tests.support.literals.report import HOSTILE, NOW, example_report
from tmux_exporter.commands.top.detail import detail_lines
from tmux_exporter.commands.top.lists import Listed, Tab, listed, wanted
from tmux_exporter.commands.top.loop import _pressed
from tmux_exporter.commands.top.rows import Rates, RowKey, Sort, board
from tmux_exporter.commands.top.screen_view import ScreenView
from tmux_exporter.commands.top.table import frame, row_at
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.metrics.report_json import render, render_detail

DOCUMENT = json.loads(render(example_report()))
TOLD = json.loads(render_detail(DETAIL, NOW))
VIEW = ScreenView(sort=Sort.STATE, filter="", source="own samples")
FLAT = [tab for tab in Tab if tab is not Tab.SESSIONS]
LEAD = ("default", "work", "lead")


def shown(tab: Tab, **order: Any) -> Listed:
    return listed(tab, DOCUMENT, Rates(), **order)


def texts(found: Listed, title: str) -> list[str]:
    place = next(place for place, column in enumerate(found.columns) if column.title == title)
    return [row[place].text for row in found.rows]


def drawn(view: ScreenView, width: int, height: int) -> list[str]:
    flat = listed(view.tab, DOCUMENT, Rates())
    opened = detail_lines(DOCUMENT, view.opened, TOLD) if view.opened else None
    lines = frame(board(DOCUMENT, Rates()), view, width, height, listed=flat, opened=opened)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def test_each_view_tells_what_the_report_has() -> None:
    agents = shown(Tab.AGENTS)
    assert texts(agents, "STATE") == ["waiting", "exited", "working", "idle"]
    assert texts(agents, "AGENT")[0] == f"{HOSTILE}:0"
    schedulers = shown(Tab.SCHEDULERS)
    assert texts(schedulers, "STATE")[0] == "dangling"
    assert texts(schedulers, "TARGET")[0] == "work:0.0"
    assert texts(schedulers, "DUE")[0] == "-5s"
    # A scheduler that is lost is told as a scheduler.
    assert texts(shown(Tab.LEAKS), "PID") == ["7002", "7001", "7003", "7004"]
    assert "deploy" in texts(shown(Tab.OPERATIONS), "OPERATION")
    assert "not answering: hung" in texts(shown(Tab.SERVERS), "STATE")
    assert texts(shown(Tab.SERVERS), "STATE")[-1] == "9.2G of 16G available, load 1.75, 321 processes"
    assert texts(shown(Tab.REMEDIATOR), "POLICY") != []


@pytest.mark.parametrize("height", [8, 24])
def test_a_click_is_on_the_row_that_is_drawn_there(height: int) -> None:
    view = replace(VIEW, tab=Tab.SCHEDULERS)
    found = shown(Tab.SCHEDULERS)
    all_of = board(DOCUMENT, Rates())
    for chosen in (None, *found.keys):
        view = replace(view, selected=chosen)
        hit = {}
        for number, line in enumerate(drawn(view, 80, height), 1):
            if key := row_at(number, all_of, view, found.keys, (80, height)):
                hit[key] = line
                _, pid = key
                assert pid in line.replace(",", "")
        assert len(hit) == min(len(found.keys), max(1, height - 7 + (height < 12)))


def test_a_filter_an_order_and_its_reverse() -> None:
    assert texts(shown(Tab.AGENTS, words="claude idle"), "AGENT") == ["lead"]
    assert shown(Tab.AGENTS, words="no-such").nothing == "nothing fits the filter"
    by_memory = shown(Tab.AGENTS, column=4)
    assert by_memory.keys[0] == ("claude-swarm-1", "team", "lead")
    other = shown(Tab.AGENTS, column=4, reverse=True)
    # What is not known stays last.
    assert other.keys[:3] == by_memory.keys[2::-1]
    assert other.keys[-1] == by_memory.keys[-1] == ("default", "work", "gone")


@pytest.mark.parametrize("tab", FLAT)
@pytest.mark.parametrize("width", [20, 40, 80, 250])
def test_a_view_fits_its_screen_and_keeps_its_names(tab: Tab, width: int) -> None:
    for height in (1, 24):
        lines = drawn(replace(VIEW, tab=tab), width, height)
        assert len(lines) <= height
        assert max(map(cell_len, lines)) <= width
        assert not any(re.search(r"[\x00-\x1f\x7f]", line) for line in lines)
    if width >= 40:
        found = listed(tab, DOCUMENT, Rates())
        names = [row[0].text[:10] for row in found.rows]
        text = "\n".join(drawn(replace(VIEW, tab=tab), width, 60))
        assert all(name in text for name in names)


def test_what_can_be_opened() -> None:
    kinds: dict[RowKey, Wanted | None] = {
        LEAD: Wanted(server="default", session="work", agent="lead"),
        ("default", "work", ""): Wanted(server="default", session="work"),
        ("scheduler", "6003"): Wanted(pid=6003),
        ("leak", "7001"): Wanted(pid=7001),
        ("server", "default"): Wanted(server="default"),
        ("operation", "deploy"): None,
        ("policy", "x"): None,
    }
    assert {key: wanted(key) for key in kinds} == kinds
    assert wanted(None) is None


def test_what_is_opened_tells_facts_and_a_tree() -> None:
    lines = drawn(replace(VIEW, opened=LEAD, tab=Tab.AGENTS), 80, 60)
    text = "\n".join(lines)
    assert "default work lead" in text
    assert re.search(r"state_source +agent file", text)
    assert re.search(r"not decisive +pane text: working", text)
    tree = [line for line in lines if re.match(r" +(node|python3|vite) ", line)]
    assert [len(line) - len(line.lstrip()) for line in tree] == [2, 4, 6, 2]
    gone = detail_lines(DOCUMENT, ("default", "work", "no-such"), None)
    assert gone[-1][0] == "it is not there any more"
    assert "being asked" in detail_lines(DOCUMENT, LEAD, None)[-1][0]


def test_keys_lead_to_views_open_scroll_and_sort() -> None:
    keys = shown(Tab.AGENTS).keys
    view = _pressed(VIEW, "1", keys)
    assert view.tab is Tab.AGENTS
    assert _pressed(VIEW, "tab", keys).tab is Tab.SCHEDULERS
    assert _pressed(_pressed(VIEW, "7", keys), "tab", keys).tab is Tab.AGENTS
    assert _pressed(view, "enter", keys).opened is None
    chosen = _pressed(view, "down", keys)
    opened = _pressed(chosen, "enter", keys)
    assert opened.opened == keys[0]
    assert _pressed(_pressed(opened, "down", keys), "down", keys).scroll == 2
    assert _pressed(opened, "up", keys).scroll == 0
    back = _pressed(opened, "escape", keys)
    assert (back.opened, back.selected) == (None, keys[0])
    assert _pressed(view, ">", keys).column == 1
    assert _pressed(view, "<", keys).column == -1
    assert _pressed(view, "r", keys).reverse
    # The tree has sort letters of its own.
    assert _pressed(VIEW, ">", keys).column is None
    names = [each.session for each in board(DOCUMENT, Rates()).sessions]
    assert [each.session for each in board(DOCUMENT, Rates(), reverse=True).sessions] == names[::-1]
