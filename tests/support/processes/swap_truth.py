"""Memory and swap of a process that is pushed out, and of its forks, against its cgroup; prints JSON.

A program of its own with the standard library only, to run on a machine that has swap and little else.
"""

import json
import mmap
import os
import subprocess
import sys
import time
from typing import Never

from tests.support.processes.memory_truth import MemoryCgroup
from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.memory.shared_memory import SharedMemory
from tmux_exporter.analysis.report.usage import usage
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import MemorySource
from tmux_exporter.facts.report import Usage
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.smaps_rollup import RollupReader

MIB = 1 << 20
TAKEN = 160 * MIB
LIMIT = 70 * MIB
WORKERS = 2


def has_swap() -> bool:
    """Whether enough of it is free."""
    with open("/proc/meminfo") as lines:
        figures = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":") for line in lines)}
    return figures["SwapFree"] > 2 * TAKEN


def member() -> Never:
    """Take memory, more than the cgroup lets it keep, fork, and say who there is."""
    area = mmap.mmap(-1, TAKEN, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, TAKEN, 4096):
        area[at] = 1
    for _ in range(WORKERS):
        child = os.fork()
        if child == 0:
            break
        os.write(1, f"{child}\n".encode())
    else:
        os.write(1, f"{os.getpid()}\n".encode())
    while True:
        time.sleep(1000)


def main() -> None:
    # A shell that waits in the cgroup before it becomes the interpreter: all of that is charged there.
    script = 'read word; exec "$0" -m tests.support.processes.swap_truth member'
    command = ["sh", "-c", script, sys.executable]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdin is not None and first.stdout is not None
    cgroup = MemoryCgroup(first.pid)
    cgroup.limit(LIMIT)
    first.stdin.write("go\n")
    first.stdin.flush()
    pids = [int(first.stdout.readline()) for _ in range(WORKERS + 1)]
    clock = SystemClock()
    reader, rollups, pages = (
        ProcReader(uid=os.getuid(), clock=clock),
        RollupReader(clock=clock),
        SharedMemory(),
    )

    def look() -> tuple[Usage, Usage]:
        table = reader.read()
        members = [table.processes[each] for each in pids]
        pages.learn(rollups.read(pages.plan(table, {each.id for each in members})))
        figures = usage(members, Totals(), table.start_time, memory=pages.figures())
        return figures, usage(members, Totals(), table.start_time)

    found, plain = look()
    for _ in range(40):
        if found.memory_source is MemorySource.SMAPS_ROLLUP:
            break
        time.sleep(0.2)
        found, plain = look()
    print(
        json.dumps(
            {
                "source": found.memory_source,
                "memory": found.memory_bytes,
                "held": cgroup.held(),
                "swap": found.swap_memory_bytes,
                "swapped": cgroup.swapped(),
                "swap_of_status": plain.swap_memory_bytes,
            }
        )
    )
    for each in pids:
        os.kill(each, 9)
    first.wait()
    cgroup.close()


if __name__ == "__main__":
    member() if sys.argv[1:] == ["member"] else main()
