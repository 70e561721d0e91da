"""Where the CPU of the running daemon goes: microseconds by stage, of `serve` with a clock at each stage."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.fleet import Fleet, Size
from bench.peers import Peer
from bench.say import wait_for
from bench.windows import LEAD_IN, measure

CLOCKED = "tmux_exporter, one sample a window, with clocks"
REST = "HTTP, threads, waking up"
GROUPS = (
    ("reading processes", ("processes",)),
    ("tmux", ("tmux",)),
    ("host, cgroups, files of others", ("host", "ledgers", "memory limits", "remediator file")),
    (
        "whose each process is, agents, leaks, schedulers, counters",
        (
            "changes",
            "ownership",
            "agents",
            "schedulers",
            "leaks",
            "shared memory",
            "counters",
            "operations",
            "spending",
            "lineage",
            "workspaces",
        ),
    ),
    ("report", ("report", "sample", "publish", "garbage collection")),
    ("page", ("families", "lines", "gzip")),
    (REST, (REST,)),
)
"""Stages by the first words of their names."""

Split = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocked:
    """One that runs under clocks; `take` is what it used since the last time."""

    peer: Peer
    out: Path

    def take(self) -> Split:
        """Microseconds by stage."""
        self.out.unlink(missing_ok=True)
        os.kill(self.peer.pid, signal.SIGUSR1)
        wait_for(lambda: self.out.exists() and self.out.read_text().endswith("}"), "the clocks are read")
        found = json.loads(self.out.read_text())
        stages = {name: nanoseconds / 1000 for name, nanoseconds in found["stages"].items()}
        return {**stages, REST: found["process"] / 1000 - sum(stages.values())}


@contextmanager
def clocked(folder: Path, *arguments: str) -> Iterator[Clocked]:
    """`serve` with a clock at each stage."""
    out = folder / "stages.json"
    program = ("-m", "bench.programs.stages", str(out))
    with peers.ours(CLOCKED, folder, *arguments, program=program) as peer:
        yield Clocked(peer=peer, out=out)


def grouped(split: Mapping[str, float]) -> Split:
    """The sums of the groups, without empty ones."""
    sums = {
        group: sum(spent for name, spent in split.items() if name.startswith(starts))
        for group, starts in GROUPS
    }
    return {group: spent for group, spent in sums.items() if spent}


def profile(size: Size, folder: Path, *, windows: int, seconds: float, settle: float) -> str:
    """A table of microseconds a window by stage, at rest and with a tenth of all processes at work."""
    fleet = Fleet(size, folder)
    try:
        slow = peers.ticks(folder, interval=seconds, idle=seconds)
        with clocked(folder, *slow) as clocks:
            time.sleep(settle)
            found = [_split(clocks, windows, seconds)]
            with fleet.active():
                found.append(_split(clocks, windows, seconds))
    finally:
        fleet.close()
    names = sorted({name for each in found for name in each}, key=lambda name: -found[0].get(name, 0.0))
    rows = [f"{name:34}" + "".join(f"{each.get(name, 0.0):12.0f}" for each in found) for name in names]
    sums = "".join(f"{sum(each.values()):12.0f}" for each in found)
    return "\n".join([f"{'us a window':34}{'at rest':>12}{'at work':>12}", *rows, f"{'all':34}{sums}"])


def _split(clocks: Clocked, windows: int, seconds: float) -> Split:
    measure([clocks.peer], {}, windows=LEAD_IN, seconds=seconds)
    clocks.take()
    measure([clocks.peer], {}, windows=windows, seconds=seconds)
    return {name: spent / windows for name, spent in clocks.take().items()}
