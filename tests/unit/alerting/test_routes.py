"""Who is told: Alertmanager's configuration as amtool sees it, the promised times, and the one time scale."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.alerts.files import ALERTMANAGER, run
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope, duration
from tmux_exporter.alerting.base.thresholds import PRIORITIES, Thresholds
from tmux_exporter.alerting.routes import DEFAULT_RECEIVER, alertmanager_config

NUMBERS = thresholds.load()
SCOPE = Scope(thresholds=NUMBERS)
ALERTS: list[dict[str, Any]] = rules.alerts(SCOPE)
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
    patience = [seconds(rule["for"]) for rule in ALERTS if rule["labels"].get("priority") == priority]
    assert patience
    # A group that was just told of something else waits for group_interval instead of group_wait.
    waits = max(seconds(times["group_wait"]), seconds(times["group_interval"]))
    promised = NUMBERS.seconds(priority, "respond_within")
    assert SCRAPE + EVALUATION + max(patience) + waits <= 0.75 * promised
    assert seconds(times["group_interval"]) <= seconds(times["repeat_interval"]) <= promised


def test_the_promised_times_are_those_of_the_service_level() -> None:
    promised = {priority: NUMBERS.text(priority, "respond_within") for priority in PRIORITIES}
    assert promised == {"P1": "5m", "P2": "15m", "P3": "1h", "P4": "24h"}


# One time scale.


def durations(data: Any, path: str = "") -> dict[str, float]:
    """Every duration in rules or routes, by its place."""
    found: dict[str, float] = {}
    if isinstance(data, list):
        for place, each in enumerate(data):
            found |= durations(each, f"{path}/{place}")
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in ("for", "interval", "group_wait", "group_interval", "repeat_interval"):
                found[f"{path}/{key}"] = seconds(value)
            elif key == "expr":
                for place, each in enumerate(re.findall(r"(?:\[| offset )(\w+)", value)):
                    found[f"{path}/{key}[{place}]"] = seconds(each)
            else:
                found |= durations(value, f"{path}/{key}")
    return found


_DURATION = re.compile(
    r'(?:(?<=[\["])|(?<=offset )|(?<= for )|(?<=within )|(?<=last ))(\d+(h|ms|m|s))+(?!\.?\w)'
)


def without_durations(data: Any) -> str:
    return _DURATION.sub("…", json.dumps(data))


@pytest.mark.parametrize("factor", [1.0, 0.5, 1 / 60, 0.001, 2.0])
def test_all_durations_are_scaled_by_one_factor_and_nothing_else_is(factor: float) -> None:
    scaled = Scope(thresholds=NUMBERS, time_scale=factor)
    for usual, made in (
        (rules.rule_file(SCOPE), rules.rule_file(scaled)),
        (CONFIG, alertmanager_config(NUMBERS, time_scale=factor)),
    ):
        wanted = {
            place: max(1.0, value * factor) if value else 0.0 for place, value in durations(usual).items()
        }
        assert durations(made) == pytest.approx(wanted, abs=0.0005)
        assert len(wanted) > 10
        assert without_durations(made) == without_durations(usual)


def test_durations_are_written_as_prometheus_does() -> None:
    texts = {0: "0s", 0.25: "1s", 1.0: "1s", 1.5: "1s500ms", 90: "1m30s", 86_400: "24h", 3661: "1h1m1s"}
    assert {value: duration(value) for value in texts} == texts


def test_scaled_rules_and_routes_are_still_understood(tmp_path: Path) -> None:
    for name, content in (
        ("rules", rules.rule_file(Scope(thresholds=NUMBERS, time_scale=0.013))),
        ("routes", alertmanager_config(NUMBERS, time_scale=0.013)),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    assert run("promtool", "check", "rules", tmp_path / "rules")[0] == 0
    assert run("amtool", "check-config", tmp_path / "routes")[0] == 0


def test_each_number_of_a_route_is_in_the_configuration() -> None:
    keys = ("receiver", "group_wait", "group_interval", "repeat_interval")
    for table in (*PRIORITIES, "watchdog"):
        for key in keys:
            tables = {name: dict(values) for name, values in NUMBERS.tables.items()}
            tables[table][key] = "somebody" if key == "receiver" else "7h"
            assert alertmanager_config(Thresholds(tables=tables)) != CONFIG, f"[{table}] {key}"
