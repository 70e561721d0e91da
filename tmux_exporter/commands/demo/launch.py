"""`up --demo`: start the demo fleet, scale its alerts, introduce it to the user."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.time_scale import scaled
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.paths import private_folder
from tmux_exporter.commands.demo.home import SERVER, Home, home_of, pause
from tmux_exporter.commands.publisher import PublishedSample
from tmux_exporter.commands.up_children import prometheus

TIME_SCALE = 1 / 60
"""The demo's alerts take a second where the real ones take a minute."""

SCRAPE_SECONDS = 5.0
"""As in earnest: Prometheus waits for a page until the next one is due, and a busy machine takes its time."""

EVALUATION_SECONDS = 1.0

REMEDIATOR_FLAGS = ("--server", SERVER, "--time-scale", f"{TIME_SCALE:.6f}")
"""The demo's remediator is for the demo's server only, and as quick as its alerts."""

ALERT = "TmuxSchedulerDangling"

_STANDS_SECONDS = 30.0
_ALERT_SECONDS = 120.0
_POLL_SECONDS = 0.2


def numbers() -> thresholds.Thresholds:
    """The numbers of the alerts at the demo's pace."""
    return scaled(thresholds.load(), TIME_SCALE, SCRAPE_SECONDS)


def prometheus_config(exporter: str, alertmanager: str | None, rules: Sequence[Path]) -> str:
    """The configuration of a Prometheus that watches the demo, and none of the user's own servers.

    At the demo's pace its alerts would fire for healthy servers.
    """
    return prometheus.prometheus_config(
        exporter, alertmanager, SCRAPE_SECONDS, rules, evaluation=EVALUATION_SECONDS, server=SERVER
    )


class Demo:
    """One demo. Its data and logs go into `folder`, a new one below `state`: the last demo's are removed."""

    def __init__(self, state: Path, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._keeper: prometheus.Child | None = None
        self._home: Home = home_of(environ)
        self.folder = state / "demo"
        self.remove_data()
        private_folder(self.folder, os.getuid())

    def start(self) -> prometheus.Child:
        """Start the keeper, which builds the fleet; before any thread runs."""
        log = self.folder / "demo.log"
        command = (sys.executable, "-m", "tmux_exporter.commands.demo.keeper")
        process = prometheus.spawn(command, log, self._environ)
        self._keeper = prometheus.Child(name="demo fleet", log=log, process=process)
        return self._keeper

    def remove_data(self) -> None:
        """Remove data and logs, once everything that writes there has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def rows(self) -> list[tuple[str, str]]:
        """What to look at, and how."""
        # In a tmux of the user's own, tmux asks to say so before it nests.
        nested = "TMUX= " if self._environ.get("TMUX") else ""
        return [("demo fleet", f"{nested}tmux -S {shlex.quote(str(self._home.socket))} attach -r")]

    def introduction(self, urls: Mapping[str, str]) -> str:
        """What a newcomer sees in the next minute."""
        lines = [
            f"This is a demo: three sessions of played agents on a tmux server of their own, `{SERVER}`.",
            "Your own servers are shown beside it on the page and left alone; the alerts are about the demo.",
            "Two of its schedulers have lost the session that they are for, and a dev server and an",
            "MCP server outlive the window that they were started in. Within a minute",
            "  - the remediator, which only observes, tells here what it would do about them;",
            f"  - the alert {ALERT} fires."
            if "Prometheus" in urls
            else "  - an alert would fire, if Prometheus were installed.",
            "The demo runs 60 times faster: a 1-minute delay takes 1 second.",
        ]
        return "\n".join(f"  {line}" for line in lines)

    def wait_until_seen(self, fresh: Callable[[], PublishedSample | None]) -> PublishedSample | None:
        """The first of the samples that `fresh` takes that was begun when the fleet stood, or had failed."""
        _wait(lambda: self._home.ready.exists() or self._has_ended(), _STANDS_SECONDS)
        stood = SystemClock().monotonic()
        while (published := fresh()) and published.taken_at < stood:
            pause(_POLL_SECONDS)
        return published

    def _has_ended(self) -> bool:
        return self._keeper is not None and self._keeper.process.poll() is not None

    def tell(self, children: Sequence[prometheus.Child], say: Callable[[str], None]) -> None:
        """Tell of the alert once it fires; to be run in a thread."""
        url = next((child.url for child in children if child.name == "Prometheus"), "")
        if url and _wait(lambda: _fires(url), _ALERT_SECONDS):
            say(f"  The alert {ALERT} fires: {_alerts_page(url)}")


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    for _ in range(round(seconds / _POLL_SECONDS)):
        if condition():
            return True
        pause(_POLL_SECONDS)
    return False


def _alerts_page(url: str) -> str:
    # Debian builds Prometheus with its older pages only; from Debian 13 on, its /alerts is a note about that.
    pages = (f"{url}/{path}" for path in ("classic/alerts", "alerts"))
    return next((page for page in pages if prometheus.fetch(page) is not None), url)


def _fires(url: str) -> bool:
    body = prometheus.fetch(f"{url}/api/v1/alerts")
    alerts = json.loads(body)["data"]["alerts"] if body else []
    return any(
        alert["state"] == "firing"
        and alert["labels"]["alertname"] == ALERT
        and alert["labels"].get("server") == SERVER
        for alert in alerts
    )
