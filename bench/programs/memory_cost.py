"""CPU of the headline memory beside `smaps_rollup` of every process: `memory_cost.py SAMPLES` prints JSON.

A family of eight, forked from one of 150 MiB and writing to a page now and then, among 60 plain processes:
milliseconds a sample of both, MiB that are counted and MiB by the proportions of the kernel.
"""

import json
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Never

from tmux_exporter.analysis.memory.shared_memory import SharedMemory
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.smaps_rollup import RollupReader

MIB = 1 << 20
WORKERS = 7
PLAIN = 60
_FIRST = 3
UID = os.getuid()


def stay(area: mmap.mmap) -> Never:
    at = 0
    while True:
        time.sleep(0.2)
        area[at] = 2
        at = (at + 4096) % len(area)


def family() -> list[int]:
    """The parent in a process of its own, and its workers."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        area = mmap.mmap(-1, 150 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, len(area), 4096):
            area[at] = 1
        for _ in range(WORKERS):
            child = os.fork()
            if child == 0:
                stay(area)
            os.write(writing, f"{child}\n".encode())
        os.write(writing, f"{os.getpid()}\n".encode())
        stay(area)
    found: list[int] = []
    with os.fdopen(reading) as lines:
        while len(found) < WORKERS + 1:
            found.append(int(lines.readline()))
    return found


def main() -> None:
    samples = int(sys.argv[1])
    members = family()
    plain = [subprocess.Popen(["/bin/sleep", "1000000"]).pid for _ in range(PLAIN)]
    clock = SystemClock()
    reader, rollups, pages = ProcReader(uid=UID, clock=clock), RollupReader(clock=clock), SharedMemory()
    table: ProcessTable = reader.read()
    mine = {table.processes[pid].id for pid in [*members, *plain]}

    def sample() -> None:
        asked = pages.plan(table, mine)
        pages.learn(rollups.read(asked))
        pages.figures()

    def every() -> int:
        total = 0
        for pid in [*members, *plain]:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            figures = dict(line.split(":") for line in text.splitlines()[1:])
            total += sum(int(figures[name].split()[0]) for name in ("Pss_Anon", "Pss_Shmem")) * 1024
        return total

    spent, full = 0.0, 0.0
    truth = 0
    # The first reading of all, once.
    for _ in range(_FIRST):
        table = reader.read()
        sample()
    for number in range(samples):
        table = reader.read()
        spent += timed(sample)
        if number % 10 == 0:
            begun = time.process_time()
            truth = every()
            full += time.process_time() - begun
        time.sleep(0.02)
    figures = pages.figures()
    counted = sum(figures.memory_bytes(table.processes[each.pid]) or 0 for each in mine)
    for pid in [*members, *plain]:
        os.kill(pid, signal.SIGKILL)
    result = {
        "headline_ms": round(spent / samples * 1000, 3),
        "smaps_rollup_of_all_ms": round(full / ((samples + 9) // 10) * 1000, 3),
        "counted_mib": round(counted / MIB, 1),
        "proportional_mib": round(truth / MIB, 1),
    }
    print(json.dumps(result))


def timed(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
