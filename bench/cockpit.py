"""What the live page costs: CPU with one viewer, the first paint, the last hour that the exporter keeps."""

import os
import shutil
import statistics
import subprocess
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import peers
from bench.cost import Plan
from bench.fleet import WINDOWS_PER_SESSION
from bench.readers import viewer
from bench.say import say, wait_for
from bench.windows import LEAD_IN, measure
from tests.support.literals.report import large_report
from tests.support.web.browser import start_chrome
from tmux_exporter.commands.history import POINTS, STEP_SECONDS, History

AGENTS = 150
KEPT = 200
"""Agents of the history, each in a session of its own."""
LOADS = 5
_SHOWN = "return performance.getEntriesByName('first report')[0]?.startTime"
_PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def cockpit(folder: Path, plan: Plan, *, agents: int = AGENTS, kept: int = KEPT) -> dict[str, Any]:
    """Milliseconds of CPU in a window by who reads; until a loaded page is drawn; KiB of history."""
    with _crowd(folder, agents):
        arguments = peers.ticks(folder, interval=plan.tick, idle=plan.seconds)
        with peers.ours("watched", folder, *arguments) as exporter:
            wait_for(lambda: exporter.page().count("\ntmux_agent_up{") == agents, f"{agents} agents", 120)
            say("  one scrape a window")
            alone = _cost(exporter, plan)
            say("  and a viewer")
            with viewer(exporter):
                viewed = _cost(exporter, plan)
            say(f"  {LOADS} loads in Chromium")
            loads = _loads(exporter.url.removesuffix("metrics"), folder / "browser")
    return {
        "agents": agents,
        "seconds": plan.seconds,
        "ms": {"alone": alone, "viewed": viewed},
        "core_percent": round((viewed - alone) / plan.seconds / 10, 2),
        "paint_ms": loads["paint"],
        "useful_ms": loads["useful"],
        "kept": kept,
        "history_kib": _history_kib(kept),
    }


def _cost(exporter: peers.Peer, plan: Plan) -> float:
    used = measure([exporter], {}, windows=plan.windows, seconds=plan.seconds, lead_in=LEAD_IN)
    return round(statistics.fmean(used[exporter.name]), 2)


@contextmanager
def _crowd(folder: Path, count: int) -> Iterator[None]:
    """So many agents at their prompts, on one tmux server."""
    shutil.copy("/bin/bash", folder / "claude")
    os.mkfifo(folder / "never")
    (folder / "rests.sh").write_text(f"printf '> '; read <>{folder}/never\n")
    pane = f"exec {folder}/claude {folder}/rests.sh"
    lines = [
        f"new-window -d -t work{number // WINDOWS_PER_SESSION}: '{pane}'"
        if number % WINDOWS_PER_SESSION
        else f"new-session -d -s work{number // WINDOWS_PER_SESSION} '{pane}'"
        for number in range(count)
    ]
    (folder / "crowd.conf").write_text("\n".join(lines) + "\n")
    tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    subprocess.run([*tmux, "start-server", ";", "source-file", str(folder / "crowd.conf")], check=True)
    try:
        yield
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def _loads(url: str, profile: Path) -> dict[str, float]:
    """Medians: until anything is painted, and until the page shows the first report."""
    chrome = start_chrome(profile)
    found: dict[str, list[float]] = {"paint": [], "useful": []}
    try:
        for _ in range(LOADS):
            chrome.get(url)
            for name, script in (("useful", _SHOWN), ("paint", _PAINT)):
                found[name].append(wait_for(partial(chrome.execute_script, script), f"{name} is timed", 60))
            chrome.get("about:blank")
    finally:
        chrome.quit()
    return {name: round(statistics.median(each)) for name, each in found.items()}


def _history_kib(count: int) -> float:
    """Of a full hour of so many agents, each in a session of its own."""
    report = large_report(count)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        history = History()
        history.gzipped()
        for point in range(POINTS):
            history.take(replace(report, timestamp=report.timestamp + point * STEP_SECONDS))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return round((held - before) / 1024)
