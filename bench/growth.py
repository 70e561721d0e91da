"""What more costs: one more session with an agent, 6,000 processes in a pane, a burst of panes that ends."""

import re
import shutil
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import peers
from bench.clocks import processes, resident_bytes
from bench.cost import Plan
from bench.fleet import PROGRAMS, Fleet, Size
from bench.peers import Peer
from bench.say import say, wait_for
from bench.windows import measure

FORKED = 6000
BURST = Size(panes=200, others=0)
BURST_PANES = 800
GIVEN_BACK_SECONDS = 300.0
_PANES = re.compile(r"^tmux_server_panes\{[^}]*\} (\S+)$", re.MULTILINE)
_SAMPLES = re.compile(r"^tmux_exporter_samples_total\{.*\} (\S+)$", re.MULTILINE)
_AGENTS = re.compile(r"^tmux_agent_up\{", re.MULTILINE)


def series_of_a_session(folder: Path, *, sessions: int = 10) -> float:
    """Series that one more session with one agent brings, with the default settings."""
    fleet = Fleet(Size(panes=1, others=0), folder)
    program = folder / "claude"
    shutil.copy("/bin/bash", program)
    (folder / "claude.sh").write_text("sleep 1000000; :\n")
    try:
        with peers.ours("series", folder, "--sampling.interval", "500ms") as exporter:
            found: list[int] = []
            for count in (1, 1 + sessions):
                for number in range(len(found) and 1, count):
                    command = f"exec {program} {folder}/claude.sh"
                    fleet.tmux("new-session", "-d", "-s", f"agent{number}", command)
                _wait_for_agents(exporter, count)
                found.append(_series(exporter.page()))
    finally:
        fleet.close()
    return round((found[1] - found[0]) / sessions, 1)


def forked_in_one_pane(folder: Path, plan: Plan, *, count: int = FORKED) -> dict[str, Any]:
    """Milliseconds of CPU for a sample, page included, while so many processes rest in one pane."""
    size = Size(panes=1, others=count)
    if why := size.lacking():
        return {"processes": count, "left_out": why}
    fleet = Fleet(Size(panes=1, others=0), folder)
    try:
        ticks = peers.ticks(folder, interval=plan.tick, idle=plan.tick)
        with peers.ours("forked", folder, *ticks) as exporter:
            alone = _sample_cost(exporter, plan)
            before = len(processes())
            command = f"exec python3 -I -S {PROGRAMS}/forks.py {count}"
            fleet.tmux("new-window", "-d", "-t", "work0:", command)
            wait_for(lambda: len(processes()) >= before + count, f"{count} processes run", 120)
            # What is new is read in full by the next samples; at rest it is known.
            time.sleep(plan.settle + 3 * plan.tick)
            beside = _sample_cost(exporter, plan)
    finally:
        fleet.close()
    return {"processes": count, "ms_before": round(alone, 2), "ms": round(beside, 2)}


def burst(
    folder: Path,
    plan: Plan,
    *,
    size: Size = BURST,
    more: int = BURST_PANES,
    within: float = GIVEN_BACK_SECONDS,
) -> dict[str, Any]:
    """Resident memory before and after the page was much larger for a while."""
    fleet = Fleet(size, folder)
    try:
        ticks = peers.ticks(folder, interval=plan.tick, idle=plan.seconds)
        with peers.ours("burst", folder, *ticks) as exporter:
            # Its first minute is the dearest: then it knows who is a stranger.
            _scraped(exporter, plan, plan.settle + plan.seconds)
            before = resident_bytes(exporter.pid)
            lines = [f"new-session -d -s more{each} 'exec sleep 1000000'\n" for each in range(more)]
            script = folder / "more.conf"
            script.write_text("".join(lines))
            fleet.tmux("source-file", str(script))
            _wait_for_panes(exporter, size.panes + more)
            _scraped(exporter, plan, 2 * plan.seconds)
            largest = resident_bytes(exporter.pid)
            script.write_text("".join(f"kill-session -t more{each}\n" for each in range(more)))
            fleet.tmux("source-file", str(script))
            _wait_for_panes(exporter, size.panes)
            _scraped(exporter, plan, within)
            after = resident_bytes(exporter.pid)
    finally:
        fleet.close()
    mib = {"before": before, "largest": largest, "after": after}
    return {
        "panes": size.panes,
        "more": more,
        "seconds": within,
        "mib": {name: round(each / 2**20, 1) for name, each in mib.items()},
    }


def _scraped(exporter: Peer, plan: Plan, seconds: float) -> None:
    """For so long, scraped once a window."""
    say(f"  {seconds:.0f} s")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        exporter.page()
        time.sleep(min(plan.seconds, max(0.0, until - time.monotonic())))


def _sample_cost(exporter: Peer, plan: Plan) -> float:
    """Milliseconds of CPU by the samples taken."""
    before = _sum(_SAMPLES, exporter)
    used = measure([exporter], {}, windows=plan.windows, seconds=plan.seconds)[exporter.name]
    return fmean(used) * len(used) / max(1.0, _sum(_SAMPLES, exporter) - before)


def _sum(pattern: re.Pattern[str], exporter: Peer) -> float:
    return sum(map(float, pattern.findall(exporter.page())))


def _wait_for_panes(exporter: Peer, count: int) -> None:
    wait_for(lambda: _sum(_PANES, exporter) == count, f"{count} panes are seen", 120)


def _wait_for_agents(exporter: Peer, count: int) -> None:
    wait_for(lambda: len(_AGENTS.findall(exporter.page())) == count, f"{count} agents are seen", 60)


def _series(page: str) -> int:
    return sum(bool(line) and not line.startswith("#") for line in page.split("\n"))
