"""A real exporter samples by need, and no reader gets an older figure than promised."""

import re
import threading
import time
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter
from tests.support.programs.exporter import Exporter

INTERVAL, IDLE = 1.0, 3.0


def figure(page: str, name: str) -> float:
    """The sum of the series of one name."""
    return sum(map(float, re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", page, re.MULTILINE)))


def pause(seconds: float) -> None:
    """Nobody reads for so long."""
    assert not threading.Event().wait(seconds)


def scrape(exporter: Exporter) -> str:
    """The page, which is as fresh as promised."""
    asked = time.time()
    page = exporter.metrics()
    age = asked - figure(page, "tmux_exporter_last_sample_timestamp_seconds")
    # The publisher times what the sampler's own figure leaves out, too.
    assert age <= INTERVAL + figure(page, "tmux_exporter_sample_duration_seconds") + 0.3
    return page


@pytest.mark.long
def test_samples_are_taken_by_need(start_exporter: StartExporter, tmp_path: Path) -> None:
    config = tmp_path / "tick.yml"
    config.write_text(f"sampling: {{idle_interval: {IDLE:g}s}}\n")
    exporter = start_exporter("--config", str(config), "--sampling.interval", f"{INTERVAL:g}s")
    pause(3 * IDLE)
    page = scrape(exporter)
    quiet = figure(page, "tmux_exporter_samples_total")
    assert quiet <= 6, "nobody read: three and the first, and one for this scrape"
    assert figure(page, "tmux_exporter_sample_tick_seconds") >= INTERVAL

    begun = time.monotonic()
    pages = []
    for number in range(1, 13):
        pause(max(0.0, begun + number * IDLE - time.monotonic()))
        pages.append(scrape(exporter))
    regular = figure(pages[-1], "tmux_exporter_samples_total") - figure(
        pages[3], "tmux_exporter_samples_total"
    )
    assert regular <= 1.5 * 8, "one for each scrape; at a fixed tick three"

    for _ in range(3):
        exporter.get("/api/v1/report")
        pause(INTERVAL)
    page = exporter.metrics()
    assert figure(page, "tmux_exporter_sample_tick_seconds") == pytest.approx(INTERVAL, abs=0.01)
