"""What the main job needs, all of it real: servers, processes, and the programs that watch them."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.alerts.webhook import Webhook
from tests.support.processes.started import is_gone
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.remediator.decoys import DECOYS, make_files
from tests.support.remediator.remediation import FLEET, OTHER, Fleet
from tests.support.wait import wait_for
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.base.paths import REMEDIATOR_AUDIT
from tmux_exporter.commands.up_children import prometheus as stack

TIME_SCALE = 1 / 300
"""For rules, routes and policy: five minutes are a second."""

CHECK_IN = (
    "sleep 20000 && tmux send-keys -t frontend:0 'Time for orchestrator check! cat note.txt && python3 "
    "claude_control.py status detailed' && sleep 1 && tmux send-keys -t frontend:0 Enter"
)
"""What Tmux-Orchestrator's schedule_with_note.sh runs, word for word but for paths and the time."""

REMEDIATOR = "tmux_exporter.cli.remediator"
FENCED = "tests.support.remediator.fenced"

Started = tuple[int, str]
"""A process: its pid and its start time."""


def started(pid: int) -> Started:
    """A living process."""
    return pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def processes_of(base: Path) -> dict[int, Started]:
    """Every living process that has this TMUX_TMPDIR: all that the test has started."""
    mark = f"TMUX_TMPDIR={base}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = started(int(folder.name))
        except OSError:
            continue
    return {pid: each for pid, each in found.items() if not is_gone(pid)}


class MainJob:
    """One fleet and the whole house around it; `alone` says that nothing else can be seen or signalled."""

    def __init__(self, base: Path, sockets: Path, home: Path, *, alone: bool) -> None:
        self.base, self.home, self.alone = base, home, alone
        self.fleet = Fleet(base, sockets, home / "fleet")
        make_files(base)
        self.fleet.tmux("new-session", "-d", "-s", "frontend", "cat")
        self.fleet.tmux("new-session", "-d", "-s", "frontend", "cat", server=OTHER)
        self.fleet.tmux("new-session", "-d", "-s", "orchestrator", "bash --norc --noprofile")
        self.webhook = Webhook()
        self.exporter = Exporter(home, home)
        self._children: list[stack.Child] = []
        self._remediators: list[subprocess.Popen[bytes]] = []

    # What runs in tmux.

    def type_check_in(self) -> tuple[int, int]:
        """Type what starts a scheduler into the orchestrator's pane; its shell and its sleep."""
        background = f'nohup bash -c "{CHECK_IN}" >/dev/null 2>&1 &'
        line = f"PATH={self.base}/bin:$PATH {background} echo $! >{self.base}/check-in.pid"
        self.fleet.tmux("send-keys", "-t", "orchestrator:0", "-l", line)
        self.fleet.tmux("send-keys", "-t", "orchestrator:0", "Enter")
        shell = self.fleet.scene.pid("check-in.pid")
        return shell, self.fleet.sleep_of(shell)

    def start_decoys(self) -> dict[str, tuple[Started, ...]]:
        """All of them; the processes of each."""
        shells = {
            name: self.fleet.schedule(decoy.command, name, server=decoy.server)
            for name, decoy in DECOYS.items()
        }
        return {
            name: tuple(
                map(started, (shell, self.fleet.sleep_of(shell)) if DECOYS[name].has_sleep else (shell,))
            )
            for name, shell in shells.items()
        }

    # The programs beside it.

    def start_monitoring(self) -> None:
        """Alertmanager and Prometheus with our configuration, told to a webhook of the test."""
        rules, routes = stack.write_alerts(self.home, TIME_SCALE)
        told = alertmanager_config(thresholds.load(), time_scale=TIME_SCALE, webhook=self.webhook.url)
        routes.write_text(stack.as_json(told))
        alertmanager = stack.start_alertmanager(program("alertmanager"), self.home, routes)
        self._children.append(alertmanager)
        prometheus = stack.start_prometheus(
            program("prometheus"),
            self.home,
            stack.prometheus_config(
                address_of(self.exporter.url), address_of(alertmanager.url), 1.0, (rules,)
            ),
        )
        self._children.append(prometheus)
        for child in self._children:
            wait_for(partial(stack.fetch, f"{child.url}/-/ready"), f"{child.name} is ready", 30)

    def start_remediator(self, *flags: str) -> subprocess.Popen[bytes]:
        """`tmux-remediator run` as a process of its own; it and the exporter share their folders."""
        scope = () if self.alone else ("--server", FLEET, "--server", OTHER)
        command = (sys.executable, "-m", REMEDIATOR if self.alone else FENCED, "run", "--interval", "500ms")
        more = ("--time-scale", f"{TIME_SCALE:.6f}", "--log.format", "json")
        with self._log(len(self._remediators)).open("wb") as log:
            process = subprocess.Popen((*command, *more, *scope, *flags), stderr=log, env=self.environ)
        self._remediators.append(process)
        return process

    def stop_remediator(self) -> int:
        """End the last one as a service manager would; its exit status."""
        process = self._remediators[-1]
        process.terminate()
        return process.wait(60)

    def decisions(self) -> list[dict[str, Any]]:
        """What the last remediator has logged."""
        lines = self._log(len(self._remediators) - 1).read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def audit(self) -> tuple[int, dict[str, Any]]:
        """`tmux-remediator audit`: its exit status, and what it shows."""
        command = (sys.executable, "-m", REMEDIATOR, "audit", "--json")
        done = subprocess.run(command, env=self.environ, stdout=subprocess.PIPE, timeout=20, check=False)
        return done.returncode, json.loads(done.stdout)

    @property
    def audit_file(self) -> Path:
        return self.home / "tmux-exporter" / REMEDIATOR_AUDIT

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)}

    # What they say.

    def values(self, name: str) -> dict[frozenset[str], float]:
        """The samples of one name on `/metrics`, by the values of their labels."""
        return {
            frozenset(sample.labels.values()): float(sample.value)
            for family in text_string_to_metric_families(self.exporter.metrics())
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str, *labels: str) -> float | None:
        """A sample of `/metrics` by the values of its labels; None where there is no such series."""
        return self.values(name).get(frozenset(labels))

    def wait_for_value(self, expected: float, name: str, *labels: str) -> None:
        try:
            wait_for(lambda: self.value(name, *labels) == expected, "", 20)
        except AssertionError:
            shown = {(*each,): value for each, value in self.values(name).items() if value}
            raise AssertionError(f"{name} {labels} never was {expected:g}; it shows {shown}") from None

    def alerts(self, state: str) -> list[dict[str, str]]:
        """Labels of our alert in Prometheus."""
        prometheus = self._children[-1].url
        alert = f'ALERTS{{alertname="TmuxSchedulerDangling", alertstate="{state}", server="{FLEET}"}}'
        return [labels for labels, _ in query(prometheus, alert)]

    def close(self) -> None:
        for process in self._remediators:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
        stack.stop(self._children)
        self.exporter.end()
        self.webhook.close()
        self.fleet.close()

    def _log(self, number: int) -> Path:
        return self.home / f"remediator{number}.log"


def program(name: str) -> str:
    found = stack.find_program(f"prometheus-{name}") or stack.find_program(name)
    assert found, f"install {name}: `make test` does it with apt"
    return found


def address_of(url: str) -> str:
    return url.removeprefix("http://").rstrip("/")
