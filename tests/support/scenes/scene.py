"""Real tmux servers with real processes in them, read and attributed sample by sample."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from tests.support.clock import ShiftedClock
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process
from tests.support.wait import wait_for
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.tmux.source import TmuxSource


class Scene:
    """The tmux servers of one test, below `base`, its TMUX_TMPDIR; `look` takes the next sample.

    Shell scripts are given as text; in them `$B` is `base`, where they leave pids as files.
    """

    def __init__(self, base: Path, sockets: Path) -> None:
        self.base = base
        self.clock = ShiftedClock()
        self.owners: Mapping[ProcessId, Owner] = {}
        self.table: ProcessTable = ProcReader(uid=os.getuid(), clock=self.clock).read()
        self.view = TmuxView(servers=())
        self._sockets = sockets
        self._reader = ProcReader(uid=os.getuid(), clock=self.clock)
        self._before = frozenset(process.id for process in self.table.processes.values())
        self.source = TmuxSource(
            TmuxSettings(query_timeout=0.4),
            uid=os.getuid(),
            clock=self.clock,
            environ={"TMUX_TMPDIR": str(base)},
        )

    def tmux(self, *arguments: str, server: str = "default") -> str:
        """Run a tmux client; what it printed."""
        command = ["tmux", "-f", "/dev/null", "-S", str(self._sockets / server), *arguments]
        return run_text(command, check=True, timeout=20).stdout.strip()

    def start(self, server: str = "default") -> ProcessId:
        """Start a server with a session `main`, whose pane %0 sleeps; its process."""
        self.tmux("new-session", "-d", "-s", "main", "-x", "80", "-y", "24", "sleep 3600", server=server)
        self.look()
        return self.process(int(self.tmux("display-message", "-p", "#{pid}", server=server))).id

    def shell(self, script: str, *options: str, server: str = "default") -> str:
        """Run a script in a pane of its own, then sleep there; the pane id."""
        kept = f"{script}\nexec sleep 3600\n"
        return self.tmux(
            "new-window", "-d", "-P", "-F", "#{pane_id}", *options, self.script(kept), server=server
        )

    def script(self, text: str) -> str:
        """Write a script; the command that runs it."""
        path = self.base / f"script{sum(1 for _ in self.base.iterdir())}.sh"
        path.write_text(f"B={self.base}\n{text}\n")
        return f"sh {path}"

    def pid(self, name: str) -> int:
        """The pid that a script has left as `$B/NAME`."""
        path = self.base / name
        return int(wait_for(lambda: path.read_text().strip() if path.exists() else None, f"{name} runs"))

    def look(self) -> None:
        """Take a sample, 5 s after the last: a rested server is asked anew.

        Other people's tmux servers and what runs in them are left out.
        """
        self.clock.advance(5.0)
        self.table = self.read()
        self.view = self.source.read(self.table)
        self.owners = attribute(self.table, self.view, self.owners)

    def read(self) -> ProcessTable:
        """The processes as they are now, without those of other people's tmux servers."""
        whole = self._reader.read()
        mine = {pid: process for pid, process in whole.processes.items() if self._is_mine(process)}
        return replace(whole, processes=mine)

    def look_until(self, pid: int, gone_parent: int) -> None:
        """Take a sample once a process has been given away by its parent."""
        self.wait_until(pid, gone_parent)
        self.look()

    def wait_until(self, pid: int, gone_parent: int) -> None:
        """Wait until a process does not descend from that parent any more."""
        process = psutil.Process(pid)

        def is_orphan() -> bool:
            try:
                return gone_parent not in {each.pid for each in process.parents()}
            except psutil.NoSuchProcess:
                # An ancestor has just ended.
                return False

        wait_for(is_orphan, f"{pid} is an orphan")

    def process(self, pid: int) -> Process:
        """A process of the last sample."""
        return self.table.processes[pid]

    def child(self, pid: int) -> int:
        """The one child of a process in the last sample."""
        (only,) = [each.id.pid for each in self.table.processes.values() if each.ppid == pid and each.alive]
        return only

    def owner(self, pid: int) -> Owner | None:
        """The owner of a process in the last sample."""
        return self.owners.get(self.process(pid).id)

    def root(self, pane: str, server: str = "default") -> int:
        """The pid of a pane's process."""
        return int(self.tmux("display-message", "-p", "-t", pane, "#{pane_pid}", server=server))

    def close(self) -> None:
        """End every process that the test has started."""
        self.look()
        recorded = {int(path.read_text()) for path in self.base.glob("*.pid") if path.read_text().strip()}
        ours = {
            pid for pid, process in self.table.processes.items() if self._tmpdir(process) or pid in recorded
        }
        for pid, process in self.table.processes.items():
            if process.id not in self._before and (pid in ours or self._is_below(process, ours)):
                end_process(pid)

    def _is_below(self, process: Process, pids: set[int]) -> bool:
        """Whether one of these is an ancestor of it: whoever was given no environment tells of none."""
        parent = self.table.processes.get(process.ppid)
        return parent is not None and (parent.id.pid in pids or self._is_below(parent, pids))

    def _tmpdir(self, process: Process) -> bool:
        return (process.environ or {}).get("TMUX_TMPDIR") == str(self.base)

    def _is_mine(self, process: Process) -> bool:
        elsewhere = "TMUX_TMPDIR" in (process.environ or {}) or process.comm == "tmux: server"
        return self._tmpdir(process) or not elsewhere


def key(server: ProcessId, pane: str) -> PaneKey:
    """The pane of a server."""
    return PaneKey(server, pane)
