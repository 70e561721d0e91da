"""What watches the faulty fleet: exporters with faults of their own, remediators, one Prometheus."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.support.alert_faults.fleet import LIMIT, PAUSED
from tests.support.alert_faults.frozen import busiest_thread, freeze, thaw
from tests.support.alert_faults.limits import no_more_files, soft_limit
from tests.support.alert_faults.numbers import quick_rules
from tests.support.isolation.mounted import BIND, mount, unmount
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.remediator.remediation import FLEET
from tests.support.scenes.main_job import address_of, program
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus as stack
from tmux_exporter.wire.runtime_folder import OPERATIONS_SOCKETS

CONFIGURATION = f"""\
limits:
  agent_memory: {LIMIT // 2**20}MiB
  session_memory: {LIMIT // 2**20}MiB
agents:
  expected:
    - {{server: {FLEET}, session: work, agent: absent}}
"""
SMALL = "limits: {series: 100}\n"
REFUSED = "limits: {series: many}\n"

EXPORTERS: Mapping[str, str] = {
    "fleet": CONFIGURATION,
    "small": SMALL,
    "frozen": "sampling: {idle_interval: 200ms}\n",
    **dict.fromkeys(("starved", "falling", "held", "full", "behind"), ""),
}
"""Their configurations, by what Prometheus calls the instance."""

FEW = ("frozen", "starved", "held", "full", "behind")
OWN = ["exporter", "process", "host", "remediator"]
LABELS = {"job": "tmux"}

# The thread of the second one is found by what it uses.
INTERVALS = {"fleet": "500ms", "frozen": "200ms"}

# Every clock of the exporter but the monotonic one, as that is what it waits by.
BEHIND = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1",
    "FAKETIME": "-90",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}

_STEPS = """\
    match: {kind: scheduler, state: [dangling]}
    for: 1s
    warmup: 0s
    actions:
      - {do: warn}
      - {do: stop, after: 1s, method: scheduler_pair}
      - {do: kill, after: 3s}
    verify: {gone_within: 5s}
"""
_HEAD = "apiVersion: tmux-exporter/v1\nkind: RemediationPolicies\npolicies:\n"
ACTS = f"{_HEAD}  - name: acts\n    mode: enforce\n{_STEPS}"
MISTAKEN = ACTS.replace("for: 1s", "for: one")
_PAUSED_SHA256 = hashlib.sha256("\0".join((*PAUSED, "")).encode()).hexdigest()
LEAVES = f"""\
{_HEAD}  - name: spent
    mode: enforce
    budget: {{per_cycle: 0, per_hour: 0}}
{_STEPS}  - name: startled
    mode: enforce
    max_match: {{count: 0, few: 0, on_exceed: abort}}
{_STEPS}  - name: holds
    mode: enforce
    match: {{kind: leaked_process, cmdline_sha256: [{_PAUSED_SHA256}]}}
    for: 1s
    warmup: 0s
    actions: [{{do: throttle, pause: true, lease: 1h}}]
"""
"""Two that match and may end nothing: one has no budget, the other one believes in no match; one pauses."""


class House:
    """All of it below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.exporters: dict[str, Exporter] = {}
        self._remediators: list[subprocess.Popen[bytes]] = []
        self._children: list[stack.Child] = []
        self._frozen = False
        for name, configuration in EXPORTERS.items():
            place = home / name
            place.mkdir(mode=0o700)
            (place / "exporter.yml").write_text(configuration)
        mount(b"none", os.fsencode(self._state("full")), b"tmpfs", b"size=8m,mode=0700")

    def _state(self, name: str) -> Path:
        """The state folder; that of `full` is a file system of its own."""
        place = self.home / name / "state"
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    def start(self) -> None:
        """The exporters, the remediator that acts, and Prometheus."""
        for name in EXPORTERS:
            self._start(name)
        # Before Prometheus asks it for pages, which other threads make.
        self._sampling = busiest_thread(self.exporters["frozen"].process.pid)
        prometheus = start_prometheus(self.home, self.exporters)
        self._children.append(prometheus)
        self.url = prometheus.url
        wait_for(lambda: len(self.ask("up == 1")) == len(EXPORTERS), "all exporters are scraped")

    def _start(self, name: str, *more: str) -> None:
        place = self.home / name
        interval = INTERVALS.get(name, "2s")
        words = ("--config", str(place / "exporter.yml"), "--sampling.interval", interval, *more)
        self.exporters[name] = Exporter(place, place, *words, environ=self._environ(name))

    def _environ(self, name: str) -> dict[str, str]:
        place = str(self.home / name)
        clock = BEHIND if name == "behind" else {}
        return {"HOME": place, "XDG_STATE_HOME": str(self._state(name)), "XDG_RUNTIME_DIR": place, **clock}

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What Prometheus answers."""
        return query(self.url, expression)

    def break_it(self) -> None:
        """Every fault of an exporter and of a remediator."""
        pid = {name: each.process.pid for name, each in self.exporters.items()}
        (self.home / "small" / "exporter.yml").write_text(REFUSED)
        os.kill(pid["small"], signal.SIGHUP)
        freeze(self._sampling, partial(self.exporters["frozen"].get, "/metrics", timeout=2.0, scraper=True))
        self._frozen = True
        self._files = no_more_files(pid["starved"])
        self.start_remediator("fleet", ACTS, "--enforce", "--server", "acted")
        self.start_remediator("held", LEAVES, "--enforce", "--server", FLEET)
        self.start_remediator("full", ACTS)
        self._full = self._remediators[-1]
        self._give_policies(MISTAKEN)
        with (self._state("full") / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 65536):
                    pass
            except OSError:
                pass
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            for _ in range(3):
                place = self.home / "fleet" / "tmux-exporter" / OPERATIONS_SOCKETS[0]
                one.sendto(b"nothing that anybody knows", str(place))
        self._fall()

    def _fall(self) -> None:
        """An exporter that is ended by the kernel again and again, and then stays away."""
        for _ in range(4):
            exporter, before = self.exporters["falling"], self._started()
            self._kill(exporter.process)
            self._start("falling", "--web.listen-address", address_of(exporter.url))
            wait_for(partial(self._has_started_after, before), "it is scraped again")
        self._kill(self.exporters["falling"].process)

    def _started(self) -> float:
        """When the exporter that falls was started, as Prometheus knows; 0 while it does not."""
        return max((at for _, at in self.ask('process_start_time_seconds{instance="falling"}')), default=0.0)

    def _has_started_after(self, before: float) -> bool:
        return self._started() > before

    def start_remediator(self, name: str, policies: str, *flags: str) -> None:
        """`tmux-remediator run` beside one of the exporters."""
        place = self.home / name
        file = place / "policies.yml"
        file.write_text(policies)
        file.chmod(0o600)
        words = ("-m", "tmux_exporter.cli.remediator", "run", "--interval", "1s", "--policy", str(file))
        with (place / "remediator.log").open("ab") as log:
            process = subprocess.Popen(
                (sys.executable, *words, *flags), stderr=log, env={**os.environ, **self._environ(name)}
            )
        self._remediators.append(process)
        found = f'tmux_remediator_up{{instance="{name}"}} == 1'
        wait_for(lambda: self.ask(found), f"the remediator of {name} is seen")

    def _give_policies(self, policies: str) -> None:
        """Write others for the remediator of `full`, and tell it."""
        (self.home / "full" / "policies.yml").write_text(policies)
        os.kill(self._full.pid, signal.SIGHUP)

    def end_remediator(self) -> None:
        """Kill the one that leaves everything alone, as the kernel would."""
        self._kill(self._remediators[1])

    def blind_remediator(self) -> None:
        """Start it again with a second /proc, and take that away."""
        place = self.home / "proc"
        place.mkdir()
        mount(b"/proc", os.fsencode(place), b"", b"", BIND)
        config = self.home / "held" / "blind.yml"
        config.write_text(f"processes: {{root: {place}}}\n")
        self.start_remediator("held", LEAVES, "--config", str(config))
        unmount(os.fsencode(place))

    def mend(self) -> None:
        """Take away what can be taken away at once."""
        self._thaw()
        (self._state("full") / "filler").unlink()
        self._give_policies(ACTS)
        soft_limit(self.exporters["starved"].process.pid, self._files)
        (self.home / "small" / "exporter.yml").write_text("")
        os.kill(self.exporters["small"].process.pid, signal.SIGHUP)
        self._start("falling", "--web.listen-address", address_of(self.exporters["falling"].url))

    def _thaw(self) -> None:
        if self._frozen:
            thaw(self._sampling)
            self._frozen = False

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(10)

    def close(self) -> None:
        """End everything."""
        for process in self._remediators:
            self._kill(process)
        stack.stop(self._children)
        self._thaw()
        for exporter in self.exporters.values():
            self._kill(exporter.process)


def _scrapes(name: str, address: str) -> dict[str, object]:
    """How one of them is scraped: most of them not for the fleet, which is the same in all."""
    config = {
        "job_name": name,
        "static_configs": [{"targets": [address], "labels": LABELS | {"instance": name, "always_on": "yes"}}],
    }
    return config | ({"params": {"collect[]": OWN}} if name in FEW else {})


def start_prometheus(home: Path, exporters: Mapping[str, Exporter]) -> stack.Child:
    """Prometheus with the quick rules, which scrapes these under their names."""
    rules = home / "rules.json"
    rules.write_text(stack.as_json(quick_rules()))
    settings = json.loads(stack.prometheus_config("", None, 1.0, (rules,)))
    # A scrape has as long as is between two: with one that came too late every patience begins anew.
    settings["global"]["scrape_interval"] = "2s"
    settings["scrape_configs"] = [_scrapes(name, address_of(each.url)) for name, each in exporters.items()]
    prometheus = stack.start_prometheus(program("prometheus"), home, stack.as_json(settings))
    wait_for(partial(stack.fetch, f"{prometheus.url}/-/ready"), "Prometheus is ready", 60)
    return prometheus
