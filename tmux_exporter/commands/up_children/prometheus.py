"""Prometheus and Alertmanager as children of `up`, where their programs are installed.

They listen on loopback only, keep their data under the state folder, and cannot outlive us: the kernel sends
them SIGTERM when we end, however we end (PR_SET_PDEATHSIG).
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import RUNBOOKS, Scope
from tmux_exporter.alerting.routes import Data, alertmanager_config
from tmux_exporter.alerting.rules import rule_file

PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A program that we started: where it writes its log, and where it answers if it is a server.

    `preferred_port` is the one that it has where that is free.
    """

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    url: str = ""
    preferred_port: int = 0


def find_program(name: str) -> str | None:
    """Path of an installed program; Debian's are in /usr/bin even where PATH lacks it."""
    return shutil.which(name) or shutil.which(name, path="/usr/bin:/usr/local/bin:/usr/sbin")


def free_port(preferred: int) -> int:
    """The preferred loopback port where it is free, else any free one: 9090 is taken on many machines."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As the servers themselves do: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free loopback port")


def _dies_with(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have ended between fork and prctl: then no signal will ever come.
        if os.getppid() != parent:
            os._exit(1)

    return arm


def spawn(
    arguments: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a child that ends with us, in its own process group so that Ctrl-C reaches only us.

    To be called from the main thread: the kernel ties the signal to the life of the thread that forks.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 - no other thread runs yet
            process_group=0,
        )


def prometheus_config(
    exporter: str,
    alertmanager: str | None,
    interval: float,
    rules: Sequence[Path],
    *,
    evaluation: float | None = None,
    server: str = "",
) -> str:
    """The configuration of our Prometheus, which scrapes each `interval` and evaluates as often.

    Rules may be evaluated at an interval of their own. With `server` it keeps what is of that tmux server, or
    of none.
    """
    scrape, evaluate = (f"{max(1, round(each))}s" for each in (interval, evaluation or interval))
    # Where Prometheus runs, its own host is on.
    target = {"targets": [exporter], "labels": {"always_on": "yes"}}
    job: dict[str, object] = {"job_name": "tmux", "static_configs": [target]}
    if server:
        keep = {"source_labels": ["server"], "regex": f"({re.escape(server)})?", "action": "keep"}
        job["metric_relabel_configs"] = [keep]
    configuration: dict[str, object] = {
        "global": {"scrape_interval": scrape, "evaluation_interval": evaluate},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [job],
    }
    if alertmanager:
        configuration["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return as_json(configuration)


def write_alerts(
    folder: Path,
    time_scale: float,
    numbers: thresholds.Thresholds | None = None,
    *,
    runbooks: str = RUNBOOKS,
    receivers: Mapping[str, Data] = MappingProxyType({}),
) -> tuple[Path, Path]:
    """Write our rules, and the routes that show alerts on Alertmanager's page and send them to `receivers`.

    All their durations are multiplied by `time_scale`; the `numbers` are those that are shipped, unless
    others are given.
    """
    numbers = numbers or thresholds.load()
    rules, routes = folder / "rules.yml", folder / "alertmanager.yml"
    content = rule_file(Scope(thresholds=numbers, time_scale=time_scale, runbooks=runbooks))
    rules.write_text(as_json(content), encoding="utf-8")
    told = alertmanager_config(numbers, time_scale=time_scale, filled=receivers)
    # A program posts on what it is sent; the messages for people are its own.
    told.pop("templates", None)
    routes.write_text(as_json(told), encoding="utf-8")
    return rules, routes


def as_json(content: object) -> str:
    """A configuration as JSON, which is YAML."""
    return json.dumps(content, indent=2) + "\n"


def start_alertmanager(program: str, folder: Path, configuration: Path) -> Child:
    """Start Alertmanager on loopback, without its cluster port."""
    flags = (f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address=")
    return _start("Alertmanager", program, ALERTMANAGER_PORT, configuration, *flags)


def start_prometheus(
    program: str, folder: Path, configuration_text: str, *flags: str, preferred: int | None = None
) -> Child:
    """Start Prometheus on loopback, its data bounded in time and size; `flags` come after its own."""
    configuration = folder / "prometheus.yml"
    configuration.write_text(configuration_text, encoding="utf-8")
    data = f"--storage.tsdb.path={folder / 'prometheus'}"
    # Budgets look back for 30 days.
    bounds = ("--storage.tsdb.retention.time=35d", "--storage.tsdb.retention.size=1GB")
    port = PROMETHEUS_PORT if preferred is None else preferred
    return _start("Prometheus", program, port, configuration, data, *bounds, *flags)


def _start(name: str, program: str, preferred: int, configuration: Path, *flags: str) -> Child:
    address = f"127.0.0.1:{free_port(preferred)}"
    log = configuration.with_name(f"{name.lower()}.log")
    arguments = (program, f"--config.file={configuration}", f"--web.listen-address={address}", *flags)
    process = spawn(arguments, log)
    return Child(name=name, log=log, process=process, url=f"http://{address}", preferred_port=preferred)


def fetch(url: str) -> bytes | None:
    """The answer of one of our servers on loopback; None while it does not answer."""
    # Never through the proxy that a user's environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as answer:
            body: bytes = answer.read()
    except OSError:
        return None
    return body


def stop(children: Sequence[Child]) -> None:
    """Ask all to end at once, wait for each, and kill what does not end in time."""
    for child in children:
        child.process.terminate()
    for child in children:
        try:
            child.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def last_words(child: Child) -> str:
    """The last line of a child's log, for the message that says it has ended."""
    try:
        with child.log.open("rb") as log:
            log.seek(max(0, child.log.stat().st_size - 4096))
            lines = log.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
