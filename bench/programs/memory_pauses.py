"""How long a large process stands still while it is looked at: `memory_pauses.py MIB SECONDS` prints JSON.

The process maps and unmaps memory all the time, and a child of it shares its memory, so that it matters to
the headline. Milliseconds of its longest pauses: left alone, beside our samples, beside `smaps_rollup`. A
wait is a pause in which it was stopped by a lock, and did not only lose its CPU to others.
"""

import json
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Never

from tmux_exporter.analysis.memory.shared_memory import SharedMemory
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.smaps_rollup import RollupReader

UID = os.getuid()
_APART = 0.1
_NOTED = 0.3
"""Of a pause of so many milliseconds it is asked whether it was spent waiting."""


def _waits() -> int:
    """How often this thread has waited; to have lost the CPU to others is another figure."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def target(mib: int, ready: int, orders: int, answers: int) -> Never:
    area = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, len(area), 4096):
        area[at] = 1
    if os.fork() == 0:
        os.close(orders)
        while True:
            time.sleep(1000)
    os.write(ready, b".")
    while os.read(orders, 1):
        os.set_blocking(orders, False)
        took, blocked, waits = [0.0], 0.0, _waits()
        while True:
            begun = time.perf_counter()
            mmap.mmap(-1, 65536).close()
            took.append((time.perf_counter() - begun) * 1000)
            if took[-1] > _NOTED:
                waits, before = _waits(), waits
                blocked = max(blocked, took[-1]) if waits > before else blocked
            with suppress(BlockingIOError):
                if os.read(orders, 1):
                    break
        os.set_blocking(orders, True)
        took.sort()
        line = {
            "p99.9": round(took[len(took) * 999 // 1000], 3),
            "longest": round(took[-1], 3),
            "longest_wait": round(blocked, 3),
        }
        os.write(answers, json.dumps(line).encode() + b"\n")
    os._exit(0)


def main() -> None:
    mib, seconds = int(sys.argv[1]), float(sys.argv[2])
    is_ready, ready = os.pipe()
    orders, order = os.pipe()
    heard, answers = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(order)
        target(mib, ready, orders, answers)
    os.read(is_ready, 1)
    clock = SystemClock()
    reader, rollups, pages = ProcReader(uid=UID, clock=clock), RollupReader(clock=clock), SharedMemory()

    def sample() -> None:
        table = reader.read()
        mine = {each.id for each in table.processes.values() if each.uid == UID}
        pages.learn(rollups.read(pages.plan(table, mine)))

    def rollup() -> None:
        Path(f"/proc/{pid}/smaps_rollup").read_bytes()

    found = {}
    looks: dict[str, Callable[[], object]] = {
        "left alone": lambda: None,
        "our samples": sample,
        "smaps_rollup": rollup,
    }
    with os.fdopen(heard) as lines:
        for name, look in looks.items():
            os.write(order, b"+")
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                look()
                time.sleep(_APART)
            os.write(order, b"-")
            found[name] = json.loads(lines.readline())
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in [pid, *map(int, children)]:
        os.kill(each, signal.SIGKILL)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
