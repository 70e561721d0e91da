"""An exporter, Prometheus and Alertmanager with our rules and routes behind it, and somebody who is told."""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.alerts.webhook import Webhook
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.scenes.main_job import address_of, program
from tests.support.wait import wait_for
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.commands.up_children import prometheus

AGENT = """\
import sys, time
kept = []
while True:
    with open(sys.argv[1]) as file:
        wanted = int(file.read() or 0)
    while len(kept) < wanted:
        kept.append(b"x" * 2**20)
    del kept[wanted:]
    time.sleep(0.2)
"""
"""An agent that holds as many MiB as its file says."""


class Watched:
    """All of it. `scale` is that of rules and routes, `interval` that of scrapes and evaluations."""

    def __init__(self, home: Path, scale: float, interval: float, configuration: str) -> None:
        self.home, self.scale, self.interval = home, scale, interval
        (home / "exporter.yml").write_text(configuration)
        self.port = prometheus.free_port(0)
        self.webhook = Webhook()
        self.exporter = self._start_exporter()
        self.children: list[prometheus.Child] = []
        rules, routes = prometheus.write_alerts(home, scale)
        told = alertmanager_config(thresholds.load(), time_scale=scale, webhook=self.webhook.url)
        routes.write_text(prometheus.as_json(told))
        self.alertmanager = prometheus.start_alertmanager(program("alertmanager"), home, routes)
        self.children.append(self.alertmanager)
        target, alertmanager = f"127.0.0.1:{self.port}", address_of(self.alertmanager.url)
        settings = prometheus.prometheus_config(target, alertmanager, interval, (rules,))
        self.prometheus = prometheus.start_prometheus(program("prometheus"), home, settings)
        self.children.append(self.prometheus)
        for child in self.children:
            wait_for(partial(prometheus.fetch, f"{child.url}/-/ready"), f"{child.name} is ready", 60)
        wait_for(lambda: query(self.prometheus.url, "up == 1"), "the exporter is scraped", 90)

    def _start_exporter(self) -> Exporter:
        sampling = f"{min(5.0, self.interval / 2):g}s"
        arguments = ("--config", str(self.home / "exporter.yml"), "--sampling.interval", sampling)
        listen = ("--web.listen-address", f"127.0.0.1:{self.port}")
        # As it is installed: people look for it by its name.
        program = (str(Path(sys.executable).with_name("tmux-exporter")),)
        return Exporter(self.home, self.home, *arguments, *listen, program=program)

    def kill_exporter(self) -> None:
        """As the kernel would, for memory."""
        self.exporter.process.kill()
        self.exporter.process.wait(10)

    def restart_exporter(self) -> None:
        """Start it again where it was."""
        self.exporter = self._start_exporter()

    def told(self, name: str, status: str = "firing", **labels: str) -> list[tuple[str, dict[str, Any]]]:
        """Every time that an alert with these labels was told so: the receiver, and the alert as it was."""
        return [
            (message["receiver"], alert)
            for message in list(self.webhook.messages)
            for alert in message["alerts"]
            if alert["status"] == status and alert["labels"].items() >= {"alertname": name, **labels}.items()
        ]

    def wait_until_told(self, patience: float, name: str, status: str = "firing", **labels: str) -> float:
        """Wait until it is told; how many seconds that took."""
        began = time.monotonic()
        try:
            wait_for(lambda: self.told(name, status, **labels), "", patience)
        except AssertionError:
            shown = [each["labels"] for _, each in self.told("", status)] or self.states()
            raise AssertionError(f"{name} {labels} was not told as {status}: {shown}") from None
        return time.monotonic() - began

    def states(self) -> set[tuple[str, str, str]]:
        """Alert, priority and state of everything that Alertmanager has."""
        body = prometheus.fetch(f"{self.alertmanager.url}/api/v2/alerts") or b"[]"
        return {
            (each["labels"]["alertname"], each["labels"].get("priority", ""), each["status"]["state"])
            for each in json.loads(body)
        }

    def close(self) -> None:
        """End everything."""
        prometheus.stop(self.children)
        self.exporter.end()
        self.webhook.close()


def agent_command(folder: Path, name: str = "claude") -> tuple[str, Path]:
    """What a pane runs to be an agent, and the file that says how much it holds."""
    script, wanted = folder / name, folder / "mebibytes"
    script.write_text(AGENT)
    wanted.write_text("0")
    return f"exec {sys.executable} -SP {script} {wanted}", wanted


def timed(work: Callable[[], float], what: str) -> float:
    """Do it, and say how long it took, for whoever wants to know (`pytest -s`)."""
    took = work()
    os.write(1, f"{what}: {took:.1f} s\n".encode())
    return took
