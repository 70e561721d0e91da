"""What agents cost beside all the rest of a sample: the same panes, with agents known in them and without."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.fleet import WINDOWS_PER_SESSION
from bench.peers import REPOSITORY
from bench.say import say, wait_for

AGENTS = 50
ROUNDS = 40
RESTING_ROUNDS = 12
"""A minute at the default interval."""


def agents(folder: Path, *, count: int = AGENTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Milliseconds of CPU of a sample, the median and the least of all rounds, by kind of sampler.

    Half of the agents are Claude Codes with a session file each, a tenth of which say something new in each
    round; the others draw once a second, and nothing but their panes tells of them. `rest` is the same with
    all of them at their prompts, and how many screens were read.
    """
    works = _measure(folder / "working", count, rounds, working=True)
    rests = _measure(folder / "resting", count, min(rounds, RESTING_ROUNDS), working=False)
    kinds = ("rounds", "ms", "least_ms", "captures", "captures_before")
    return {
        "agents": count,
        "load1": round(os.getloadavg()[0], 1),
        **works,
        "rest": {"load1": round(os.getloadavg()[0], 1), **{kind: rests[kind] for kind in kinds}},
    }


def _measure(folder: Path, count: int, rounds: int, *, working: bool) -> dict[str, Any]:
    home, socket = folder / "home", folder / "tmux"
    (home / ".claude" / "sessions").mkdir(parents=True, mode=0o700)
    for name in ("claude", "opencode"):
        shutil.copy("/bin/bash", folder / name)
    os.mkfifo(folder / "never")
    (folder / "claude.sh").write_text("sleep 1000000; :\n")
    draws = f"while :; do printf '\\033[H  esc interrupt\\n'; read -t 1 <>{folder}/never; done\n"
    rests = f"printf '  ctrl+p commands\\n'; read <>{folder}/never\n"
    (folder / "opencode.sh").write_text(draws if working else rests)
    lines = []
    for number in range(count):
        name = "claude" if number % 2 else "opencode"
        pane = f"HOME={home} exec {folder}/{name} {folder}/{name}.sh"
        where = f"work{number // WINDOWS_PER_SESSION}"
        new = number % WINDOWS_PER_SESSION == 0
        lines.append(f"new-session -d -s {where} '{pane}'" if new else f"new-window -d -t {where}: '{pane}'")
    (folder / "agents.conf").write_text("\n".join(lines) + "\n")
    tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*tmux, "start-server", ";", "source-file", str(folder / "agents.conf")], check=True)
    try:
        wait_for(lambda: len(_pids(tmux)) == count, f"{count} agents run", 120)
        how = "working" if working else "resting"
        say(f"  {rounds} samples of {count} {how} agents")
        command = [sys.executable, "-m", "bench.programs.agents", str(rounds), str(home), how]
        environ = {**os.environ, "TMUX_TMPDIR": str(folder), "HOME": str(home), "XDG_STATE_HOME": str(folder)}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY, env=environ)
    finally:
        pids = _pids(tmux)
        subprocess.run([*tmux, "kill-server"], check=False)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the agents are gone", 60)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        "rounds": rounds,
        "ms": {name: round(statistics.median(each), 3) for name, each in found["ms"].items()},
        "least_ms": {name: round(min(each), 3) for name, each in found["ms"].items()},
        "captures": found["captures"],
        "captures_before": found["captures_before"],
    }


def _pids(tmux: list[str]) -> list[str]:
    command = [*tmux, "list-panes", "-a", "-F", "#{pane_pid}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
