"""The live page in a real browser: what needs somebody, filters, copies, hostile names, a phone."""

import json
import re
from dataclasses import replace

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.clock import ManualClock
from tests.support.literals.report import HOSTILE, NOW, example_report
from tests.support.literals.spending import QUOTAS, SPENDING
from tests.support.wait import wait_for
from tests.support.web.browser import calm, page, rows, words
from tests.support.web.http import FakeFeed, serving
from tmux_exporter.facts.agents import AgentState, WaitingReason

pytestmark = pytest.mark.long


def test_what_needs_somebody_comes_first_with_its_next_command(chrome: Chrome) -> None:
    with page(chrome, example_report()):
        told = [words(row) for row in rows(chrome)]
        assert told[0].startswith("waiting | ")
        assert "for a permission" in told[0]
        assert told[0].endswith(
            "tmux -S '/tmp/tmux-1000/it'\"'\"'s $(reboot)' attach -t '$3' "
            "\\; select-window -t @2 \\; select-pane -t %7"
        )
        assert told[1].startswith("dangling | 1 scheduler |  | its target work:0.0 does not exist; due ")
        assert told[1].endswith(" | tmux-exporter explain 6003")
        assert [each.split(" | ")[:3] for each in told[2:]] == [["mcp server", "2 processes", "in work"]]
        assert chrome.title == "(1) tmux_exporter"
        tables = [
            each.get_attribute("id") for each in chrome.find_elements(By.CSS_SELECTOR, "#sections > section")
        ]
        assert tables == [
            *("agents", "quotas", "sessions", "schedulers", "leaks", "servers", "operations", "remediator")
        ]


def test_agents_that_stand_at_a_limit_are_told_together_with_what_they_spend(chrome: Chrome) -> None:
    stands = replace(
        calm().agents[0],
        state=AgentState.WAITING,
        waiting_reason=WaitingReason.USAGE_LIMIT,
        usage_limit_reset_timestamp_seconds=NOW + 3600,
        spending=replace(SPENDING, context_tokens=190_000, context_window_tokens=200_000),
    )
    works = replace(stands, agent="works", state=AgentState.WORKING, waiting_reason=None, spending=None)
    agents = (stands, replace(stands, agent="two"), works)
    with page(chrome, replace(calm(), agents=agents, quotas=QUOTAS)):
        (row,) = [words(each) for each in rows(chrome)]
        assert row.startswith("usage limit | 2 of 3 agents | ") and f": {stands.agent}, two |" in row
        assert re.search(r"stand still until \d+:\d\d", row) and row.endswith("| tmux-exporter usage")
        table = {
            each.find_element(By.TAG_NAME, "th").text: each.text
            for each in chrome.find_elements(By.CSS_SELECTOR, "#agents tbody tr")
        }
        assert sum("$0.02" in text and "720 tokens" in text for text in table.values()) == 2
        assert "$" not in next(text for name, text in table.items() if name.startswith("works"))
        quotas = [each.text for each in chrome.find_elements(By.CSS_SELECTOR, "#quotas tbody tr")]
        assert len(quotas) == 2 and "63 %" in quotas[0] and "–" in quotas[1]
        head = chrome.find_elements(By.CSS_SELECTOR, "#agents thead th:not([hidden])")
        assert "Spent" in [each.text for each in head]
    with page(chrome, replace(calm(), agents=(works,), quotas=())):
        head = chrome.find_elements(By.CSS_SELECTOR, "#agents thead th:not([hidden])")
        assert "Spent" not in [each.text for each in head]
        assert not chrome.find_element(By.ID, "quotas").is_displayed()


def test_calm_is_said_only_where_everything_is_seen(chrome: Chrome) -> None:
    with page(chrome, calm()) as feed:
        text = chrome.find_element(By.CSS_SELECTOR, "#needs .calm")
        assert text.text.startswith("Nothing. No agent waits")
        assert chrome.title == "tmux_exporter"
        feed.publish(report=replace(calm(), complete=False))
        wait_for(lambda: "Not everything can be seen" in text.text, "a part is not known", 60)


def test_a_foreign_name_is_text(chrome: Chrome) -> None:
    with page(chrome, example_report()):
        name = rows(chrome)[0].find_element(By.TAG_NAME, "strong").get_property("textContent")
        assert name == f"{HOSTILE}:0"
        allowed = "span, strong, code, button, a[hidden], strong > a"
        assert chrome.find_elements(By.CSS_SELECTOR, f"#needs li :not({allowed})") == []


def test_a_filter_is_kept_in_the_address_and_a_key_leads_to_it(chrome: Chrome) -> None:
    with page(chrome, example_report(), "?filter=scheduler"):
        assert [words(each).split(" | ")[0] for each in rows(chrome)] == ["dangling"]
        field = chrome.find_element(By.ID, "filter")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.BACKSPACE)
        chrome.find_element(By.TAG_NAME, "body").click()
        chrome.find_element(By.TAG_NAME, "body").send_keys("/")
        chrome.switch_to.active_element.send_keys("mcp")
        assert [words(each).split(" | ")[0] for each in rows(chrome)] == ["mcp server"]
        assert chrome.current_url.endswith("/?filter=mcp")


def test_a_command_is_copied_by_a_click(chrome: Chrome) -> None:
    with page(chrome, example_report()):
        row = rows(chrome)[1]
        button = row.find_element(By.TAG_NAME, "button")
        button.click()
        selected = "return getSelection().toString()"
        wait_for(lambda: button.text == "Copied" or chrome.execute_script(selected), "it is copied", 60)
        if button.text != "Copied":
            assert chrome.execute_script(selected) == "tmux-exporter explain 6003"


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_no_width_needs_sideways_scrolling(chrome: Chrome, width: int) -> None:
    with page(chrome, example_report(), width=width):
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
        for row in rows(chrome):
            assert row.find_element(By.TAG_NAME, "button").size["height"] < 40
        inside = "[...document.querySelectorAll('.scroll')]"
        wider = f"return {inside}.filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert chrome.execute_script(wider) == 0
        shown = [each.text for each in chrome.find_elements(By.CSS_SELECTOR, "#agents tbody th a")]
        assert "lead" in shown


def test_many_that_wait_are_shown_by_one_more_click(chrome: Chrome) -> None:
    report = example_report()
    waiting = next(each for each in report.agents if each.state == "waiting")
    crowd = tuple(replace(waiting, agent=f"agent-{number}") for number in range(20))
    with page(chrome, replace(report, agents=crowd)):
        assert len(rows(chrome)) == 6
        chrome.find_element(By.CSS_SELECTOR, "#needs .more").click()
        assert len(rows(chrome)) == 22
        assert chrome.title == "(20) tmux_exporter"


def test_a_lost_exporter_is_said(chrome: Chrome) -> None:
    feed = FakeFeed()
    feed.publish(report=calm())
    with serving(feed, clock=ManualClock(time=calm().timestamp)) as server:
        chrome.get(f"http://127.0.0.1:{server.port}/")
        wait_for(lambda: chrome.find_element(By.ID, "first").is_displayed(), "the page is drawn", 60)
    words = "no connection to the exporter"
    wait_for(lambda: words in chrome.find_element(By.ID, "link").text, "it says so", 60)
    needed = chrome.find_element(By.ID, "needs")
    assert "They are old: who waits now is not known." in needed.text
    assert "is-calm" not in (needed.get_attribute("class") or "")
    assert chrome.title == "(?) tmux_exporter"
    chrome.get("about:blank")


def test_alerts_stand_with_what_they_are_about(chrome: Chrome) -> None:
    labels = {"server": "default", "session": "work", "priority": "P2"}
    firing = [
        {**labels, "alertname": "TmuxAgentMemoryGrowing", "agent": "lead"},
        {**labels, "alertname": "TmuxSessionMemoryGrowing", "agent": ""},
        {**labels, "alertname": "TmuxSessionNearCpuLimit", "agent": "", "priority": "P4"},
        {
            "server": "default",
            "session": "",
            "priority": "P3",
            "agent": "",
            "alertname": "TmuxSchedulerDangling",
        },
        {"server": "", "session": "", "priority": "P1", "agent": "", "alertname": "TmuxHostDiskFull"},
    ]
    answer = [{**each, "since_timestamp_seconds": 1.0} for each in firing]
    answers = "async () => ({prometheus: 'http://127.0.0.1:9', alerts: %s})"
    script = f"window.fetch = async () => ({{ok: true, json: {answers}}})"
    added = chrome.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": script % json.dumps(answer)}
    )
    try:
        with page(chrome, example_report()) as feed:
            feed.publish()
            wait_for(lambda: "P1" in chrome.find_element(By.ID, "needs").text, "alerts are shown", 60)
            told = [words(row) for row in rows(chrome)]
            assert [each.split(" | ")[0] for each in told] == [
                "P1",
                "P2",
                "waiting",
                "dangling",
                "mcp server",
            ]
            assert " | P3 fires | " in told[3]
            rows(chrome)[1].find_element(By.LINK_TEXT, "runbook").click()
            wait_for(lambda: "TmuxAgentMemoryGrowing" in chrome.page_source, "its runbook", 60)
            assert "agent=lead" in chrome.current_url
            chrome.back()
            wait_for(lambda: "P1" in chrome.find_element(By.ID, "needs").text, "alerts are shown", 60)
            assert "TmuxAgentMemoryGrowing" in told[1]
            assert told[1].endswith("tmux-exporter explain 5001")
            assert told[0].startswith("P1 | this host | ")
            assert (
                chrome.find_element(By.ID, "prometheus").get_attribute("href") == "http://127.0.0.1:9/alerts"
            )
    finally:
        chrome.execute_cdp_cmd(
            "Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]}
        )
