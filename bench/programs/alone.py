"""What one sample costs without tmux, page and HTTP: `alone.py SERVER_PID ROUNDS APART` prints JSON.

CPU milliseconds, one for each round: the exporter's reader of processes, the same while each process of this
user seems to have run, the plain reader that reads everything of all of them each time, psutil on the members
of the panes, `smaps_rollup` of all of this user.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bench.clocks import Later
from bench.programs.psutil_members import Sampler
from tmux_exporter.sources.processes.fast_reader import AUDIT_SECONDS, FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.kernel import ProcKernel
from tmux_exporter.sources.processes.open import open_processes
from tmux_exporter.sources.processes.process import ProcessReader, size_counts_fds

UID = os.getuid()


class Restless(ProcKernel):
    """Where everybody has run since the clocks were asked last."""

    def compare(self, clocks: Mapping[int, int]) -> tuple[list[int], list[int]]:
        """All but those who ended."""
        _, gone = super().compare(clocks)
        return list(clocks.keys() - set(gone)), gone


def restless(clock: Later) -> FastReader:
    """The exporter's reader with all clocks moved."""
    kernel = Restless("/proc", ProcessReader(uid=UID, by_size=size_counts_fds("/proc")))
    return FastReader(kernel, uid=UID, clock=clock, ticks_per_second=os.sysconf("SC_CLK_TCK"))


def rollups() -> None:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError):
                Path(f"/proc/{name}/smaps_rollup").read_bytes()


def main() -> None:
    server, rounds, apart = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    clock = Later()
    work: dict[str, Callable[[], object]] = {
        "reader": open_processes("/proc", uid=UID, clock=clock).read,
        "all read again": restless(clock).read,
        "plain reader": ProcReader(uid=UID, clock=clock).read,
        "psutil": Sampler(server).sample,
        "smaps_rollup of all": rollups,
    }
    for _ in range(2):
        for each in work.values():
            each()
        clock.skip(AUDIT_SECONDS + 1)
    for name in ("reader", "all read again"):
        work[name]()
    took: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        time.sleep(apart)
        for name, each in work.items():
            begun = time.process_time()
            each()
            took[name].append((time.process_time() - begun) * 1000)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
