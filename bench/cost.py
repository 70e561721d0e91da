"""What the exporters cost on one fleet: at rest, and while a tenth of its processes works."""

import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers
from bench.clocks import processes, resident_bytes
from bench.fleet import Fleet, Size
from bench.peers import REPOSITORY, Peer
from bench.say import say
from bench.windows import LEAD_IN, align, measure, queries
from tmux_exporter.sources.processes.fast_reader import AUDIT_SECONDS

OURS_SLOW = "tmux_exporter, one sample a window"
OURS = "tmux_exporter, 5 s tick"
OURS_BY_NEED = "tmux_exporter, by need"
LEAN = "process-exporter, lean"
DEFAULT = "process-exporter, default"
PSUTIL = "psutil sampler"
TMUX = "tmux server"
SCRAPERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure: windows of so many seconds, rounds of a reader alone, scrapes of each scraper.

    `settle` is how long the exporters run before their first windows, which do not count: only after a
    minute ours knows who is a stranger.
    """

    settle: float = AUDIT_SECONDS + 5.0 - LEAD_IN * 15.0
    windows: int = 4
    seconds: float = 15.0
    rounds: int = 10
    scrapes: int = 30

    @property
    def tick(self) -> float:
        """The default interval, in a window that is shorter than 15 s as often as in one of 15 s."""
        return self.seconds / 3


QUICK = Plan(settle=0.0, windows=1, seconds=3.0, rounds=2, scrapes=3)


def fleet_cost(size: Size, folder: Path, plan: Plan) -> dict[str, Any]:
    """Everything of one fleet, as plain data."""
    fleet = Fleet(size, folder)
    try:
        return _measure(fleet, plan)
    finally:
        fleet.close()


def _measure(fleet: Fleet, plan: Plan) -> dict[str, Any]:
    with ExitStack() as stack:

        def own(name: str, interval: float, idle: float) -> Peer:
            arguments = peers.ticks(fleet.folder, interval=interval, idle=idle)
            return stack.enter_context(peers.ours(name, fleet.folder, *arguments))

        ours, need = own(OURS, plan.tick, plan.tick), own(OURS_BY_NEED, plan.tick, plan.seconds)
        slow = own(OURS_SLOW, plan.seconds, plan.seconds)
        others = [stack.enter_context(peers.psutil_sampler(PSUTIL, fleet.folder, fleet.server))]
        if peers.process_exporter() is not None:
            for name, arguments in ((LEAN, peers.LEAN), (DEFAULT, ())):
                others.append(
                    stack.enter_context(
                        peers.process_exporter_by_pane(name, fleet.folder, peers.PANES, *arguments)
                    )
                )
        every = [slow, need, *others, ours]
        if plan.settle:
            say("  some time to settle")
            time.sleep(plan.settle)
        say(f"  {plan.windows} windows of {plan.seconds:g} s at rest")
        rest, asked = _windows(every, fleet, plan)
        alone_rest = _alone(fleet, plan)
        say("  the same with a tenth of all processes at work")
        with fleet.active():
            active, _ = _windows(every, fleet, plan)
            alone_active = _alone(fleet, plan)
        say("  the same while every tenth pane starts a tool at every tick")
        with fleet.churning(plan.tick) as started:
            before = started[0]
            # After the second pause in its scrapes the one by need is longer in doubt about its scraper.
            lead_in = LEAD_IN + 2
            churn = measure([need, ours], {}, windows=plan.windows, seconds=plan.seconds, lead_in=lead_in)
            tools = (started[0] - before) / (plan.windows + lead_in)
        say(f"  {SCRAPERS} scrapers")
        scrapes = _scrapes(ours, plan)
        return {
            "panes": fleet.size.panes,
            "others": fleet.size.others,
            "processes": len(processes()),
            "light": fleet.size.light,
            "rest": rest,
            "active": active,
            "churn": {name: [round(each, 3) for each in windows] for name, windows in churn.items()},
            "tools_in_a_window": round(tools, 1),
            "tmux_queries_at_rest": sum(asked.values()),
            "tmux_queries_of_the_default_tick_at_rest": asked[OURS],
            "alone_rest": alone_rest,
            "alone_active": alone_active,
            "resident_mib": {each.name: round(resident_bytes(each.pid) / 2**20, 1) for each in every},
            "scrape_ms": scrapes,
            "parts": _parts(fleet, plan),
            "page_kib": round(len(ours.page()) / 1024),
        }


def _windows(every: list[Peer], fleet: Fleet, plan: Plan) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Milliseconds by name and window, and how many listings each of ours asked for from page to page."""
    align(every[0], plan.seconds)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    measure(every, {}, windows=LEAD_IN, seconds=plan.seconds, pages=before)
    used = measure(every, {TMUX: fleet.server}, windows=plan.windows, seconds=plan.seconds, pages=after)
    rounded = {name: [round(each, 3) for each in windows] for name, windows in used.items()}
    return rounded, {name: queries(after[name]) - queries(page) for name, page in before.items()}


def _alone(fleet: Fleet, plan: Plan) -> dict[str, float]:
    """Median milliseconds of one sample of each kind."""
    took = _program("alone", str(fleet.server), str(plan.rounds), str(min(2.0, plan.seconds / 3)))
    return {name: round(statistics.median(each), 3) for name, each in took.items()}


def _parts(fleet: Fleet, plan: Plan) -> dict[str, dict[str, float]]:
    """Milliseconds of a sample and of its page, and the share of each part of a sample."""
    arguments = (str(plan.rounds), str(min(2.0, plan.seconds / 3)), "1")
    found: dict[str, dict[str, float]] = _program("profile", *arguments, TMUX_TMPDIR=str(fleet.folder))
    return found


def _scrapes(peer: Peer, plan: Plan) -> dict[str, float]:
    took = _program("scrapers", peer.url, str(SCRAPERS), str(plan.scrapes))
    return {
        "p50": round(took[len(took) // 2], 2),
        "p99": round(took[min(len(took) - 1, len(took) * 99 // 100)], 2),
        "count": len(took),
    }


def _program(name: str, *arguments: str, **environ: str) -> Any:
    """What it says in its first line."""
    command = [sys.executable, "-m", f"bench.programs.{name}", *arguments]
    environment = {**os.environ, **environ}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY, env=environment)
    return json.loads(done.stdout.splitlines()[0])
