"""The live page in a real browser: what is opened, the last hour, keys, notifications, barriers, a crowd."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.literals.report import HOSTILE, NOW, UP, example_report, large_report
from tests.support.wait import wait_for
from tests.support.web.browser import calm, page, rows
from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.detail import Wanted

pytestmark = pytest.mark.long

LEAD = "#/agent/default/work/lead"


def detail(chrome: Chrome) -> WebElement:
    return wait_for(
        lambda: next((e for e in chrome.find_elements(By.ID, "detail") if e.is_displayed()), None),
        "the pane is open",
        60,
    )


def is_closed(chrome: Chrome) -> bool:
    return not chrome.find_element(By.ID, "detail").is_displayed()


def press(chrome: Chrome, *keys: str) -> None:
    for key in keys:
        chrome.switch_to.active_element.send_keys(key)


def focused(chrome: Chrome) -> str | None:
    return chrome.switch_to.active_element.get_attribute("href")


def test_a_click_opens_what_a_row_is_about_and_escape_leads_back(chrome: Chrome) -> None:
    with page(chrome, example_report()) as feed:
        chrome.find_element(By.CSS_SELECTOR, f"a[href='{LEAD}']").click()
        pane = detail(chrome)
        assert chrome.current_url.endswith(LEAD)
        wait_for(lambda: "python3" in pane.text, "its processes are there", 60)
        for said in (
            "claude",
            "reported by its own file",
            "Not decisive",
            "started below it",
            "Left by its session",
        ):
            assert said in pane.text
        depths = [
            (each.text, each.get_attribute("class"))
            for each in pane.find_elements(By.CSS_SELECTOR, "tbody th")
        ]
        assert depths == [
            ("node", "depth-0"),
            ("node", "depth-1"),
            ("python3", "depth-2"),
            ("vite", "depth-0"),
        ]
        assert feed.wanted[-1] == Wanted(server="default", session="work", agent="lead")
        press(chrome, Keys.ESCAPE)
        assert is_closed(chrome)
        assert "#" not in chrome.current_url
        assert str(focused(chrome)).endswith(LEAD)
        chrome.back()
        detail(chrome)


def test_everything_has_an_address(chrome: Chrome) -> None:
    places = {
        LEAD: "lead",
        "#/session/default/work": "work",
        "#/pane/default/%250": "%0",
        "#/server/default": "default",
        "#/scheduler/6003": "process 6003",
        "#/leak/7001": "process 7001",
    }
    with page(chrome, example_report()):
        for place, name in places.items():
            chrome.execute_script("location.hash = arguments[0]", place)
            title = (By.XPATH, f"//aside//h2[text()='{name}']")
            wait_for(partial(chrome.find_elements, *title), place, 60)
        chrome.execute_script("location.hash = '#/agent/default/work/no-such'")
        wait_for(lambda: "not there any more" in detail(chrome).text, "it says so", 60)
        chrome.execute_script("location.hash = '#/agent/%E0%A4%A'")
        wait_for(lambda: "not there any more" in detail(chrome).text, "a broken address harms nothing", 60)


def test_an_open_pane_follows_the_reports(chrome: Chrome) -> None:
    report = example_report()
    with page(chrome, report, LEAD) as feed:
        assert "working" in detail(chrome).text
        changed = tuple(
            replace(each, state=AgentState.IDLE) if each.agent == "lead" else each for each in report.agents
        )
        feed.publish(report=replace(report, agents=changed, timestamp=NOW + 5))
        wait_for(lambda: "idle" in detail(chrome).text, "it follows", 60)
        feed.publish(report=replace(report, agents=(), timestamp=NOW + 10))
        wait_for(lambda: "not there any more" in detail(chrome).text, "it tells that it has gone", 60)


def test_hostile_names_open_as_well(chrome: Chrome) -> None:
    with page(chrome, example_report()):
        rows(chrome)[0].find_element(By.TAG_NAME, "a").click()
        pane = detail(chrome)
        assert pane.find_element(By.TAG_NAME, "h2").get_property("textContent") == f"{HOSTILE}:0"
        assert chrome.find_elements(By.CSS_SELECTOR, "#detail script, #detail img") == []


def test_keys_lead_through_the_page(chrome: Chrome) -> None:
    with page(chrome, example_report()):
        press(chrome, "j")
        first = focused(chrome)
        assert "/agent/" in str(first)
        press(chrome, "j")
        assert str(focused(chrome)).endswith("#/scheduler/6003")
        press(chrome, "k")
        assert focused(chrome) == first
        press(chrome, Keys.ENTER)
        detail(chrome)
        press(chrome, Keys.ESCAPE)
        assert is_closed(chrome)
        press(chrome, "?")
        assert "copy its command" in chrome.find_element(By.ID, "help").text
        press(chrome, Keys.ESCAPE)
        wait_for(lambda: not chrome.find_element(By.ID, "help").is_displayed(), "it closes", 60)
        chrome.find_element(By.CSS_SELECTOR, "#agents thead button").click()
        order = [each.text for each in chrome.find_elements(By.CSS_SELECTOR, "#agents tbody th a")]
        assert order == sorted(order)


def test_the_last_hour_is_drawn_and_goes_on(chrome: Chrome) -> None:
    report = example_report()
    feed_past = [
        replace(
            report,
            timestamp=NOW - 15 * (10 - point),
            agents=tuple(
                replace(
                    each, usage=replace(each.usage, cpu_seconds_total=each.usage.cpu_seconds_total + point)
                )
                for each in report.agents
            ),
        )
        for point in range(10)
    ]
    with page(chrome, report) as feed:
        for each in feed_past:
            feed.past.take(each)
        chrome.refresh()
        drawn = "return document.querySelector('#agents .line:not([hidden]) path')?.getAttribute('d') ?? ''"
        wait_for(lambda: len(chrome.execute_script(drawn)) > 20, "lines are drawn", 60)
        chrome.execute_script("location.hash = arguments[0]", LEAD)
        pane = detail(chrome)
        wait_for(lambda: "CPU: now" in pane.text and "at most 6.7 %" in pane.text, "what CPU it used", 60)
        assert pane.find_elements(By.CSS_SELECTOR, ".states rect") != []
        later = replace(feed_past[-1], timestamp=NOW + 15)
        feed.publish(report=later)
        wait_for(lambda: "the last 2 min" in pane.text, "it goes on", 60)


def test_a_notification_says_who_begins_to_wait(chrome: Chrome) -> None:
    told = "window.Notification = class { constructor(title, more) { window.told = [title, more.body]; }"
    script = f"{told} addEventListener() {{}} static permission = 'granted';"
    script += " static requestPermission() { return Promise.resolve('granted'); } }"
    added = chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        with page(chrome, calm()) as feed:
            button = chrome.find_element(By.ID, "notify")
            assert button.get_attribute("aria-pressed") == "false"
            button.click()
            wait_for(lambda: button.get_attribute("aria-pressed") == "true", "it is on", 60)
            report = calm()
            waits = tuple(
                replace(each, state=AgentState.WAITING, waiting_reason=WaitingReason.PERMISSION)
                for each in report.agents
            )
            feed.publish(report=replace(report, agents=waits, timestamp=NOW + 5))
            wait_for(lambda: chrome.execute_script("return window.told"), "it tells", 60)
            assert chrome.execute_script("return window.told") == ["lead waits", "for a permission, in work"]
            button.click()
            assert button.get_attribute("aria-pressed") == "false"
    finally:
        chrome.execute_cdp_cmd(
            "Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]}
        )


AXE = Path(".venv/axe/node_modules/axe-core/axe.min.js")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_fault(chrome: Chrome, width: int, scheme: str) -> None:
    assert AXE.exists(), "axe-core is missing: deploy/setup check"
    chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    report = replace(example_report(), timestamp=time.time())
    for place in ("", LEAD, "#/session/default/work"):
        with page(chrome, report, place, width):
            if place:
                wait_for(lambda: "python3" in detail(chrome).text, "the pane is whole", 60)
            chrome.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
            found = chrome.execute_async_script(
                "axe.run().then((all) => arguments[0](all.violations.filter("
                "({impact}) => impact === 'serious' || impact === 'critical').map("
                "({id, nodes}) => [id, ...nodes.slice(0, 3).map((each) => each.html)])))"
            )
            assert found == [], place


def test_a_crowd_is_drawn_at_once(chrome: Chrome) -> None:
    """150 agents and 40 servers; in CPU time of the page's own thread: this machine may be busy."""
    report = replace(large_report(150), timestamp=time.time())
    servers = tuple(replace(UP, server=f"server-{number}") for number in range(40))
    chrome.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    with page(chrome, replace(report, servers=(*report.servers, *servers))):
        told = chrome.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        figures = {each["name"]: each["value"] for each in told}
        assert len(chrome.find_elements(By.CSS_SELECTOR, "#agents tbody tr")) == 150
        assert len(chrome.find_elements(By.CSS_SELECTOR, "#servers tbody tr")) == 41
        print(figures)
        assert figures["TaskDuration"] < 2.0, figures
