"""Two Alertmanagers that know each other: one message of each alert, and none is lost where one ends."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from tests.support.alerts.webhook import Webhook
from tests.support.scenes.main_job import program
from tests.support.wait import wait_for
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.commands.up_children import prometheus

SCALE = 1 / 20
TIMEOUT = "2s"
NAMES = ("TmuxExporterDown", "TmuxServerNotAnswering", "TmuxSchedulerMisdirected")
"""What is told while both live. The last one may be told twice where its teller ends at that moment."""


class Peer:
    """One of two."""

    def __init__(self, folder: Path, configuration: Path, cluster: int, other: int) -> None:
        self.url = f"http://127.0.0.1:{prometheus.free_port(0)}"
        self.words = (
            program("alertmanager"), f"--config.file={configuration}", f"--storage.path={folder}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            f"--cluster.listen-address=127.0.0.1:{cluster}", f"--cluster.peer=127.0.0.1:{other}",
            "--cluster.settle-timeout=2s", f"--cluster.peer-timeout={TIMEOUT}",
            "--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s",
        )  # fmt: skip
        self.process = Popen(self.words, stdout=DEVNULL, stderr=DEVNULL)

    def peers(self) -> int:
        body = prometheus.fetch(f"{self.url}/api/v2/status")
        return len(json.loads(body)["cluster"].get("peers", ())) if body else 0

    def post(self, name: str) -> None:
        labels = {"alertname": name, "priority": "P1", "job": "tmux", "instance": f"{name}:1"}
        body = json.dumps([{"labels": labels, "endsAt": "2100-01-01T00:00:00Z"}]).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30):
            pass

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with closing(Webhook()) as started:
        yield started


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("killed", [0, 1])
def test_each_alert_is_told_once_and_none_is_lost_where_one_ends(
    tmp_path: Path, webhook: Webhook, killed: int
) -> None:
    configuration = tmp_path / "alertmanager.yml"
    routes = alertmanager_config(thresholds.load(), time_scale=SCALE, webhook=webhook.url)
    # Within this test nothing is told again.
    for route in routes["route"]["routes"]:  # type: ignore[index]
        route["repeat_interval"] = "1h"
    configuration.write_text(prometheus.as_json(routes))
    ports = [prometheus.free_port(0), prometheus.free_port(0)]
    with ExitStack() as ending:
        pair = [
            Peer(tmp_path / f"data{each}", configuration, ports[each], ports[1 - each]) for each in (0, 1)
        ]
        for peer in pair:
            ending.callback(peer.kill)
        wait_for(lambda: [peer.peers() for peer in pair] == [2, 2], "they know each other", 60)

        def told(name: str) -> int:
            return sum(
                alert["labels"]["alertname"] == name
                for message in list(webhook.messages)
                for alert in message["alerts"]
            )

        # When one is told, both know of those before it: whoever was to tell them again has done so.
        for name in NAMES:
            for peer in pair:
                peer.post(name)
            wait_for(partial(told, name), f"{name} is told", 60)
        assert [told(name) for name in NAMES[:-1]] == [1] * len(NAMES[:-1])

        pair[killed].kill()
        left = pair[1 - killed]
        left.post("TmuxAgentAbsent")
        wait_for(partial(told, "TmuxAgentAbsent"), "what comes then is told", 60)
        assert told("TmuxAgentAbsent") == 1
        assert [told(name) for name in NAMES[:-1]] == [1] * len(NAMES[:-1])
