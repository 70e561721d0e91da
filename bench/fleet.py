"""A tmux server full of panes, and processes beside it that have nothing to do with it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

from bench.clocks import processes
from bench.say import say, wait_for

PROGRAMS = Path(__file__).parent / "programs"
PANE_PROCESSES = 7
WINDOWS_PER_SESSION = 5
LIGHT_FROM = 1000
"""So many panes have small processes of one thread each: memory and process ids would not do for more."""
ACTIVE_SHARE = 0.1
_SPARE_PIDS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a fleet is: panes of 7 processes each, and unrelated processes."""

    panes: int
    others: int

    @property
    def name(self) -> str:
        return f"{self.panes} panes, {self.others:,} others"

    @property
    def members(self) -> int:
        return self.panes * PANE_PROCESSES

    @property
    def light(self) -> bool:
        return self.panes >= LIGHT_FROM

    @property
    def ids(self) -> int:
        """Process and thread ids that it takes."""
        return self.panes * (PANE_PROCESSES if self.light else 15) + self.others

    def lacking(self) -> str:
        """Why this machine cannot hold it; empty where it can."""
        limit = int(Path("/proc/sys/kernel/pid_max").read_text())
        if self.ids + _SPARE_PIDS > limit:
            return f"{self.ids} process and thread ids are needed, kernel.pid_max is {limit}"
        found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
        available = int(found[1]) << 10 if found else 0
        needed = (self.panes * (5 if self.light else 25) + self.others * 0.4) * (1 << 20)
        if needed > available:
            gib = (f"{each / (1 << 30):.1f}" for each in (needed, available))
            return "about {} GiB of memory are needed, {} are free".format(*gib)
        return ""


FLEETS = (
    Size(panes=50, others=1000),
    Size(panes=200, others=3000),
    Size(panes=1000, others=3000),
    Size(panes=1000, others=10_000),
)
"""Those of the goals."""


class Fleet:
    """One that runs; `server` is the pid of its tmux server."""

    def __init__(self, size: Size, folder: Path) -> None:
        self.size = size
        self.folder = folder
        self.socket = folder / "tmux"
        self._crowds: list[int] = []
        self._build()
        self.server = int(self.tmux("display-message", "-p", "#{pid}"))
        self._workers = self._find_workers()

    def tmux(self, *arguments: str) -> str:
        """Run a tmux command at its server."""
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    @contextmanager
    def active(self) -> Iterator[None]:
        """A tenth of all members works a little every second."""
        chosen = self._workers[: round(self.size.members * ACTIVE_SHARE)]
        for pid in chosen:
            os.kill(pid, signal.SIGUSR1)
        try:
            yield
        finally:
            for pid in chosen:
                os.kill(pid, signal.SIGUSR2)

    @contextmanager
    def churning(self, every: float) -> Iterator[list[int]]:
        """Every tenth pane starts one tool, which ends before the next, each `every` seconds; counts them."""
        panes = [int(pid) for pid in self.tmux("list-panes", "-a", "-F", "#{pane_pid}").split()]
        chosen = panes[:: round(1 / ACTIVE_SHARE)]
        started, ending = [0], Event()

        def start() -> None:
            while not ending.wait(every):
                for pid in chosen:
                    os.kill(pid, signal.SIGUSR1)
                started[0] += len(chosen)

        thread = Thread(target=start, daemon=True)
        thread.start()
        try:
            yield started
        finally:
            ending.set()
            thread.join()

    def grow(self, others: int) -> None:
        """Have so many unrelated processes."""
        self._start_others(others - self.size.others)
        self.size = replace(self.size, others=others)
        self._wait_for_all()

    def close(self) -> None:
        """End it and wait until all of it is gone."""
        # Panes take SIGHUP from their terminal; what is in the background of a script does not get it.
        members = [pid for pid in _tree(self.server) if pid != self.server]
        self.tmux("kill-server")
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        others = [pid for crowd in self._crowds for pid in _tree(crowd)]
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        ended = {self.server, *members, *others}
        wait_for(lambda: not ended & processes().keys(), "the fleet is gone", 120)

    def _build(self) -> None:
        say(f"building {self.size.name}")
        self._start_others(self.size.others)
        kind = "light" if self.size.light else "full"
        pane = f"exec {PROGRAMS}/pane {sys.base_prefix}/bin/python3 {PROGRAMS} {kind}"
        lines = [
            f"new-session -d -s work{number // WINDOWS_PER_SESSION} '{pane}'"
            if number % WINDOWS_PER_SESSION == 0
            else f"new-window -d -t work{number // WINDOWS_PER_SESSION}: '{pane}'"
            for number in range(self.size.panes)
        ]
        for start in range(0, len(lines), 50):
            script = self.folder / "fleet.conf"
            script.write_text("\n".join(lines[start : start + 50]) + "\n")
            self.tmux("start-server", ";", "source-file", str(script))
            say(f"  {min(start + 50, len(lines))} of {len(lines)} panes")
        self._wait_for_all()

    def _start_others(self, count: int) -> None:
        if count:
            command = [sys.executable, "-I", "-S", str(PROGRAMS / "crowd.py"), str(count)]
            self._crowds.append(int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))

    def _wait_for_all(self) -> None:
        expected = self.size.members + self.size.others
        wait_for(lambda: len(processes()) >= expected, f"{expected} processes run", 300)

    def _find_workers(self) -> list[int]:
        name = b"worker.pl" if self.size.light else b"worker.py\x001\x00"
        return sorted(pid for pid, command in processes().items() if name in command)


def _tree(root: int) -> list[int]:
    """A process and all below it, the lowest last."""
    children: dict[int, list[int]] = {}
    for pid in processes():
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            continue
        children.setdefault(int(stat[stat.rindex(b")") + 2 :].split()[1]), []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found
