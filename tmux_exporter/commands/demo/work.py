"""Files of state and usage, and operations, that a demo agent writes, as Claude Code and orchestrators do."""

import itertools
import json
import os
import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tmux_exporter.base.clock import SystemClock
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
_MODEL = "claude-sonnet-4-6"
_CONTEXT = 160_000
"""Tokens after which a conversation begins anew."""


def write_session(home: Home, status: str, waiting_for: str = "") -> None:
    """Leave the file in which Claude Code says what it does."""
    folder = home.folder / ".claude" / "sessions"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid = os.getpid()
    started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    words = {"pid": pid, "procStart": started, "version": _VERSION, "status": status}
    words |= {"sessionId": _session(pid), "cwd": os.getcwd()}
    waiting = {"waitingFor": waiting_for} if waiting_for else {}
    new = folder / f"{pid}.new"
    new.write_text(json.dumps(words | waiting), encoding="utf-8")
    new.chmod(0o600)
    new.rename(folder / f"{pid}.json")


def spend(home: Home, chance: random.Random) -> Iterator[None]:
    """Write down a request to a model each ten steps, as Claude Code does in its transcript."""
    pid, context = os.getpid(), 0
    folder = home.folder / ".claude" / "projects" / "-demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count():
        new, output = chance.randrange(500, 4000), chance.randrange(100, 900)
        usage = {
            "input_tokens": chance.randrange(5, 50),
            "cache_read_input_tokens": context,
            "cache_creation_input_tokens": new,
            "output_tokens": output,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": new},
        }
        message = {"id": f"msg_{pid}_{number}", "model": _MODEL, "usage": usage, "content": []}
        now = datetime.fromtimestamp(SystemClock().time(), UTC)
        record = {"type": "assistant", "timestamp": f"{now:%FT%T.%fZ}", "message": message}
        with (folder / f"{_session(pid)}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
        context = context + new + output if context < _CONTEXT else 0
        yield from itertools.repeat(None, 10)


def _session(pid: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"demo:{pid}"))


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
