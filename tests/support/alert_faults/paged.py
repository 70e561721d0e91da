"""Twelve faults beside those of the table of proofs, on the real chain with the shipped patience.

Scrapes come each 15 s. Two chains of Prometheus and Alertmanager watch the same exporters: one of them loses
every tenth scrape. `python -m tests.support.alert_faults.paged PAGE` plays it and writes the table.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.alert_faults.fleet import IDLE, FaultyFleet
from tests.support.alert_faults.house import OWN
from tests.support.alert_faults.programs import AGENT
from tests.support.alerts.webhook import Webhook
from tests.support.isolation.mounted import mount
from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import end_process
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.remediator.remediation import FLEET
from tests.support.scenes.main_job import address_of, program
from tests.support.wait import wait_for
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.commands.notify.message import message
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.sources.tmux import socket_files

MIB = 2**20
SCRAPE = 15.0
PATIENCE = 1500.0
LABELS = {"job": "tmux", "always_on": "yes", "team": "platform", "cluster": "a"}
"""Of each target; the last two are its user's own."""
QUIET_AFTER = 120.0
"""For so long after the last page nothing else may come."""

AGENT_LIMIT, SESSION_LIMIT = 64 * MIB, 128 * MIB
CONFIGURATION = f"""\
limits:
  agent_memory: {AGENT_LIMIT // MIB}MiB
  session_memory: {SESSION_LIMIT // MIB}MiB
agents:
  expected:
    - {{server: {FLEET}, session: declared, agent: lead}}
"""
HOLDS = f"import time; kept = b'x' * {int(0.9 * AGENT_LIMIT)}; time.sleep(3600)"
OPENS = (
    "import os, resource, time; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)); "
    "kept = [os.dup(0) for _ in range(95)]; time.sleep(3600)"
)
TOGETHER = int(0.3275 * SESSION_LIMIT)
"""Of each of three agents: 98 % of what their session may have, 65 % of what one may."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and what has to be told of it: an alert with these labels and words."""

    what: str
    alert: str
    priority: str
    labels: Mapping[str, str]
    says: str


FAULTS = (
    Fault("the socket file of a tmux server is deleted", "TmuxServerNotAnswering", "P1",
        {"server": "unlinked"}, "pgrep -d, -x 'tmux: server'"),
    Fault("an exporter is stopped (SIGSTOP)", "TmuxExporterDown", "P1",
        {"instance": "stopped"}, "ps -o pid,state,etime,wchan,args -C tmux-exporter"),
    Fault("another program answers on the port of an exporter", "TmuxExporterDown", "P1",
        {"instance": "taken"}, "ps -o pid,state,etime,wchan,args -C tmux-exporter"),
    Fault("a child of an agent takes 90 % of the memory that the agent may use",
        "TmuxAgentNearMemoryLimit", "P1",
        {"session": "child-memory"}, "explain agent:"),
    Fault("three agents that are each within their limit fill that of their session",
        "TmuxSessionNearMemoryLimit", "P1", {"session": "together"}, "together:"),
    Fault("a child of an agent has 98 of its 100 files open", "TmuxAgentNearFdLimit", "P1",
        {"session": "child-files"}, "explain agent:"),
    Fault("a declared agent is killed (SIGKILL) with its pane", "TmuxAgentAbsent", "P2",
        {"session": "declared"}, "top --once"),
    Fault("an agent crashes (SIGSEGV) below its shell, and keys are on their way to it",
        "TmuxAgentExited", "P3", {"session": "crashing"}, "explain agent:"),
    Fault("an agent waits for an answer in a dialog", "TmuxAgentWaiting", "P3",
        {"session": "dialog"}, "explain agent:"),
    Fault("the remediator is stopped (SIGSTOP)", "TmuxRemediatorDown", "P3", {"instance": "fleet"},
        "-C tmux-remediator"),
    Fault("the pane that a scheduler aims at is closed", "TmuxSchedulerDangling", "P3",
        {"server": FLEET}, "tmux-exporter schedulers"),
    Fault("the file system of the state folder (8 MiB) is filled", "TmuxHostDiskFull", "P1",
        {"instance": "fleet"}, "du -xh -d2 "),
)  # fmt: skip

MACHINES = (
    "TmuxHostCpuHigh",
    "TmuxHostMemoryHigh",
    "TmuxHostDiskBusy",
    "TmuxHostDiskFull",
    "TmuxHostNearLimit",
)
"""What others do on the machine of the test may rightly be told."""


class OtherFaults(FaultyFleet):
    """Agents and servers for these faults."""

    def start(self) -> None:
        self._pids["unlinked"] = self.fleet.scene.start("unlinked").pid
        for session in ("well", "declared", "crashing", "dialog", "child-memory", "child-files", "together"):
            self.say(session, {"says": IDLE})
        for session in ("well", "declared", "dialog"):
            self._agent(FLEET, session, self._command(session))
        self._agent(FLEET, "crashing", f"{self._command('crashing')}; exec sh")
        for session, script in (("child-memory", HOLDS), ("child-files", OPENS)):
            folder = self.home / session
            folder.mkdir()
            runs = f"exec {sys.executable} -SPc {shlex.quote(script)}"
            waits = f"while ! [ -e {folder}/go ]; do sleep 0.5; done; {runs}"
            starts = f"import subprocess; subprocess.Popen(['sh', '-c', {waits!r}])\n"
            (folder / "claude").write_text(starts + AGENT)
            self._agent(FLEET, session, self._command(session).replace(str(self._script), f"{folder}/claude"))
        self._agent(FLEET, "together", self._command("together"))
        for number in range(2):
            self.say(f"together{number}", {"says": IDLE})
            self.fleet.tmux(
                "new-window", "-d", "-t", "together:", self._command(f"together{number}"), server=FLEET
            )
        self.fleet.tmux("new-window", "-d", "-t", "work:7", "exec sleep 3600", server=FLEET)

    def schedule(self) -> None:
        self.fleet.schedule("bash -c 'sleep 9000 && tmux send-keys -t work:7 hi'", "aims")
        self.fleet.schedule("bash -c 'sleep 9000 && tmux send-keys -t crashing:0 hi'", "follows")

    def break_it(self) -> None:
        (self.fleet.sockets / "unlinked").unlink()
        for session in ("child-memory", "child-files"):
            (self.home / session / "go").touch()
        for name in ("together", "together0", "together1"):
            self.say(name, {"says": IDLE, "bytes": TOGETHER})
        self.say("dialog", {"says": {"status": "waiting", "waitingFor": "dialog open"}})
        os.kill(self._agent_pid("crashing"), signal.SIGSEGV)
        os.kill(self._agent_pid("declared"), signal.SIGKILL)
        self.fleet.tmux("kill-window", "-t", "work:7", server=FLEET)

    def _agent_pid(self, session: str) -> int:
        written = list((self._roles / f"home-{session}" / ".claude" / "sessions").glob("[0-9]*.json"))
        return int(written[0].stem)

    def close(self) -> None:
        self._end_children()
        end_process(self._pids["unlinked"])
        self.fleet.close()


class LossyProxy:
    """Hands a scrape on to an exporter, but every tenth."""

    def __init__(self, url: str, place: int) -> None:
        self.count = place
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.count += 1
                try:
                    if proxy.count % 10 == 0:
                        raise OSError("lost")
                    request = urllib.request.Request(f"{url.rstrip('/')}{self.path}")
                    with urllib.request.urlopen(request, timeout=9) as answer:
                        status, body = answer.status, answer.read()
                except OSError:
                    status, body = 503, b""
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.5,), daemon=True).start()


class Chain:
    """Prometheus, Alertmanager and somebody who is told; `targets` are addresses by instance."""

    def __init__(self, home: Path, targets: Mapping[str, str]) -> None:
        home.mkdir(mode=0o700)
        self.webhook = Webhook()
        rules, routes = prometheus.write_alerts(home, 1.0)
        told = alertmanager_config(thresholds.load(), webhook=self.webhook.url)
        routes.write_text(prometheus.as_json(told))
        self.alertmanager = prometheus.start_alertmanager(program("alertmanager"), home, routes)
        settings = json.loads(
            prometheus.prometheus_config("", address_of(self.alertmanager.url), SCRAPE, (rules,))
        )
        settings["scrape_configs"] = [
            {
                "job_name": name,
                "static_configs": [{"targets": [address], "labels": {**LABELS, "instance": name}}],
            }
            | ({} if name == "fleet" else {"params": {"collect[]": OWN}})
            for name, address in targets.items()
        ]
        self.prometheus = prometheus.start_prometheus(
            program("prometheus"), home, prometheus.as_json(settings)
        )
        for child in (self.prometheus, self.alertmanager):
            wait_for(partial(prometheus.fetch, f"{child.url}/-/ready"), f"{child.name} is ready", 60)
        self.seen: dict[str, tuple[float, dict[str, Any]]] = {}

    def told(self) -> list[dict[str, Any]]:
        """Every alert that was told, with the message that it came in."""
        return [
            {**alert, "payload": payload}
            for payload in list(self.webhook.messages)
            for alert in payload["alerts"]
            if alert["status"] == "firing" and alert["labels"]["alertname"] != "Watchdog"
        ]

    def of(self, fault: Fault) -> list[dict[str, Any]]:
        wanted = {"alertname": fault.alert, **fault.labels}
        if fault.priority:
            wanted["priority"] = fault.priority
        return [each for each in self.told() if each["labels"].items() >= wanted.items()]

    def close(self) -> None:
        prometheus.stop([self.prometheus, self.alertmanager])
        self.webhook.close()


class Stage:
    """All of it."""

    def __init__(self, base: Path, sockets: Path, home: Path) -> None:
        self.home, self.fleet = home, OtherFaults(base, sockets, home)
        self.exporters: dict[str, Exporter] = {}
        self.chains: dict[str, Chain] = {}
        self.taken: ThreadingHTTPServer | None = None
        self.times: dict[str, dict[str, float]] = {}

    def _start_exporter(self, name: str) -> None:
        place = self.home / name
        place.mkdir(mode=0o700)
        (place / "state").mkdir(mode=0o700)
        if name == "fleet":
            mount(b"none", os.fsencode(place / "state"), b"tmpfs", b"size=8m,mode=0700")
        (place / "exporter.yml").write_text(CONFIGURATION if name == "fleet" else "")
        words = ("--config", str(place / "exporter.yml"), "--sampling.interval", "5s")
        self.exporters[name] = Exporter(place, place, *words, environ=_places(place))

    def start(self) -> None:
        self.fleet.start()
        self.fleet.schedule()
        for name in ("fleet", "stopped", "taken"):
            self._start_exporter(name)
        place = self.home / "fleet"
        with (place / "remediator.log").open("wb") as log:
            words = (sys.executable, "-m", "tmux_exporter.cli.remediator", "run", "--interval", "5s")
            environ = {
                **os.environ,
                "HOME": str(place),
                "XDG_STATE_HOME": str(place),
                "XDG_RUNTIME_DIR": str(place),
            }
            self.remediator = subprocess.Popen(words, stderr=log, env=environ)
        addresses = {name: address_of(each.url) for name, each in self.exporters.items()}
        lossy = {
            name: LossyProxy(each.url, place).address
            for place, (name, each) in enumerate(self.exporters.items())
        }
        for name, targets in (("each scrape", addresses), ("one in ten lost", lossy)):
            self.chains[name] = Chain(self.home / f"chain{len(self.chains)}", targets)
        seen = "count(tmux_agent_up == 1) >= 9 and on () tmux_remediator_up == 1"
        for chain in self.chains.values():
            wait_for(partial(query, chain.prometheus.url, seen), "the fleet is seen whole", 120)

    def break_it(self) -> None:
        self.began = time.time()
        self.fleet.break_it()
        os.kill(self.remediator.pid, signal.SIGSTOP)
        os.kill(self.exporters["stopped"].process.pid, signal.SIGSTOP)
        address = address_of(self.exporters["taken"].url)
        self.exporters["taken"].process.kill()
        self.exporters["taken"].process.wait(10)

        class Other(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: Any) -> None:
                return

        host, _, port = address.rpartition(":")
        self.taken = ThreadingHTTPServer((host, int(port)), Other)
        threading.Thread(target=self.taken.serve_forever, daemon=True).start()
        with (self.home / "fleet" / "state" / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 65536):
                    pass
            except OSError:
                pass

    def all_told(self) -> bool:
        """Note when each was told first; looked at each half second."""
        time.sleep(0.5)
        now = time.time() - self.began
        missing = 0
        for name, chain in self.chains.items():
            for fault in FAULTS:
                times = self.times.setdefault(fault.what, {})
                if name in times:
                    continue
                if chain.of(fault):
                    times[name] = now
                    os.write(1, f"{now:7.1f} s {name}: {fault.alert} {fault.what}\n".encode())
                else:
                    missing += 1
        return not missing

    def beside(self) -> list[tuple[str, dict[str, str]]]:
        """What was told and is of no fault."""
        return [
            (name, alert["labels"])
            for name, chain in self.chains.items()
            for alert in chain.told()
            if alert["labels"]["alertname"] not in MACHINES
            and not any(
                alert["labels"].items() >= {"alertname": fault.alert, **fault.labels}.items()
                for fault in FAULTS
            )
        ]

    def texts(self) -> dict[str, str]:
        """What a phone shows of each fault."""
        chain = self.chains["each scrape"]
        return {
            fault.what: (told.title + "\n" + told.text)
            for fault in FAULTS
            if (found := chain.of(fault)) and (told := message(found[0]["payload"], host="here"))
        }

    def close(self) -> None:
        for chain in self.chains.values():
            chain.close()
        self.remediator.kill()
        self.remediator.wait(10)
        for exporter in self.exporters.values():
            exporter.process.kill()
            exporter.process.wait(10)
        if self.taken:
            self.taken.shutdown()
        self.fleet.close()


def _places(place: Path) -> dict[str, str]:
    own = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR"), str(place))
    return {**own, "XDG_STATE_HOME": str(place / "state")}


@dataclass(slots=True)
class Result:
    """What came of it."""

    missing: list[tuple[str, str]] = field(default_factory=list)
    beside: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)


def play(base: Path, sockets: Path, home: Path) -> Result:
    """Plant all faults, wait for what is told, and judge it; within a namespace."""
    result = Result()
    stage = Stage(base, sockets, home)
    with closing(stage):
        stage.start()
        stage.break_it()
        try:
            wait_for(stage.all_told, "all are told", PATIENCE)
        except AssertionError:
            pass
        quiet_from = time.monotonic()
        wait_for(
            lambda: not stage.all_told() or time.monotonic() > quiet_from + QUIET_AFTER, "a quiet time", 300
        )
        result.missing = [
            (fault.what, chain)
            for fault in FAULTS
            for chain in stage.chains
            if chain not in stage.times[fault.what]
        ]
        result.beside = stage.beside()
        texts = stage.texts()
        result.wrong = [
            (fault.what, texts.get(fault.what, ""))
            for fault in FAULTS
            if fault.says not in texts.get(fault.what, "")
        ]
        result.rows = [_row(fault, stage.times[fault.what], stage.chains["each scrape"]) for fault in FAULTS]
        result.rows += ["", "The first lines of what a phone shows of each:", ""]
        result.rows += [
            line
            for fault in FAULTS
            for line in ("<pre>", escape(texts.get(fault.what, ""), quote=False), "</pre>", "")
        ]
    return result


def _row(fault: Fault, times: Mapping[str, float], chain: Chain) -> str:
    priority = fault.priority or next((each["labels"]["priority"] for each in chain.of(fault)), "")
    shown = " | ".join(_time(times.get(name)) for name in ("each scrape", "one in ten lost"))
    return f"| {fault.what} | [{fault.alert}](runbooks/{fault.alert}.md) | {priority} | {shown} |"


def _time(seconds: float | None) -> str:
    return "not told" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


HEAD = """\
# How long it takes until somebody is told

<!-- Made by `python -m tests.support.alert_faults.paged PAGE`, in namespaces (25 minutes). -->

Twelve real faults at once, with the shipped rules, routes and patience, scraped and evaluated each 15 s:
minutes and seconds from the fault to the message, in one chain that gets each scrape and in one that loses
every tenth.
`tests/e2e/test_paged.py` repeats it and asks for each message, its text, and that nothing else is told.

How a program ended below a shell only the shell knows. A crash there is told where the agent is declared
(P2, `TmuxAgentAbsent`), or where keys are on their way that the shell would run (P3, `TmuxAgentExited`).
An undeclared agent that nobody writes to counts as one that was quit.

| fault | alert | priority | each scrape | one in ten lost |
| --- | --- | --- | --- | --- |
"""


def in_own_place(base: Path, sockets: Path) -> Result:
    """Play it where no other test's servers are seen."""
    home = base / "home"
    home.mkdir(mode=0o700)
    kept = base / "result.json"

    def work() -> None:
        socket_files.DEFAULT_BASE = str(base / "none")
        prometheus.PROMETHEUS_PORT = prometheus.ALERTMANAGER_PORT = 0
        result = play(base, sockets, home)
        kept.write_text(json.dumps([result.missing, result.beside, result.wrong, result.rows]))

    assert in_namespace(work), "the kernel gives no namespace"
    return Result(*json.loads(kept.read_text()))


def main(page: Path) -> int:
    """Play it and write the page."""
    with tempfile.TemporaryDirectory(prefix="tx") as folder:
        base = Path(folder)
        sockets = base / f"tmux-{os.getuid()}"
        sockets.mkdir(mode=0o700)
        os.environ["TMUX_TMPDIR"] = folder
        result = in_own_place(base, sockets)
    page.write_text(HEAD + "\n".join(result.rows).rstrip() + "\n")
    print(json.dumps([result.missing, result.beside, result.wrong], indent=1))
    return bool(result.missing or result.beside or result.wrong)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
