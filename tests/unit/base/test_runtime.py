"""The search for cyclic garbage leaves what stays alone. In a process of its own: one setting is for all."""

import sys

from tests.support.processes.run_text import run_text

PROGRAM = """
import gc
from tmux_exporter.commands.serve import Service
if {spared}:
    from tmux_exporter.base.runtime import tune_gc
    tune_gc()
runs = []
gc.callbacks.append(lambda phase, info: phase == "stop" and runs.append(info["generation"]))
for _ in range(100):
    sample = [[number] for number in range(2_000)]
print(len(gc.get_objects()), len(runs))
"""


def _count(*, spared: bool) -> tuple[int, int]:
    done = run_text([sys.executable, "-c", PROGRAM.format(spared=spared)], check=True)
    searched, runs = done.stdout.split()
    return int(searched), int(runs)


def test_samples_that_leave_no_cycles_are_searched_seldom_and_modules_never() -> None:
    searched, runs = _count(spared=True)
    usually, often = _count(spared=False)
    assert runs < often / 10
    assert searched - 2_000 < (usually - 2_000) / 10
