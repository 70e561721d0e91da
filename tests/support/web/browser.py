"""The live page in a real browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.clock import ManualClock
from tests.support.literals.detail import DETAIL
from tests.support.literals.report import NOW, UP, example_report
from tests.support.wait import wait_for
from tests.support.web.http import FakeFeed, serving
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.report_json import render_detail


def _program(*names: str) -> str:
    found = [path for name in names if (path := shutil.which(name))]
    assert found, f"{' or '.join(names)} is missing: deploy/setup check"
    return found[0]


def start_chrome(home: Path) -> Chrome:
    """A browser without a window; its profile is in this folder."""
    options = ChromeOptions()
    options.binary_location = _program("chromium")
    for each in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        f"user-data-dir={home}",
    ):
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Service(_program("chromedriver")))


@contextmanager
def page(chrome: Chrome, report: Report, query: str = "", width: int = 1280) -> Iterator[FakeFeed]:
    """The page of one report, drawn; the browser must not have complained in the end."""
    feed = FakeFeed()
    feed.publish(report=report)
    feed.detail_of_all = render_detail(DETAIL, NOW)
    # A minute early: a slow test does not make the report a stale one.
    with serving(feed, clock=ManualClock(time=report.timestamp - 60)) as server:
        chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        chrome.get(f"http://127.0.0.1:{server.port}/{query}")
        wait_for(lambda: chrome.find_element(By.ID, "first").is_displayed(), "the page is drawn", 60)
        yield feed
        complaints = [each["message"] for each in chrome.get_log("browser")]  # type: ignore[no-untyped-call]
        assert [each for each in complaints if not each.startswith("chrome://")] == []
        # Its stream of events would keep the server.
        chrome.get("about:blank")


def rows(chrome: Chrome) -> list[WebElement]:
    """What needs somebody."""
    return chrome.find_elements(By.CSS_SELECTOR, "#needs li")


def words(row: WebElement) -> str:
    """What stands in a row, but for its button."""
    parts = (".pill", "strong", ".note", ".what", "code")
    return " | ".join(row.find_element(By.CSS_SELECTOR, each).text for each in parts)


def calm() -> Report:
    """A fleet in which nobody is needed."""
    report = example_report()
    working = tuple(each for each in report.agents if each.session == "work" and each.up)
    return replace(report, complete=True, servers=(UP,), agents=working, schedulers=(), leaks=())
