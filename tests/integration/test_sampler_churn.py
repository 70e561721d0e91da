"""What follows changes equals what is worked out from nothing, while panes and tools come and go."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.processes.churning import churning
from tests.support.tmux.under_test import TmuxUnderTest, tmux_under_test
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import Config
from tmux_exporter.facts.changes import AuditTurns
from tmux_exporter.facts.report import Report
from tmux_exporter.sampling.open import open_sampler

SECONDS = float(os.environ.get("TMUX_EXPORTER_CHURN_SECONDS", "3600"))
PER_SECOND = 15
PANES = 15
TOOLS = (
    "sleep 3 & sleep 1",
    "sh -c 'sleep 2 & exec sleep 4'",
    "setsid sleep 5 & true",
    "(sleep 2; tmux send-keys -t main: x) & true",
    "exec sleep 6",
)


@pytest.fixture
def server(socket_dir: Path) -> Iterator[TmuxUnderTest]:
    with tmux_under_test(Path("tmux"), socket_dir / "default") as running:
        yield running


def disturb(server: TmuxUnderTest, random: Random, turn: int) -> None:
    """Start a tool in a pane; often change what tmux shows as well. A target may be gone by then."""
    panes = server.ok("list-panes", "-a", "-F", "#{pane_id} #{session_name}").decode().splitlines()
    places = [line.split(" ", 1) for line in panes]
    chosen = [pane for pane, session in places if session != "main"]
    if len(chosen) < PANES:
        server.run("new-session", "-d", "-s", f"work{turn}", "-x", "80", "-y", "24", "sh")
        return
    one, other = random.choice(chosen), random.choice(chosen)
    server.run("send-keys", "-t", one, random.choice(TOOLS), "Enter")
    deed = random.choice(
        (
            ("rename-session", "-t", one, f"named{turn}"),
            ("rename-window", "-t", one, f"window{turn}"),
            ("split-window", "-d", "-t", one, "sh"),
            ("break-pane", "-d", "-s", one),
            ("swap-pane", "-d", "-s", one, "-t", other),
            ("join-pane", "-d", "-s", one, "-t", other),
            ("respawn-pane", "-k", "-t", one, "sh"),
            ("kill-pane", "-t", one),
            ("kill-session", "-t", one),
            ("set-option", "-p", "-t", one, "@agent", f"agent{turn % 7}"),
        )
    )
    if random.random() < 0.5:
        server.run(*deed)


def run(server: TmuxUnderTest, seconds: float, seed: int) -> Report:
    sampler, random, clock = open_sampler(Config(), SystemClock(), os.environ), Random(seed), SystemClock()
    report = sampler.sample()
    with churning(PER_SECOND):
        until = clock.monotonic() + seconds
        turn = 0
        while clock.monotonic() < until:
            turn += 1
            disturb(server, random, turn)
            report = sampler.sample()
            assert report.discovery_missed_total == 0, (seed, turn)
            threading.Event().wait(random.uniform(0, 0.4))
    return report


@pytest.mark.long
@pytest.mark.timeout(0)
def test_audits_find_nothing_in_an_hour(server: TmuxUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AuditTurns, "come", lambda *_: True)
    report = run(server, SECONDS, seed=1)
    assert report.samples["failed"] == 0
    assert sum(report.samples.values()) > SECONDS / 3
