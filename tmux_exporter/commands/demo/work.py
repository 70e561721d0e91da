"""State files and operations that a demo agent reports, as Claude Code and orchestrators do."""

import json
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from tmux_exporter.commands.demo.home import Home, pause
from tmux_exporter.instrument import Operation, operation
from tmux_exporter.wire.runtime_folder import NAME

ONE_IN = 60
"""One operation of so many fails; one of a third as many needs a second attempt."""

_OPERATIONS: tuple[tuple[str, float], ...] = (
    ("status_check", 0.02),
    ("agent_command", 0.15),
    ("status_check", 0.03),
    ("inter_agent_message", 0.08),
    ("status_check", 0.02),
    ("scheduling", 0.05),
    ("agent_command", 0.4),
    ("recovery", 0.6),
)
"""Names and about how many seconds each takes, in this order."""

_VERSION = "2.1.197"


def write_session(home: Home, status: str, waiting_for: str = "") -> None:
    """Leave the file in which Claude Code says what it does."""
    folder = home.folder / ".claude" / "sessions"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid = os.getpid()
    started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    words = {"pid": pid, "procStart": started, "version": _VERSION, "status": status}
    waiting = {"waitingFor": waiting_for} if waiting_for else {}
    new = folder / f"{pid}.new"
    new.write_text(json.dumps(words | waiting), encoding="utf-8")
    new.chmod(0o600)
    new.rename(folder / f"{pid}.json")


def environ_of_exporter(home: Home) -> Mapping[str, str]:
    """By what a program of the demo finds the exporter, whose runtime folder holds the demo's."""
    beside = home.folder.parent
    return {"XDG_RUNTIME_DIR": str(beside.parent)} if beside.name == NAME else {}


def operations(chance: random.Random) -> Iterator[str]:
    """Carry out operations, one at each step, and name it."""
    while True:
        for name, seconds in _OPERATIONS:
            with operation(name) as one:
                pause(seconds * chance.uniform(0.5, 1.5))
                _mishap(one, chance, seconds)
            yield name


def _mishap(one: Operation, chance: random.Random, seconds: float) -> None:
    if chance.randrange(ONE_IN // 3) == 0:
        one.retry()
        pause(seconds)
    if chance.randrange(ONE_IN) == 0:
        one.fail("timeout")
