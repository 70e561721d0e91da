"""What agents cost in a sample: `agents.py ROUNDS HOME working|resting` prints JSON.

`ms`: CPU milliseconds for each round, `captures`: screens read in all. Samplers of one world take turns: one
that knows the agents, one that knows no program at all, so that they are processes in panes, and one that
reads their screens too. The first rounds are left out: until then each screen has been read once.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import AgentSettings, Config
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.stages import agents, leaks
from tmux_exporter.sources.tmux.screens import ScreenReader

SKIPPED = 6
CORE, AGENTS, TEXT = "without agents", "with agents", "with agents and their text"


def write_sessions(home: Path, turn: int, first: str) -> None:
    """What each Claude says of itself, at `first` all the same; a tenth of them something new."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text()
        except OSError:
            continue
        if words.split("(", 1)[1].startswith("claude)"):
            pid = int(stat.parent.name)
            file = home / ".claude" / "sessions" / f"{pid}.json"
            if turn and pid % 10 != turn % 10:
                continue
            status = ("busy", "idle")[turn // 10 % 2] if turn else first
            started = words.rpartition(")")[2].split()[19]
            told = {"pid": pid, "procStart": started, "version": "2.1.197", "status": status}
            file.write_text(json.dumps(told))
            file.chmod(0o644)


def main() -> None:
    rounds, home, working = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "working"
    samplers = {
        name: open_sampler(Config(agents=AgentSettings(pane_text=name == TEXT)), SystemClock(), os.environ)
        for name in (CORE, AGENTS, TEXT)
    }
    took: dict[str, list[float]] = {name: [] for name in samplers}
    captures: list[int] = []
    read = ScreenReader.read

    def counted(self: ScreenReader, *asked: Any, **how: Any) -> Any:
        found = read(self, *asked, **how)
        captures[-1] += len(found)
        return found

    for turn in range(rounds + SKIPPED):
        if working or not turn:
            write_sessions(home, turn, "busy" if working else "idle")
        time.sleep(1.0)
        captures.append(0)
        names = list(samplers)
        for name in names[turn % 3 :] + names[: turn % 3]:
            table = () if name == CORE else SIGNATURES
            with (
                patch.object(agents, "SIGNATURES", table),
                patch.object(leaks, "SIGNATURES", table),
                patch.object(ScreenReader, "read", counted),
            ):
                begun = time.process_time()
                samplers[name].sample()
                spent = (time.process_time() - begun) * 1000
            if turn >= SKIPPED:
                took[name].append(spent)
    before, after = sum(captures[:SKIPPED]), sum(captures[SKIPPED:])
    print(json.dumps({"ms": took, "captures": after, "captures_before": before}))


if __name__ == "__main__":
    main()
