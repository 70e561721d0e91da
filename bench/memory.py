"""What the headline memory costs, and for how long a process stands still for it."""

import json
import subprocess
import sys
from typing import Any

from bench.cost import Plan
from bench.peers import REPOSITORY
from bench.say import say


def memory(plan: Plan, *, quick: bool) -> dict[str, Any]:
    """Cost beside `smaps_rollup` of every process, truth, and the longest pauses of a large process."""
    say("  eight processes forked from one of 150 MiB, beside 60 others")
    cost = _program("memory_cost", "24" if quick else "200")
    say("  pauses of a process of 1.5 GB")
    pauses = _program("memory_pauses", "64" if quick else "1500", f"{2 if quick else plan.seconds}")
    return {"cost": cost, "pauses_ms": pauses}


def _program(name: str, *arguments: str) -> Any:
    command = [sys.executable, "-m", f"bench.programs.{name}", *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY).stdout)
