"""Whether CPU is counted rightly: what a pane used by its cgroup, and what exporters say of it."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import peers
from bench.cost import LEAN, OURS_SLOW, PSUTIL, Plan
from bench.fleet import Fleet, Size
from bench.peers import Peer
from bench.say import say, wait_for
from tests.support.processes.cpu_truth import Cgroup, Workload
from tmux_exporter.commands.publisher import FRESH_AGE

_PYTHON = "/usr/bin/python3 -S -c"
_SECONDS = "end=$(($(date +%s) + {seconds})); while [ $(date +%s) -lt $end ]; do"

WORKLOADS = {
    "w1": ("a loop of /bin/true", "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"),
    "w2": ("a loop of Python children of 50 ms", f"{_PYTHON} 'for i in range(700000): i*i'"),
    "w3": ("orphans of 0.4 s each", f"({_PYTHON} 'for i in range(5000000): i*i' &) ; sleep 0.5"),
    "w4": (
        "pipelines of short programs",
        "ls -lR /usr/lib/python3 | sort | md5sum; grep -r import /usr/lib/python3 | sort | cksum",
    ),
}
_CPU = {
    OURS_SLOW: re.compile(r'^tmux_session_cpu_seconds_total\{.*session="work0".*\} (\S+)$', re.MULTILINE),
    LEAN: re.compile(r"^namedprocess_namegroup_cpu_seconds_total\{.*\} (\S+)$", re.MULTILINE),
    PSUTIL: re.compile(r"^pane_cpu_seconds_total\{.*\} (\S+)$", re.MULTILINE),
}


def accuracy(folder: Path, plan: Plan) -> dict[str, Any]:
    """Error of the CPU seconds of each workload by exporter, each asked once a window; 0.01 is 1 %."""
    fleet = Fleet(Size(panes=1, others=0), folder)
    try:
        with ExitStack() as stack:
            interval = ("--sampling.interval", f"{plan.seconds:g}s")
            every = [stack.enter_context(peers.ours(OURS_SLOW, folder, *interval))]
            every.append(stack.enter_context(peers.psutil_sampler(PSUTIL, folder, fleet.server)))
            if peers.process_exporter() is not None:
                every.append(
                    stack.enter_context(
                        peers.process_exporter_by_pane(LEAN, folder, "timekeeper.py", *peers.LEAN)
                    )
                )
            return {
                name: {"what": what, **_one(fleet, every, folder / name, script, plan)}
                for name, (what, script) in WORKLOADS.items()
            }
    finally:
        fleet.close()


def _one(fleet: Fleet, every: list[Peer], base: Path, script: str, plan: Plan) -> dict[str, Any]:
    seconds = round(2.2 * plan.seconds)
    say(f"  {base.name} for {seconds} s")
    loop = f"{_SECONDS.format(seconds=seconds)} {script} >/dev/null 2>&1; done\n"
    workload = Workload(base, loop)
    pid = int(fleet.tmux("new-window", "-d", "-P", "-F", "#{pane_pid}", "-t", "work0:", workload.command))
    wait_for(lambda: b"timekeeper" in Path(f"/proc/{pid}/cmdline").read_bytes(), "the pane waits")
    cgroup = Cgroup(pid) if Cgroup.possible() else None
    _settle(every[0])
    before = {peer.name: _cpu(peer) for peer in every}
    used_before = cgroup.used() if cgroup else 0.0
    workload.start()
    _every_window(every, lambda: workload.is_done, plan)
    _settle(every[0])
    truth = cgroup.used() - used_before if cgroup else workload.used()
    counted = {peer.name: _cpu(peer) - before[peer.name] for peer in every}
    fleet.tmux("kill-window", "-t", "work0:1")
    return {
        "truth_seconds": round(truth, 3),
        "truth": "cgroup" if cgroup else "wait4",
        "error": {name: round(each / truth - 1, 4) for name, each in counted.items()},
    }


def _cpu(peer: Peer) -> float:
    return sum(float(each) for each in _CPU[peer.name].findall(peer.page()))


def _settle(peer: Peer) -> None:
    """Have two more samples taken: what was in doubt in one is settled in the next."""
    for _ in range(2):
        time.sleep(FRESH_AGE)
        replace(peer, url=f"{peer.url}?fresh=1").page()


def _every_window(every: list[Peer], done: Callable[[], bool], plan: Plan) -> None:
    """Scrape everybody once a window until something has happened."""
    while not done():
        for peer in every:
            peer.page()
        try:
            wait_for(done, "it is done", plan.seconds)
        except TimeoutError:
            continue
