"""What it costs to follow what agents spend: 50 transcripts that grow, and one of 5 GB that is seen first."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers import REPOSITORY
from bench.say import say, wait_for, wait_until

WRITERS, BYTES_A_SECOND = 50, 1_000_000
LARGE_BYTES, NEW_BYTES = 5 * 10**9, 16 * 1024 * 1024
"""A transcript that is seen first, and how much of it was written since its agent began."""

KINDS = ("on", "off")
_LAPS = ("rest", "write", "large")
_OUTPUT = 6_000
"""The length of what a tool put out: most of a transcript is that."""


def spending(
    folder: Path, *, count: int = WRITERS, seconds: float = 60.0, large: int = LARGE_BYTES
) -> dict[str, Any]:
    """CPU and memory of a sampler that follows the files, over one beside it that does not."""
    home = folder / "home"
    (home / ".claude" / "sessions").mkdir(parents=True, mode=0o700)
    (home / ".claude" / "projects" / "p").mkdir(parents=True)
    (folder / "lap").write_text("begin")
    with _panes(folder, home, count + 1) as pids:
        first, *others = pids
        place = _session(home, first, 0)
        writers = [_Writer(_session(home, pid, at)) for at, pid in enumerate(others, 1)]
        with _samplers(folder, home) as samplers:
            _write(folder, "settle", writers, 10.0)
            _write(folder, "write", writers, seconds)
            _counted(folder, sum(each.requests for each in writers))
            _write(folder, "rest", [], seconds / 4)
            say(f"  a transcript of {large / 1e9:g} GB")
            made = folder / "large"
            new = _large(made, large)
            (folder / "lap").write_text("large")
            begun = time.monotonic()
            made.rename(place)
            _counted(folder, sum(each.requests for each in writers) + new)
            caught_up = time.monotonic() - begun
            place.unlink()
            (folder / "end").touch()
            laps = {kind: json.loads(each.communicate(timeout=120)[0]) for kind, each in samplers.items()}
    on, off = (laps[kind] for kind in KINDS)
    return {
        "agents": count,
        "bytes_a_second": round(sum(each.written for each in writers) / (seconds + 10.0)),
        "cpu_percent": round(100 * (_share(on["write"]) - _share(off["write"])), 2),
        "mib": round((on["rest"]["resident"] - off["rest"]["resident"]) / 2**20, 1),
        "large_bytes": large,
        "new_bytes": NEW_BYTES,
        "caught_up_seconds": round(caught_up, 1),
        "ms": {
            kind: {
                lap: {name: round(found[lap][f"{name}_ms"], 1) for name in ("median", "longest")}
                for lap in _LAPS
            }
            for kind, found in laps.items()
        },
    }


def _share(lap: dict[str, float]) -> float:
    return lap["cpu"] / lap["seconds"]


@dataclass(slots=True)
class _Writer:
    """One transcript: as much of it as was written, and how many requests that are."""

    path: Path
    written: int = 0
    requests: int = 0

    def write(self, least: int) -> None:
        with self.path.open("ab") as stream:
            while self.written < least:
                self.requests += 1
                self.written += stream.write(_turn(f"{self.path.stem}-{self.requests}", time.time()))


def _turn(name: str, at: float) -> bytes:
    """An answer that calls a tool, and what that put out."""
    time_told = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    usage = {"input_tokens": 10, "cache_read_input_tokens": 20_000, "output_tokens": 300}
    call = {"type": "tool_use", "id": f"toolu_{name}", "name": "Bash", "input": {"command": "make"}}
    answer = {
        "id": f"msg_{name}",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [call],
        "usage": usage,
    }
    result = {"type": "tool_result", "tool_use_id": f"toolu_{name}", "content": "o" * _OUTPUT}
    lines = (
        {"type": "assistant", "timestamp": time_told, "requestId": f"req_{name}", "message": answer},
        {"type": "user", "timestamp": time_told, "message": {"role": "user", "content": [result]}},
    )
    return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in lines)


def _write(folder: Path, lap: str, writers: list[_Writer], seconds: float) -> None:
    (folder / "lap").write_text(lap)
    say(f"  {lap}: {seconds:g} s")
    begun, before = time.monotonic(), [each.written for each in writers]
    for second in range(1, round(seconds) + 1):
        for each, old in zip(writers, before, strict=True):
            each.write(old + second * BYTES_A_SECOND // WRITERS)
        wait_until(begun + second)


def _session(home: Path, pid: int, at: int) -> Path:
    """The process names its session; where the transcript of that is to be."""
    session = f"00000000-0000-4000-8000-{at:012}"
    started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    told = {"pid": pid, "procStart": started, "version": "2.1.197", "status": "busy", "sessionId": session}
    file = home / ".claude" / "sessions" / f"{pid}.json"
    file.write_text(json.dumps(told))
    return home / ".claude" / "projects" / "p" / f"{session}.jsonl"


def _large(path: Path, size: int) -> int:
    """Write a transcript of that size, most of it of a week ago; the number of requests that are new."""
    old = b"".join(_turn(f"old-{number}", time.time() - 7 * 86_400) for number in range(4000))
    new, written = 0, 0
    with path.open("wb") as stream:
        while stream.tell() < size - NEW_BYTES:
            stream.write(old)
        while written < NEW_BYTES:
            new += 1
            written += stream.write(_turn(f"new-{new}", time.time()))
        stream.flush()
        os.fsync(stream.fileno())
    return new


def _counted(folder: Path, requests: int) -> None:
    told = folder / "requests-on"
    wait_for(lambda: int(told.read_text() or 0) == requests, f"{requests} requests are counted", 600)


@contextmanager
def _panes(folder: Path, home: Path, count: int) -> Iterator[list[int]]:
    """So many panes with a Claude that does nothing itself; their processes."""
    shutil.copy("/bin/bash", folder / "claude")
    (folder / "claude.sh").write_text("sleep 1000000; :\n")
    tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    pane = f"HOME={home} exec {folder}/claude {folder}/claude.sh"
    lines = [f"new-session -d -s agent{number} '{pane}'" for number in range(count)]
    (folder / "agents.conf").write_text("\n".join(lines) + "\n")
    subprocess.run([*tmux, "start-server", ";", "source-file", str(folder / "agents.conf")], check=True)
    asked = [*tmux, "list-panes", "-a", "-F", "#{pane_pid}"]

    def pids() -> list[int]:
        return [
            int(each)
            for each in subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
        ]

    try:
        wait_for(lambda: len(pids()) == count, f"{count} agents run", 120)
        yield pids()
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@contextmanager
def _samplers(folder: Path, home: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    environ = {**os.environ, "TMUX_TMPDIR": str(folder), "HOME": str(home)}
    samplers = {}
    try:
        for kind in KINDS:
            command = [sys.executable, "-m", "bench.programs.spending", str(folder), kind]
            mine = {**environ, "XDG_STATE_HOME": str(folder / kind)}
            samplers[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, env=mine)
        wait_for(lambda: all((folder / f"requests-{kind}").exists() for kind in KINDS), "both sample", 60)
        yield samplers
    finally:
        for each in samplers.values():
            each.kill()
            each.wait()
