"""Where a sample's CPU goes: `profile.py ROUNDS APART LINES` prints JSON, then the costliest functions.

CPU milliseconds of a sample and of its page, median; the share of each part of a sample, and the functions by
their own time, from a second series under a profiler.
"""

import cProfile
import io
import json
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from bench.clocks import Later
from tmux_exporter.config import Config
from tmux_exporter.metrics.collectors import Memo, collect_all
from tmux_exporter.metrics.render import Renderer, compress
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sources.processes.fast_reader import AUDIT_SECONDS

T = TypeVar("T")

PARTS = (
    ("reading processes", "sources/processes/fast_reader.py", "read"),
    ("asking tmux", "sources/tmux/source.py", "read"),
    ("whose each process is", "analysis/ownership/incremental.py", "observe"),
    ("agents", "analysis/agents/find.py", "find"),
    ("their states", "analysis/agents/lifecycle.py", "observe"),
    ("schedulers", "analysis/schedulers/find.py", "find_schedulers"),
    ("leaks", "sampling/stages/leaks.py", "observe"),
    ("shared memory", "sampling/stages/memory.py", "observe"),
    ("counter keys", "analysis/report/counter_keys.py", "observe"),
    ("process accounting", "analysis/cpu/counters.py", "observe"),
    ("counters that are shown", "analysis/report/counter_keys.py", "shown_keys"),
    ("the host", "sources/host/host.py", "read"),
    ("sums of sessions", "analysis/report/summary.py", "sessions"),
    ("sums of panes", "analysis/report/summary.py", "panes"),
    ("sums of agents", "analysis/report/summary.py", "agents"),
)
"""The parts of a sample by the function that does it; one that is not there any more is left out."""


def main() -> None:
    rounds, apart, lines = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    config = Config()
    clock = Later()
    sampler, renderer, memo = open_sampler(config, clock, os.environ), Renderer(), Memo()
    took: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        begun = time.process_time()
        result = work()
        took.setdefault(name, []).append((time.process_time() - begun) * 1000)
        return result

    def one() -> None:
        report = timed("sample", sampler.sample)
        families = timed("families", lambda: collect_all(report, config, memo=memo).families)
        pages = timed("page", lambda: renderer.render(families))
        timed("gzip", lambda: compress(pages, openmetrics=False))

    for _ in range(3):
        one()
        clock.skip(AUDIT_SECONDS + 1)
    one()
    took.clear()
    for _ in range(rounds):
        time.sleep(apart)
        one()
    medians = {name: round(statistics.median(each), 2) for name, each in took.items()}
    text, shares = _profiled(sampler, rounds, apart, lines)
    print(json.dumps({"ms": medians, "percent_of_a_sample": shares}))
    print(text)


def _profiled(sampler: Sampler, rounds: int, apart: float, lines: int) -> tuple[str, dict[str, float]]:
    profiler = cProfile.Profile(time.process_time)
    for _ in range(rounds):
        time.sleep(apart)
        profiler.enable()
        sampler.sample()
        profiler.disable()
    out = io.StringIO()
    stats = pstats.Stats(profiler, stream=out)
    stats.sort_stats("tottime").print_stats(lines)
    cumulative = {
        (file.partition("tmux_exporter/")[2], name): figures[3]
        for (file, _, name), figures in stats.stats.items()  # type: ignore[attr-defined]
    }
    whole = cumulative["sampling/sampler.py", "sample"]
    shares = {
        label: round(cumulative[file, name] / whole * 100, 1)
        for label, file, name in PARTS
        if (file, name) in cumulative
    }
    return out.getvalue(), shares


if __name__ == "__main__":
    main()
