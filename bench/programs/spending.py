"""One sampler beside agents that write transcripts: `spending.py FOLDER on|off`, until FOLDER/end is there.

Prints JSON, one object for each word that FOLDER/lap had: how long it had it, what the sampler used then, its
resident memory and the requests it had counted then, and its longest and its median sample.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

from bench.clocks import resident_bytes
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import AgentSettings, Config
from tmux_exporter.sampling.open import open_sampler, spending_files

EVERY_SECONDS = 0.25


def main() -> None:
    folder, usage = Path(sys.argv[1]), sys.argv[2]
    config = Config(agents=AgentSettings(pane_text=False, usage=usage == "on"))
    clock = SystemClock()
    files = spending_files(config, clock, os.environ) if usage == "on" else None
    sampler = open_sampler(config, clock, os.environ, spending=files)
    laps: dict[str, dict[str, float]] = {}
    lap, took, begun, used = "", [], time.monotonic(), time.process_time()
    while True:
        at = time.perf_counter()
        report = sampler.sample()
        took.append((time.perf_counter() - at) * 1000)
        requests = sum(each.spending.requests or 0 for each in report.agents if each.spending)
        (folder / f"requests-{usage}").write_text(str(requests))
        ends = (folder / "end").exists()
        now = (folder / "lap").read_text()
        if now != lap or ends:
            laps[lap] = {
                "seconds": time.monotonic() - begun,
                "cpu": time.process_time() - used,
                "resident": resident_bytes(os.getpid()),
                "longest_ms": max(took),
                "median_ms": statistics.median(took),
                "samples": len(took),
                "requests": requests,
            }
            lap, took, begun, used = now, [], time.monotonic(), time.process_time()
        if ends:
            break
        time.sleep(EVERY_SECONDS)
    print(json.dumps(laps))


if __name__ == "__main__":
    main()
