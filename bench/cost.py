"""What the exporters cost on one fleet: at rest, and while a tenth of its processes works."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers
from bench.clocks import processes, resident_bytes
from bench.fleet import Fleet
from bench.peers import REPOSITORY, Peer
from bench.say import say
from bench.stages import Clocked, Split, clocked
from bench.windows import LEAD_IN, Milliseconds, align, measure, queries
from tmux_exporter.sources.processes.fast_reader import AUDIT_SECONDS

OURS_SLOW = "tmux_exporter, one sample a window"
OURS = "tmux_exporter, 5 s tick"
OURS_BY_NEED = "tmux_exporter, by need"
LEAN = "process-exporter, lean"
DEFAULT = "process-exporter, default"
PSUTIL = "psutil sampler"
TMUX = "tmux server"
SCRAPERS = 10
_ROUNDS_APART = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure: windows of so many seconds, rounds of a reader alone, scrapes of each scraper.

    `settle` is how long the exporters run before their first windows, which do not count: only after a
    minute ours knows who is a stranger.
    """

    settle: float = AUDIT_SECONDS + 5.0 - LEAD_IN * 15.0
    windows: int = 4
    seconds: float = 15.0
    rounds: int = 6
    scrapes: int = 30

    @property
    def tick(self) -> float:
        """The default interval, in a window that is shorter than 15 s as often as in one of 15 s."""
        return self.seconds / 3


QUICK = Plan(settle=0.0, windows=1, seconds=3.0, rounds=2, scrapes=3)


def fleet_cost(fleet: Fleet, place: Path, plan: Plan) -> dict[str, Any]:
    """Everything of one fleet, as plain data; of a large one what its goals ask for. `place` is for files."""
    return _large(fleet, place, plan) if fleet.size.light else _whole(fleet, place, plan)


def _whole(fleet: Fleet, place: Path, plan: Plan) -> dict[str, Any]:
    with ExitStack() as stack:
        ours, slow, clocks = _own(stack, place, plan)
        need = stack.enter_context(
            peers.ours(OURS_BY_NEED, place, *peers.ticks(place, interval=plan.tick, idle=plan.seconds))
        )
        others = [stack.enter_context(peers.psutil_sampler(PSUTIL, place, fleet.server))]
        others += _process_exporters(stack, place, (LEAN, peers.LEAN), (DEFAULT, ()))
        every = [slow, need, *others, ours]
        _settle(plan)
        say(f"  {plan.windows} windows of {plan.seconds:g} s at rest")
        rest, asked, split = _windows(every, clocks, fleet, plan)
        alone_rest = _alone(fleet, plan)
        say("  the same with a tenth of all processes at work")
        with fleet.active():
            active, _, split_active = _windows(every, clocks, fleet, plan)
            alone_active = _alone(fleet, plan)
        say("  the same while every tenth pane starts a tool at every tick")
        with fleet.churning(plan.tick) as started:
            before = started[0]
            # After the second pause in its scrapes the one by need is longer in doubt about its scraper.
            lead_in = LEAD_IN + 2
            clocks.take()
            churn = measure(
                [clocks.peer, need, ours], {}, windows=plan.windows, seconds=plan.seconds, lead_in=lead_in
            )
            split_churn = {
                name: round(spent / (plan.windows + lead_in), 1) for name, spent in clocks.take().items()
            }
            tools = (started[0] - before) / (plan.windows + lead_in)
        return {
            **_common(fleet, every, plan, rest, asked),
            "active": active,
            "churn": {name: [round(each, 3) for each in windows] for name, windows in churn.items()},
            "tools_in_a_window": round(tools, 1),
            "alone_rest": alone_rest,
            "alone_active": alone_active,
            "split": {"rest": split, "active": split_active, "churn": split_churn},
        }


def _large(fleet: Fleet, place: Path, plan: Plan) -> dict[str, Any]:
    with ExitStack() as stack:
        ours, slow, clocks = _own(stack, place, plan)
        every = [slow, *_process_exporters(stack, place, (LEAN, peers.LEAN)), ours]
        _settle(plan)
        say(f"  {plan.windows} windows of {plan.seconds:g} s at rest")
        rest, asked, split = _windows(every, clocks, fleet, plan)
        return {**_common(fleet, every, plan, rest, asked), "split": {"rest": split}}


def _own(stack: ExitStack, place: Path, plan: Plan) -> tuple[Peer, Peer, Clocked]:
    """Ours with every tick taken, with one sample a window, and the same with clocks."""
    fast = peers.ticks(place, interval=plan.tick, idle=plan.tick)
    slow = peers.ticks(place, interval=plan.seconds, idle=plan.seconds)
    return (
        stack.enter_context(peers.ours(OURS, place, *fast)),
        stack.enter_context(peers.ours(OURS_SLOW, place, *slow)),
        stack.enter_context(clocked(place, *slow)),
    )


def _process_exporters(stack: ExitStack, place: Path, *kinds: tuple[str, tuple[str, ...]]) -> Iterator[Peer]:
    for name, arguments in kinds if peers.process_exporter() is not None else ():
        yield stack.enter_context(peers.process_exporter_by_pane(name, place, peers.PANES, *arguments))


def _settle(plan: Plan) -> None:
    if plan.settle:
        say("  some time to settle")
        time.sleep(plan.settle)


def _common(
    fleet: Fleet,
    every: list[Peer],
    plan: Plan,
    rest: Milliseconds,
    asked: dict[str, float],
) -> dict[str, Any]:
    """What is told of every fleet, after its windows; the last of `every` takes every tick."""
    ours = every[-1]
    say(f"  {SCRAPERS} scrapers")
    return {
        "panes": fleet.size.panes,
        "others": fleet.size.others,
        "processes": len(processes()),
        "light": fleet.size.light,
        "rest": rest,
        "tmux_queries_at_rest": sum(asked.values()),
        "tmux_queries_of_the_default_tick_at_rest": asked[OURS],
        "resident_mib": {each.name: round(resident_bytes(each.pid) / 2**20, 1) for each in every},
        "scrape_ms": _scrapes(ours, plan),
        "page_kib": round(len(ours.page()) / 1024),
    }


def _windows(
    every: list[Peer], clocks: Clocked, fleet: Fleet, plan: Plan
) -> tuple[Milliseconds, dict[str, float], Split]:
    """Milliseconds by name and window; how many listings each of ours asked for from page to page; and
    microseconds a window by stage.
    """
    align(every[0], plan.seconds)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    all_of_them = [clocks.peer, *every]
    measure(all_of_them, {}, windows=LEAD_IN, seconds=plan.seconds, pages=before)
    clocks.take()
    used = measure(all_of_them, {TMUX: fleet.server}, windows=plan.windows, seconds=plan.seconds, pages=after)
    split = {name: round(spent / plan.windows, 1) for name, spent in clocks.take().items()}
    rounded = {name: [round(each, 3) for each in windows] for name, windows in used.items()}
    return rounded, {name: queries(after[name]) - queries(page) for name, page in before.items()}, split


def _alone(fleet: Fleet, plan: Plan) -> dict[str, float]:
    """Median milliseconds of one sample of each kind."""
    took = _program("alone", str(fleet.server), str(plan.rounds), str(_ROUNDS_APART))
    return {name: round(statistics.median(each), 3) for name, each in took.items()}


def _scrapes(peer: Peer, plan: Plan) -> dict[str, float]:
    took = _program("scrapers", peer.url, str(SCRAPERS), str(plan.scrapes))
    return {
        "p50": round(took[len(took) // 2], 2),
        "p99": round(took[min(len(took) - 1, len(took) * 99 // 100)], 2),
        "count": len(took),
    }


def _program(name: str, *arguments: str) -> Any:
    """What it says in its first line."""
    command = [sys.executable, "-m", f"bench.programs.{name}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY)
    return json.loads(done.stdout.splitlines()[0])
