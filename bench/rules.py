"""What the rules cost in a real Prometheus: 20 hosts with 200 agents each, scraped each 15 seconds.

Run: python -m bench.rules [--hosts 20] [--agents 200]   (about 5 minutes, 2 GB of memory)

Pages are made by the exporter's renderer; of them Prometheus gets the series that rules read. What rules look
back at is scraped at once, with the times at which it would have been: the recorded floors of an hour, and 16
minutes of what is read for longer than five. Then each rule is evaluated by itself, and the CPU of Prometheus
for it is counted, so that the load of the machine does not matter: a second of CPU in 15 s is 0.067 cores.
"""

import argparse
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.clocks import cpu_seconds, resident_bytes
from bench.say import say, wait_for
from tests.support.alerts.promql import selected
from tests.support.literals.report import large_report, usage
from tests.support.programs.up import query
from tests.support.scenes.main_job import program
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.rules import all_rules, rule_file
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.config import Config, LimitSettings
from tmux_exporter.config.parsers import parse_duration
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import Renderer

GOAL = 0.15
"""Of a core."""
INTERVAL = 15
FLOORS, REST = 66 * 60, 16 * 60
"""For how long before the beginning there are recorded floors, and what else rules look back at."""
GROWING = (
    "seconds_total",
    "samples_total",
    "bytes_total",
    "_seconds_count",
    "_seconds_sum",
    "_seconds_bucket",
)
"""Counters of what happens all the time; of others nothing has happened lately."""
ROUNDS = 3
DEAREST = 20
AT_ONCE = 16
"""Intervals of the past in one scrape."""
SCOPE = Scope(thresholds=thresholds.load())


class Pages:
    """What each host shows at a time: the values of a real page, which change a little."""

    def __init__(self, agents: int) -> None:
        read = {each.name for rule in all_rules(SCOPE) for each in selected(str(rule["expr"]))}
        text = Renderer().render(
            collect_all(_report(agents), Config(limits=LimitSettings(series=10**6))).families
        )
        lines = [line for line in text.text.splitlines() if not line.startswith(b"#")]
        kept = [line for line in lines if re.split(rb"[{ ]", line)[0].decode() in read]
        self.series = [(key, float(value)) for key, _, value in (line.rpartition(b" ") for line in kept)]
        back = _long_ranges()
        self.back = [(key, value) for key, value in self.series if _name(key) in back]
        self.floors = list(_floors(self.series))
        self._random = random.Random(1)

    @cache  # noqa: B019 - they live as long as the run
    def past(self, step: int, *, rest: bool) -> bytes:
        """Of an interval before the beginning: floors, and the rest with ranges."""
        return b"\n".join(
            (*self._lines(self.floors, step), *self._lines(self.back if rest else [], step), b"")
        )

    @cache  # noqa: B019 - they live as long as the run
    def now(self, step: int) -> bytes:
        """Of the interval that ends at this multiple of 15 s."""
        return b"\n".join((*self._lines(self.series, step), b""))

    def _lines(self, series: list[tuple[bytes, float]], step: int) -> Iterator[bytes]:
        at, grown, wave = f"{step * INTERVAL}000".encode(), step % 100_000, 1 + 0.02 * math.sin(step / 7)
        for key, value in series:
            name, shown = _name(key), value
            if name == "tmux_exporter_last_sample_timestamp_seconds":
                shown = step * INTERVAL - 2.0
            elif value and any(each in name for each in GROWING):
                shown = value + grown + self._random.random()
            elif name.endswith(("_bytes", "_fds", "_ratio", "_threads", ":min15m")):
                shown = value * wave
            yield b"%s %.10g %s" % (key, shown, at)


def _name(key: bytes) -> str:
    return key.partition(b"{")[0].decode()


def _long_ranges() -> set[str]:
    """The series of which some rule reads more than five minutes."""
    ranges = re.compile(r"(\w+)\{[^}]*\}(?: offset \w+)?(?:\[(\d+)([mhd])|\)?\s*offset (\d+)([mhd]))")
    found = (ranges.finditer(str(rule["expr"])) for rule in all_rules(SCOPE))
    return {
        each[1]
        for every in found
        for each in every
        if (each[3] or each[5]) != "m" or int(each[2] or each[4]) > 5
    }


def _report(agents: int) -> Any:
    """All agents well, of one size."""
    fleet = large_report(agents)
    return replace(
        fleet,
        leaks=(),
        sessions=tuple(replace(each, usage=usage(1)) for each in fleet.sessions),
        agents=tuple(replace(each, usage=usage(1)) for each in fleet.agents),
    )


def _floors(series: list[tuple[bytes, float]]) -> Iterator[tuple[bytes, float]]:
    """What would have been recorded of these: its level is the first part of its name."""
    for rule in all_rules(SCOPE):
        record = str(rule.get("record", ""))
        if record.endswith(":min15m"):
            (read,) = selected(str(rule["expr"]))
            for key, value in series:
                if _name(key) == read.name:
                    yield record.encode() + b"{" + key.partition(b"{")[2], value


class Hosts:
    """Answers each scrape of each host: first with what has been, some minutes at a time, then with now."""

    def __init__(self, pages: Pages, hosts: int) -> None:
        self.began = int(time.time()) // INTERVAL
        self.next = dict.fromkeys(map(str, range(hosts)), self.began - FLOORS // INTERVAL)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host = self.path.strip("/")
                body, step = owner.answer(pages, host)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return
                owner.next[host] = step

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, pages: Pages, host: str) -> tuple[bytes, int]:
        """A page, and from which interval on the next one is."""
        now, step = int(time.time()) // INTERVAL, self.next[host]
        if step >= self.began:
            return (pages.now(now), now + 1) if step <= now else (b"", step)
        until = min(step + AT_ONCE, self.began)
        rest = self.began - REST // INTERVAL
        return b"".join(pages.past(each, rest=each >= rest) for each in range(step, until)), until

    def caught_up(self) -> bool:
        """Whether all that was before has been scraped."""
        return min(self.next.values()) > self.began


def settings(address: str, hosts: int, interval: int, rules: list[Path]) -> str:
    """The configuration of Prometheus."""
    content = json.loads(prometheus.prometheus_config("", None, INTERVAL, rules))
    content["global"]["scrape_interval"] = f"{interval}s"
    content["scrape_configs"] = [
        {
            "job_name": str(host),
            "metrics_path": f"/{host}",
            "static_configs": [
                {
                    "targets": [address],
                    "labels": {"job": "tmux", "instance": f"host-{host}", "always_on": "yes"},
                }
            ],
        }
        for host in range(hosts)
    ]
    return prometheus.as_json(content)


def seconds_of(server: prometheus.Child, expression: str, at: float) -> float:
    """CPU of Prometheus for one evaluation: the least of some."""
    asked = urllib.parse.urlencode({"query": f"count({expression})", "time": at})
    found = []
    for _ in range(ROUNDS):
        before = cpu_seconds(server.process.pid)
        with urllib.request.urlopen(f"{server.url}/api/v1/query?{asked}", timeout=300) as answer:
            answer.read()
        found.append(cpu_seconds(server.process.pid) - before)
    return min(found)


def evaluated(url: str) -> bool:
    """Whether each group has been evaluated, each rule without an error."""
    with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=300) as answer:
        groups = json.load(answer)["data"]["groups"]
    wrong = [each for group in groups for each in group["rules"] if each.get("lastError")]
    assert not wrong, wrong
    return len(groups) > 0 and all(each["evaluationTime"] > 0 for each in groups)


def measure(folder: Path, hosts: int, agents: int) -> str:
    """A line of what was found, and the dearest rules."""
    pages = Pages(agents)
    served = Hosts(pages, hosts)
    address = f"127.0.0.1:{served.server.server_port}"
    rules = folder / "rules.yml"
    rules.write_text(prometheus.as_json(rule_file(SCOPE)))
    server = prometheus.start_prometheus(program("prometheus"), folder, settings(address, hosts, 5, []))

    def load(of: int, files: list[Path]) -> None:
        (folder / "prometheus.yml").write_text(settings(address, of, INTERVAL, files))
        os.kill(server.process.pid, signal.SIGHUP)

    try:
        say(f"{len(pages.series) * hosts} series of now, {len(pages.floors) * hosts} of floors")
        wait_for(served.caught_up, "the past is scraped", 900)
        load(hosts, [rules])
        say("what is recorded is recorded once")
        wait_for(partial(evaluated, server.url), "all rules are evaluated", 900)
        at = time.time()
        firing = query(server.url, 'count by (alertname) (ALERTS{alertname!="Watchdog"})')
        # Nothing else is done meanwhile: no scrape, no evaluation.
        load(0, [])
        time.sleep(5)
        say("each rule by itself")
        costs = [
            (seconds_of(server, str(rule["expr"]), at) / every, f"{_title(rule)}")
            for every, rule in _with_intervals()
        ]
        resident = resident_bytes(server.process.pid)
    finally:
        prometheus.stop([server])
        served.server.shutdown()
    told = ", ".join(f"{count:g} {labels['alertname']}" for labels, count in firing)
    lines = [
        f"{hosts} hosts x {agents} agents, {len(pages.series) * hosts} series each {INTERVAL} s: the rules "
        f"cost {sum(each for each, _ in costs):.3f} cores (goal {GOAL}), {resident >> 20} MiB resident, "
        f"load {os.getloadavg()[0]:.1f}",
        f"pending or firing: {told or 'nothing'}",
        *(f"{cost * 1000:7.2f} ms a second  {name}" for cost, name in sorted(costs, reverse=True)[:DEAREST]),
    ]
    return "\n".join(lines)


def _with_intervals() -> Iterator[tuple[float, dict[str, Any]]]:
    """Each rule, and how many seconds are between two evaluations."""
    groups: Any = rule_file(SCOPE)["groups"]
    for group in groups:
        for rule in group["rules"]:
            yield parse_duration(group["interval"]) if "interval" in group else INTERVAL, rule


def _title(rule: dict[str, Any]) -> str:
    return f"{rule.get('alert') or rule['record']} {rule.get('labels', {}).get('threshold', '')}".strip()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rules", description="What the rules cost in Prometheus."
    )
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--agents", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        print(measure(Path(folder), given.hosts, given.agents))
    return 0


if __name__ == "__main__":
    sys.exit(main())
