"""What a page costs: collecting, rendering, compressing, beside prometheus_client for the same families.

Run: python -m bench.exposition [SESSIONS …]   (one pane, one agent and one scheduler in each session)
"""

import gzip
import sys
import time
from collections.abc import Callable

from tests.support.literals.report import large_report
from tests.support.web.client import client_pages
from tmux_exporter.config import Config, LimitSettings
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import Renderer

ROUNDS = 15
CONFIG = Config(limits=LimitSettings(series=1_000_000))


def best(work: Callable[[], object]) -> float:
    """Milliseconds of the quickest of some rounds."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took) * 1000


def measure(sessions: int) -> str:
    """One row of the table; both formats are rendered."""
    report = large_report(sessions)
    families = collect_all(report, CONFIG).families
    renderer = Renderer()
    page = renderer.render(families)
    assert (page.text, page.openmetrics) == client_pages(families)
    ours = best(lambda: renderer.render(families))
    theirs = best(lambda: client_pages(families))
    columns = (
        f"{sessions:8}",
        f"{sum(each.series for each in families):8}",
        f"{len(page.text) / 1024:8.0f}",
        f"{best(lambda: collect_all(report, CONFIG)):8.1f}",
        f"{ours:8.1f}",
        f"{best(lambda: gzip.compress(page.text, 1)):8.1f}",
        f"{theirs:8.1f}",
        f"{theirs / ours:7.1f}x",
    )
    return " ".join(columns)


def main() -> None:
    """Print the table."""
    print("sessions   series      KiB  collect   render   gzip1   client   ratio   (ms, both formats)")
    for sessions in [int(word) for word in sys.argv[1:]] or [10, 50, 200]:
        print(measure(sessions))


if __name__ == "__main__":
    main()
