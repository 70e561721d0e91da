"""What is written to people, and the shapes in which the rules are shipped for other programs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alerts.files import ALERTS, run, shipped
from tmux_exporter.alerting.receivers import SERVICES, example_receivers
from tmux_exporter.alerting.routes import TEMPLATES
from tmux_exporter.base.errors import UsageError
from tmux_exporter.commands.export import alertmanager

MESSAGES = ALERTS / "alertmanager" / "tmux.tmpl"
RECEIVERS = ALERTS / "alertmanager" / "receivers.example.yml"
LABELS = {
    "alertname": "TmuxAgentNearMemoryLimit", "job": "tmux", "instance": "a:1", "server": "default",
    "session": "web shop", "agent": "lead", "severity": "critical", "priority": "P1",
    "threshold": "emergency",
}  # fmt: skip
NOTES = {
    "description": "Agent lead uses 95.1% of the memory that it may use.",
    "runbook_url": "https://wiki.example.org/TmuxAgentNearMemoryLimit.md",
    "summary": "An agent is near its memory limit.",
    "value": "95.1% (bound: more than 95% for 1m)",
    "culprits": "lead 1.5GiB, tests 12MiB",
    "command": "tmux-exporter explain agent:lead",
    "resolved": "It is below its bound again.",
}
TIMES = {"startsAt": "2026-12-01T03:12:00+01:00", "endsAt": "2026-12-01T02:20:30Z"}


def rendered(
    tmp_path: Path,
    template: str,
    *alerts: dict[str, Any],
    boards: str | None = "http://grafana.example.org",
    status: str = "firing",
) -> str:
    """What amtool makes of a template."""
    messages = tmp_path / MESSAGES.name
    messages.write_text(alertmanager(boards=boards, webhook=None)[MESSAGES.name])
    data = tmp_path / "data.json"
    data.write_text(
        json.dumps(
            {
                "receiver": "pager",
                "status": status,
                "alerts": list(alerts),
                "groupLabels": {},
                "commonLabels": alerts[0]["labels"],
                "commonAnnotations": alerts[0]["annotations"],
                "externalURL": "http://127.0.0.1:9093",
            }
        )
    )
    code, output = run(
        *("amtool", "template", "render", f"--template.glob={messages}"),
        *(f"--template.data={data}", f'--template.text={{{{ template "{template}" . }}}}'),
    )
    assert code == 0, output
    return output.strip()


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    return {"status": status, "labels": LABELS | labels, "annotations": NOTES, **TIMES}


def test_a_title_says_how_urgent_what_whom_and_where(tmp_path: Path) -> None:
    assert rendered(tmp_path, "tmux.title", alert()) == (
        "[P1] An agent is near its memory limit: web shop/lead on a:1"
    )
    assert rendered(tmp_path, "tmux.title", alert(host="dev1"), status="resolved") == (
        "[P1 over] An agent is near its memory limit: web shop/lead on dev1"
    )


def test_a_message_says_what_it_is_since_when_by_whom_and_what_to_type(tmp_path: Path) -> None:
    assert rendered(tmp_path, "tmux.text", alert()).splitlines() == [
        "Agent lead uses 95.1% of the memory that it may use.",
        "Value: 95.1% (bound: more than 95% for 1m)",
        "Since: 02:12 UTC, 1 Dec",
        "Most: lead 1.5GiB, tests 12MiB",
        "First, on a:1:",
        "  tmux-exporter explain agent:lead",
        "Board: http://grafana.example.org/d/tmux-agent?from=1796087520000&to=now&var-job=tmux"
        "&var-instance=a%3A1&var-server=default&var-session=web+shop&var-agent=lead",
        "Runbook: https://wiki.example.org/TmuxAgentNearMemoryLimit.md",
    ]


def test_what_is_over_says_what_it_is_now(tmp_path: Path) -> None:
    text = rendered(tmp_path, "tmux.text", alert("resolved"), status="resolved", boards=None)
    assert text.splitlines() == [
        "Now: It is below its bound again.",
        "Over: 02:12 to 02:20 UTC, 1 Dec",
        "It was: Agent lead uses 95.1% of the memory that it may use.",
        "Last: 95.1% (bound: more than 95% for 1m)",
        "Runbook: https://wiki.example.org/TmuxAgentNearMemoryLimit.md",
    ]
    assert "&to=1796092230000&" in rendered(tmp_path, "tmux.text", alert("resolved"))


def test_without_a_grafana_there_is_no_link_to_one(tmp_path: Path) -> None:
    text = rendered(tmp_path, "tmux.text", alert(), boards=None)
    assert "Board" not in text and "agent:lead\nRunbook: " in text


def test_several_alerts_and_their_ends_are_told(tmp_path: Path) -> None:
    assert rendered(tmp_path, "tmux.title", alert(), alert(agent="tests")).endswith(" (2)")
    text = rendered(tmp_path, "tmux.text", alert(), alert("resolved", agent="tests"))
    assert text.count("It was: Agent") == 1


@pytest.mark.parametrize(
    ("gone", "board"),
    [
        ((), "agent"),
        (("agent",), "session"),
        (("agent", "session"), "servers"),
        (("agent", "session", "server"), "fleet"),
    ],
)
def test_the_board_is_that_of_the_narrowest_thing(tmp_path: Path, gone: tuple[str, ...], board: str) -> None:
    labels = {name: value for name, value in LABELS.items() if name not in gone}
    text = rendered(tmp_path, "tmux.text", alert() | {"labels": labels})
    assert f"/d/tmux-{board}?" in text
    boards = [
        json.loads(path.read_text())["uid"] for path in (ALERTS.parent / "dashboards/json").glob("*.json")
    ]
    assert f"tmux-{board}" in boards


def test_amtool_takes_the_example_with_its_messages(tmp_path: Path) -> None:
    copy = tmp_path / "alertmanager.yml"
    copy.write_text(RECEIVERS.read_text().replace(TEMPLATES, str(MESSAGES)))
    status, output = run("amtool", "check-config", copy)
    assert status == 0, output
    copy.write_text(copy.read_text().replace("api_url_file", "api_url_in_a_file"))
    assert run("amtool", "check-config", copy)[0] == 1


def test_no_secret_stands_in_the_example() -> None:
    words = re.findall(r"\b\w*(?:key|password|api_url|credentials|token)\w*(?=:)", RECEIVERS.read_text())
    assert words
    assert all(word.endswith("_file") for word in words)
    assert set(example_receivers()) == {"pager", "chat", "digest", "watchdog"}


@pytest.mark.parametrize("service", SERVICES)
def test_amtool_takes_each_service_with_nights_and_a_dead_mans_switch(tmp_path: Path, service: str) -> None:
    made = alertmanager(
        services=dict.fromkeys(("pager", "chat", "digest"), service),
        watchdog_url="https://hc-ping.com/me",
        nights="22:00-07:00",
        time_zone="Europe/Berlin",
    )
    for name in ("alertmanager.yml", MESSAGES.name):
        (tmp_path / name).write_text(made[name])
    status, output = run("amtool", "check-config", tmp_path / "alertmanager.yml")
    assert status == 0, output
    content = yaml.safe_load(made["alertmanager.yml"])
    receivers = {each.pop("name"): each for each in content["receivers"]}
    assert receivers["pager"] == receivers["digest"] == SERVICES[service]
    assert receivers["watchdog"]["webhook_configs"][0]["url"] == "https://hc-ping.com/me"
    muted = [route["matchers"] for route in content["route"]["routes"] if "mute_time_intervals" in route]
    assert muted == [['priority="P3"'], ['priority="P4"']]
    (interval,) = content["time_intervals"]
    assert [each["start_time"] for each in interval["time_intervals"][0]["times"]] == ["22:00", "00:00"]
    (alone,) = yaml.safe_load(made[f"receivers/{service}.yml"])["receivers"]
    assert alone == {"name": "pager"} | SERVICES[service]


@pytest.mark.parametrize("nights", ["22-7", "25:00-07:00", "07:00-07:00"])
def test_what_is_no_night_is_refused(nights: str) -> None:
    with pytest.raises(UsageError, match="--nights"):
        alertmanager(nights=nights)
    with pytest.raises(UsageError, match="--time-zone"):
        alertmanager(nights="22:00-07:00", time_zone="Mars/Base")


def test_other_programs_get_the_same_groups() -> None:
    manifest = yaml.safe_load((ALERTS / "other" / "prometheusrule.yml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    mimir = yaml.safe_load((ALERTS / "other" / "mimir.yml").read_text())
    assert mimir.pop("namespace") == "tmux_exporter"
    assert manifest["spec"] == mimir == shipped()
    for imported in re.findall(r"import(?:str)? '(.+?)'", (ALERTS / "mixin.libsonnet").read_text()):
        assert (ALERTS / imported).is_file(), imported
