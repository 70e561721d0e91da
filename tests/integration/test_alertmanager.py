"""Our routes on a real Alertmanager: who is told, what keeps quiet beside something worse, how it ends."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.alerts.files import told
from tests.support.alerts.webhook import Webhook
from tests.support.wait import wait_for
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.routes import alertmanager_config

NUMBERS = thresholds.load()
LEVELS = ("emergency", "critical", "warning")
OF_A_LEVEL = ("severity", "priority", "threshold")
IN_LEVELS = sorted({name for name, level in told() if level})
Labels = frozenset[tuple[str, str]]
LABELS = {
    (str(rule["alert"]), labels.get("threshold", "")): labels
    for rule in rules.alerts(Scope(thresholds=NUMBERS))
    if isinstance(labels := rule["labels"], dict)
}


class Alertmanager:
    """A running Alertmanager with our configuration, all its waits a second."""

    def __init__(self, folder: Path, webhook: str) -> None:
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        assert program, "install prometheus-alertmanager: `make test` does it with apt"
        configuration = folder / "alertmanager.yml"
        configuration.write_text(json.dumps(alertmanager_config(NUMBERS, time_scale=0.001, webhook=webhook)))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api/v2/alerts"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={configuration}",
                    f"--storage.path={folder}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: self.process.poll() is not None or self._answers(), "Alertmanager answers", 30)
        assert self.process.poll() is None, self.log.read_text()

    def _answers(self) -> bool:
        try:
            self.states()
        except OSError:
            return False
        return True

    def post(self, *alerts: dict[str, str], ends_at: str = "2100-01-01T00:00:00Z") -> None:
        body = [{"labels": labels, "endsAt": ends_at} for labels in alerts]
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30):
            pass

    def states(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())
        return found

    def keeps_quiet(self) -> set[Labels]:
        """The labels of whatever keeps quiet."""
        return {
            frozenset(each["labels"].items())
            for each in self.states()
            if each["status"]["state"] == "suppressed"
        }

    def suppressed(self) -> set[tuple[str, ...]]:
        """Alert, priority, instance and tmux server of what keeps quiet."""
        return {
            tuple(each["labels"].get(name, "") for name in ("alertname", "priority", "instance", "server"))
            for each in self.states()
            if each["status"]["state"] == "suppressed"
        }

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    started = Webhook()
    yield started
    started.close()


@pytest.fixture
def alertmanager(tmp_path: Path, webhook: Webhook) -> Iterator[Alertmanager]:
    started = Alertmanager(tmp_path, webhook.url)
    yield started
    started.close()


def firing(name: str, instance: str, threshold: str = "", **labels: str) -> dict[str, str]:
    return {"alertname": name, "job": "tmux", "instance": instance, **LABELS[name, threshold], **labels}


def near_limit(threshold: str, **labels: str) -> dict[str, str]:
    return firing("TmuxAgentNearMemoryLimit", "a:1", threshold, session="s", **labels)


def test_who_is_told_and_who_keeps_quiet(alertmanager: Alertmanager, webhook: Webhook) -> None:
    alertmanager.post(
        # One agent at all three levels; its namesake in another server only at the mildest.
        *(near_limit(level, server="one", agent="x") for level in ("emergency", "critical", "warning")),
        near_limit("warning", server="two", agent="x"),
        # A server that hangs is why samples are partial, and no reason for anything else.
        firing("TmuxServerNotAnswering", "b:1", server="one"),
        firing("TmuxSamplesPartial", "b:1"),
        firing("TmuxSchedulerDangling", "b:1", server="one", session="s", state="dangling"),
        # An exporter that is down, with something that it had seen.
        firing("TmuxExporterDown", "c:1"),
        firing("TmuxSchedulerDangling", "c:1", server="one", session="s", state="dangling"),
        firing("TmuxExporterConfigRefused", "d:1"),
        {"alertname": "Watchdog", "severity": "none"},
        {"alertname": "DiskFull", "severity": "critical", "instance": "e:1"},
    )
    quiet = {
        ("TmuxAgentNearMemoryLimit", "P2", "a:1", "one"),
        ("TmuxAgentNearMemoryLimit", "P3", "a:1", "one"),
        ("TmuxSamplesPartial", "P3", "b:1", ""),
        ("TmuxSchedulerDangling", "P3", "c:1", "one"),
    }
    wait_for(lambda: alertmanager.suppressed() == quiet, f"these keep quiet: {quiet}")
    told = {
        ("pager", "TmuxAgentNearMemoryLimit", "a:1"),
        ("chat", "TmuxAgentNearMemoryLimit", "a:1"),
        ("pager", "TmuxServerNotAnswering", "b:1"),
        ("chat", "TmuxSchedulerDangling", "b:1"),
        ("pager", "TmuxExporterDown", "c:1"),
        ("digest", "TmuxExporterConfigRefused", "d:1"),
        ("watchdog", "Watchdog", ""),
        ("default", "DiskFull", "e:1"),
    }
    wait_for(lambda: webhook.told("firing") == told, f"told is {webhook.told('firing')}")
    agents = {
        (message["receiver"], alert["labels"]["server"], alert["labels"]["priority"])
        for message in webhook.messages
        for alert in message["alerts"]
        if "agent" in alert["labels"]
    }
    assert agents == {("pager", "one", "P1"), ("chat", "two", "P3")}

    # Once the worse one is over the milder one is told.
    alertmanager.post(
        *(near_limit(level, server="one", agent="x") for level in ("emergency", "critical")),
        ends_at="2020-01-01T00:00:00Z",
    )
    wait_for(
        lambda: ("pager", "TmuxAgentNearMemoryLimit", "a:1") in webhook.told("resolved"), "its end is told"
    )
    wait_for(
        lambda: ("TmuxAgentNearMemoryLimit", "P3", "a:1", "one") not in alertmanager.suppressed(), "over"
    )


def thing(name: str) -> dict[str, str]:
    """What an alert is about: its labels without its level, as a test of the rules has seen them."""
    labels = next(labels for (each, _), labels in sorted(told().items()) if each == name)
    return {key: value for key, value in labels.items() if key not in OF_A_LEVEL}


def alert(name: str, level: str, **changes: str) -> dict[str, str]:
    return {"alertname": name, **thing(name), **LABELS[name, level], **changes}


def told_of_an_agent(alerts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those about a session that are told of an agent in it, at the same priority or a worse one."""
    place = ("job", "instance", "server", "session")
    return [
        each
        for each in alerts
        if any(
            other["alertname"] == each["alertname"].replace("TmuxSession", "TmuxAgent")
            and other["priority"] <= each["priority"]
            and all(other.get(label) == each.get(label) for label in place)
            for other in alerts
            if each["alertname"].startswith("TmuxSession")
        )
    ]


PRECISE = (
    ("TmuxHostMemoryHigh", "NearMemoryLimit"),
    ("TmuxHostCpuHigh", "NearCpuLimit"),
    ("TmuxHostNearLimit", "NearPidLimit"),
    ("TmuxHostOomKill", "OomKilled"),
)
AGENT = ("server", "session", "agent")
OF_ONE_CAUSE = (
    *((host, f"Tmux{kind}{name}", ()) for host, name in PRECISE for kind in ("Agent", "Session")),
    ("TmuxAgentAbsent", "TmuxAgentsAllAbsent", ()),
    ("TmuxAgentWaiting", "TmuxAgentsOutOfQuota", ()),
    ("TmuxHostDiskRunsOut", "TmuxHostDiskFull", ("mountpoint",)),
    *((f"TmuxAgentFds{name}", "TmuxAgentNearFdLimit", AGENT) for name in ("Growing", "RunOut")),
    *((f"TmuxAgentMemory{name}", "TmuxAgentNearMemoryLimit", AGENT) for name in ("Growing", "RunsOut")),
    ("TmuxHistoryGrowing", "TmuxHistoryFills", ("server",)),
    ("TmuxSamplesPartial", "TmuxServerNotAnswering", ()),
    ("TmuxSamplesPartial", "TmuxExporterBlind", ()),
    ("TmuxCollectorFailing", "TmuxExporterBlind", ()),
    ("TmuxAgentManyProcesses", "TmuxAgentNearPidLimit", ("server", "session", "agent")),
    ("TmuxOperationTailSlow", "TmuxOperationSlow", ("operation",)),
)
"""What keeps quiet, beside what, and the labels that both have beside those of the exporter."""


def told_of_a_cause(alerts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those that something more precise on the same host tells."""
    return [
        each
        for each in alerts
        for symptom, cause, place in OF_ONE_CAUSE
        if each["alertname"] == symptom and "pids" in each.get("resource", "pids")
        if each.get("reason", "usage_limit") == "usage_limit"
        if any(
            other["alertname"] == cause
            and all(other.get(label) == each.get(label) for label in ("job", "instance", *place))
            for other in alerts
        )
    ]


def quiet(alerts: Iterable[Mapping[str, str]]) -> set[Labels]:
    return {frozenset(each.items()) for each in alerts}


def test_a_test_of_the_rules_tells_every_alert_at_every_level() -> None:
    assert told().keys() == LABELS.keys()
    assert len(IN_LEVELS) >= 14


def test_a_worse_level_silences_the_milder_ones_of_the_same_thing_only(alertmanager: Alertmanager) -> None:
    posted, milder, others = [], [], []
    for name in IN_LEVELS:
        levels = [level for level in LEVELS if (name, level) in told()]
        worst, *rest = [alert(name, level) for level in levels]
        posted += [worst, *rest]
        milder += rest
        # The mildest level of something else, which differs in one label.
        others += [alert(name, levels[-1], **{label: "another"}) for label in thing(name)]
    milder += [*told_of_an_agent([*posted, *others]), *told_of_a_cause([*posted, *others])]
    alertmanager.post(*posted, *others)
    wait_for(lambda: len(alertmanager.states()) == len(posted) + len(others), "all have arrived")
    wait_for(lambda: alertmanager.keeps_quiet() >= quiet(milder), "the milder ones keep quiet")
    assert sorted(map(sorted, alertmanager.keeps_quiet() - quiet(milder))) == []


def test_an_exporter_that_is_down_silences_its_own_instance_only(alertmanager: Alertmanager) -> None:
    names = told().keys() - {("Watchdog", ""), ("TmuxExporterDown", "")}
    # One level each: a worse one would keep it quiet anyway.
    worst = {
        name: level
        for level in ("warning", "critical", "emergency", "")
        for name, each in names
        if each == level
    }
    here = [alert(name, level, job="tmux", instance="down:1") for name, level in worst.items()]
    there = [alert(name, level, job="tmux", instance="up:1") for name, level in worst.items()]
    down = alert("TmuxExporterDown", "", job="tmux", instance="down:1")
    alertmanager.post(down, alert("Watchdog", ""), *here, *there)
    wait_for(lambda: len(alertmanager.states()) == len(here) + len(there) + 2, "all have arrived")
    expected = quiet([*here, *told_of_an_agent(there), *told_of_a_cause(there)])
    wait_for(lambda: alertmanager.keeps_quiet() >= expected, "all of that instance keep quiet")
    assert sorted(map(sorted, alertmanager.keeps_quiet() - expected)) == []


def test_what_belongs_together_is_told_together(alertmanager: Alertmanager, webhook: Webhook) -> None:
    agents = [near_limit("warning", server="one", agent=agent) for agent in ("x", "y")]
    alertmanager.post(*agents, near_limit("warning", server="two", agent="x"), firing("TmuxLeakOld", "a:1"))
    wait_for(lambda: len(webhook.messages) >= 3, "all is told")
    shown = {
        (
            message["receiver"],
            message["groupLabels"]["alertname"],
            message["groupLabels"].get("server", ""),
        ): {each["labels"].get("agent", "") for each in message["alerts"]}
        for message in webhook.messages
    }
    assert shown == {
        ("chat", "TmuxAgentNearMemoryLimit", "one"): {"x", "y"},
        ("chat", "TmuxAgentNearMemoryLimit", "two"): {"x"},
        ("digest", "TmuxLeakOld", ""): {""},
    }
