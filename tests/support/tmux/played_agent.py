"""An agent that a test plays: a real process in a real pane, and the words that it leaves of itself."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.wait import wait_for
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import AgentSettings, Config, TmuxSettings
from tmux_exporter.facts.agents import TrackedAgent
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.sampler import Sampler


class PlayedAgents:
    """Agents in panes of the server `default` in `sockets`, seen by an own sampler."""

    def __init__(
        self, base: Path, server: Any, settings: AgentSettings | None = None, *, keeps: bool = False
    ) -> None:
        self.base = base
        self.home = base / "home"
        (self.home / ".claude" / "sessions").mkdir(parents=True, mode=0o700)
        self.bin = base / "bin"
        self.bin.mkdir()
        self.environ = {
            "TMUX_TMPDIR": os.environ["TMUX_TMPDIR"],
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(base),
            "XDG_STATE_HOME": str(base),
            "PATH": os.environ["PATH"],
        }
        self.server = server
        self.config = Config(agents=settings or AgentSettings(), tmux=TmuxSettings(query_timeout=10.0))
        self.sampler = self.another_sampler(keeps=keeps)
        self.snapshot: Snapshot | None = None

    def another_sampler(self, *, keeps: bool = False) -> Sampler:
        """A sampler as a new exporter would have."""
        return open_sampler(self.config, SystemClock(), self.environ, keeps=keeps)

    def start(self, name: str, script: str = "sleep 3600; :", program: str = "claude") -> int:
        """Let a program of that name run a shell script in a window of that name; its pid."""
        place = self.bin / program
        if not place.exists():
            shutil.copy("/bin/sh", place)
        path = self.base / f"{name}.sh"
        path.write_text(script + "\n")
        pids = self.base / f"{name}.pid"
        pids.unlink(missing_ok=True)
        command = f"export HOME={self.home}; sh -c 'echo $$ >{pids}; exec {place} {path}'; exec sleep 3600"
        self.server.cmd("new-window", "-d", "-n", name, "-t", "main:", command)
        return int(
            wait_for(lambda: pids.read_text().strip() if pids.exists() else None, f"{name} runs", 30.0)
        )

    def session_file(self, pid: int, **words: Any) -> Path:
        """Write what Claude Code writes of a process; `words` go over what is true."""
        with open(f"/proc/{pid}/stat") as stat:
            started = stat.read().rpartition(")")[2].split()[19]
        file = self.home / ".claude" / "sessions" / f"{pid}.json"
        document = {"pid": pid, "procStart": started, "version": "2.1.197", "status": "idle"}
        file.write_text(json.dumps({**document, **words}))
        file.chmod(0o644)
        return file

    def look(self) -> Mapping[str, TrackedAgent]:
        """The next sample: the agents of our server by their names."""
        self.snapshot = self.sampler.look()
        return {each.name: each for each in self.snapshot.tracked_agents if each.server == "default"}

    def tracked(self, name: str) -> TrackedAgent:
        """One agent in the next sample, which has to be there."""
        return wait_for(lambda: self.look().get(name), f"{name} is seen", 30.0)
