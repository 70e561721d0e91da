"""Who is told: Alertmanager's configuration as amtool sees it, the promised times, and the one time scale."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.alerts.files import ALERTMANAGER, run
from tests.support.alerts.promql import selected
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import PRIORITIES
from tmux_exporter.alerting.routes import DEFAULT_RECEIVER, alertmanager_config

NUMBERS = thresholds.load()
SCOPE = Scope(thresholds=NUMBERS)
ALERTS: list[dict[str, Any]] = rules.alerts(SCOPE)
GROUPS: Any = rules.rule_file(SCOPE)["groups"]
CONFIG: dict[str, Any] = alertmanager_config(NUMBERS)

# What Prometheus' own default is, and what the exporter's documents advise.
SCRAPE, EVALUATION = 15.0, 15.0


def seconds(text: str) -> float:
    """A duration as Prometheus writes it."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+)(h|ms|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text
    return sum(int(number) * units[unit] for number, unit in parts)


def test_amtool_takes_the_configuration(tmp_path: Path) -> None:
    status, output = run("amtool", "check-config", ALERTMANAGER)
    assert status == 0, output
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(json.dumps(CONFIG | {"receivers": CONFIG["receivers"][1:]}))
    assert run("amtool", "check-config", wrong)[0] == 1


def route_of(labels: dict[str, str], receiver: str) -> int:
    """amtool's exit status when these labels must lead to this receiver."""
    pairs = [f"{label}={value}" for label, value in labels.items()]
    test = ("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}")
    return run(*test, f"--verify.receivers={receiver}", *pairs)[0]


@pytest.mark.parametrize(
    "rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('threshold')}"
)
def test_each_alert_goes_to_the_receiver_of_its_priority(rule: dict[str, Any]) -> None:
    labels = rule["labels"]
    wanted = {"P1": "pager", "P2": "pager", "P3": "chat", "P4": "digest", None: "watchdog"}[
        labels.get("priority")
    ]
    assert route_of({"alertname": rule["alert"], **labels}, wanted) == 0
    assert route_of({"alertname": rule["alert"], **labels}, DEFAULT_RECEIVER) == 1


def test_what_is_not_ours_goes_to_the_default_receiver() -> None:
    assert route_of({"alertname": "NodeDown", "severity": "critical"}, DEFAULT_RECEIVER) == 0


def test_every_receiver_is_used_and_there() -> None:
    routes = CONFIG["route"]["routes"]
    used = [CONFIG["route"]["receiver"], *(route["receiver"] for route in routes)]
    assert [each["name"] for each in CONFIG["receivers"]] == list(dict.fromkeys(used))


def test_a_webhook_is_given_to_every_receiver() -> None:
    url = "http://127.0.0.1:1/"
    receivers: Any = alertmanager_config(NUMBERS, webhook=url)["receivers"]
    assert all(each["webhook_configs"] == [{"url": url, "send_resolved": True}] for each in receivers)
    assert all(each.keys() == {"name"} for each in CONFIG["receivers"])


def route(priority: str) -> dict[str, Any]:
    (found,) = [each for each in CONFIG["route"]["routes"] if each["matchers"] == [f'priority="{priority}"']]
    return dict(found)


@pytest.mark.parametrize("priority", PRIORITIES)
def test_what_is_left_of_the_promised_time_belongs_to_the_person(priority: str) -> None:
    times = route(priority)
    patience = [
        evaluated + seconds(rule["for"])
        for evaluated, rule in _evaluated()
        if rule["labels"].get("priority") == priority
    ]
    assert patience
    # A group that was just told of something else waits for group_interval instead of group_wait.
    waits = max(seconds(times["group_wait"]), seconds(times["group_interval"]))
    promised = NUMBERS.seconds(priority, "respond_within")
    assert SCRAPE + max(patience) + waits <= 0.75 * promised
    assert seconds(times["group_interval"]) <= seconds(times["repeat_interval"]) <= promised


def _evaluated() -> Iterator[tuple[float, dict[str, Any]]]:
    """Each alert, and the longest time until it is evaluated."""
    for group in GROUPS:
        for rule in group["rules"]:
            if "alert" in rule:
                yield seconds(group.get("interval", f"{EVALUATION:g}s")), rule


def test_what_pages_is_evaluated_as_often_as_prometheus_evaluates() -> None:
    """So are the milder levels of it: one that ended later than the worse one would be told of by itself."""
    paging = [rule for rule in ALERTS if rule["labels"].get("priority") in ("P1", "P2")]
    every = {rule["alert"]: evaluated for evaluated, rule in _evaluated()}
    pages = {rule["alert"] for rule in paging}
    assert every == {name: EVALUATION if name in {*pages, "Watchdog"} else 60 for name in every}
    # Nor is what it reads recorded less often; windows of service levels are hours.
    slow = [rule for group in GROUPS if "interval" in group for rule in group["rules"]]
    read = {each.name for rule in paging for each in selected(rule["expr"])}
    found = read & {rule.get("record") for rule in slow}
    assert {name for name in found if not name.startswith("instance:tmux_slo_")} == set()
