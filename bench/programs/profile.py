"""Where a sample's CPU goes: `profile.py ROUNDS APART LINES` prints the costliest functions and the parts.

CPU milliseconds of each part, median; then the functions by their own time, from a second series.
"""

import cProfile
import json
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from tmux_exporter.clock import SystemClock
from tmux_exporter.config import Config
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import Renderer, compress
from tmux_exporter.sampler import open_sampler
from tmux_exporter.web.report_json import render as render_json

T = TypeVar("T")


def main() -> None:
    rounds, apart, lines = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    config = Config()
    sampler, renderer = open_sampler(config, SystemClock(), os.environ), Renderer()
    took: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        begun = time.process_time()
        result = work()
        took.setdefault(name, []).append((time.process_time() - begun) * 1000)
        return result

    def one() -> None:
        report = timed("sample", sampler.sample)
        families = timed("families", lambda: collect_all(report, config).families)
        pages = timed("pages", lambda: renderer.render(families))
        timed("gzip", lambda: (compress(pages.text), compress(pages.openmetrics)))
        timed("report as JSON", lambda: render_json(report))

    for _ in range(3):
        one()
    took.clear()
    for _ in range(rounds):
        time.sleep(apart)
        one()
    medians = {name: round(statistics.median(each), 2) for name, each in took.items()}
    print(json.dumps(medians))
    profiler = cProfile.Profile(time.process_time)
    for _ in range(rounds):
        time.sleep(apart)
        profiler.enable()
        one()
        profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(lines)


if __name__ == "__main__":
    main()
