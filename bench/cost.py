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
from bench.windows import align, measure, queries
from tmux_exporter.sources.processes.fast_reader import AUDIT_SECONDS

OURS_SLOW = "tmux_exporter, one sample a window"
OURS = "tmux_exporter, 5 s tick"
LEAN = "process-exporter, lean"
DEFAULT = "process-exporter, default"
PSUTIL = "psutil sampler"
TMUX = "tmux server"
SCRAPERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure: windows of so many seconds, rounds of a reader alone, scrapes of each scraper.

    `settle` is how long the exporters run before: only after a minute ours knows who is a stranger.
    """

    settle: float = AUDIT_SECONDS + 5.0
    windows: int = 4
    seconds: float = 15.0
    rounds: int = 10
    scrapes: int = 30

    @property
    def tick(self) -> str:
        """The default tick, in a window that is shorter than 15 s as often as in one of 15 s."""
        return f"{self.seconds / 3:g}s"


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
        ours = stack.enter_context(
            peers.ours(OURS, fleet.folder, "--sampling.interval", plan.tick),
        )
        slow = stack.enter_context(
            peers.ours(OURS_SLOW, fleet.folder, "--sampling.interval", f"{plan.seconds:g}s")
        )
        others = [stack.enter_context(peers.psutil_sampler(PSUTIL, fleet.folder, fleet.server))]
        if peers.process_exporter() is not None:
            for name, arguments in ((LEAN, peers.LEAN), (DEFAULT, ())):
                others.append(
                    stack.enter_context(
                        peers.process_exporter_by_pane(name, fleet.folder, peers.PANES, *arguments)
                    )
                )
        every = [slow, *others, ours]
        if plan.settle:
            say("  a minute to settle")
            time.sleep(plan.settle)
        say(f"  {plan.windows} windows of {plan.seconds:g} s at rest")
        rest, asked = _windows(every, (slow, ours), fleet, plan)
        listings = sum(asked)
        alone_rest = _alone(fleet, plan)
        say("  the same with a tenth of all processes at work")
        with fleet.active():
            active, _ = _windows(every, (slow, ours), fleet, plan)
            alone_active = _alone(fleet, plan)
        say(f"  {SCRAPERS} scrapers")
        scrapes = _scrapes(ours, plan)
        return {
            "panes": fleet.size.panes,
            "others": fleet.size.others,
            "processes": len(processes()),
            "light": fleet.size.light,
            "rest": rest,
            "active": active,
            "tmux_queries_at_rest": listings,
            "tmux_queries_of_the_default_tick_at_rest": asked[1],
            "alone_rest": alone_rest,
            "alone_active": alone_active,
            "resident_mib": {each.name: round(resident_bytes(each.pid) / 2**20, 1) for each in every},
            "scrape_ms": scrapes,
            "parts": _parts(fleet, plan),
            "page_kib": round(len(ours.page()) / 1024),
        }


def _windows(
    every: list[Peer], of_ours: tuple[Peer, Peer], fleet: Fleet, plan: Plan
) -> tuple[dict[str, list[float]], tuple[float, ...]]:
    """Milliseconds by name and window, and how many listings each of ours asked for."""
    align(of_ours[0], plan.seconds)
    before = [queries(each) for each in of_ours]
    used = measure(every, {TMUX: fleet.server}, windows=plan.windows, seconds=plan.seconds)
    rounded = {name: [round(each, 3) for each in windows] for name, windows in used.items()}
    return rounded, tuple(queries(each) - so_far for each, so_far in zip(of_ours, before, strict=True))


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
