"""Snapshots of a process before it ends: one small private file of figures, without names or contents.

Nothing of its environment, command line or open files' names is kept: of descriptors only how many of each
kind there are, of a Python program its functions and lines. What stands on its screen is only kept where it
was asked for. An unreadable part says so in its place.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import private_folder
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.act import py_spy
from tmux_exporter.remediator.act.live_view import is_alive
from tmux_exporter.remediator.policies.policy import SnapshotPart
from tmux_exporter.remediator.record.plan_file import write

FOLDER = "snapshots"
MOST_FILES = 200
"""So many are kept; the oldest goes first."""

_MOST_BYTES = 64 * 1024
_MOST_THREADS = 64
_MOST_FDS = 65_536
_KIND = re.compile(r"(socket|pipe|anon_inode|/memfd|/dev/pts|/dev)\b")


def take(
    state: Path,
    process: ProcessId,
    parts: Sequence[SnapshotPart],
    labels: Mapping[str, object],
    *,
    clock: Clock,
    screen: Callable[[], object],
) -> Path:
    """Write a snapshot of a process into the private state folder; where it is.

    `labels` stand in it as they are, and so does what `screen` says. Raises CannotSeeError where the process
    is gone, OSError where it cannot be read or nothing can be written.
    """
    try:
        found = {str(part): _part(process, part, clock, screen) for part in parts}
        lives = is_alive(process)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        raise CannotSeeError(f"process {process.pid} is gone") from None
    if not lives:
        raise CannotSeeError(f"process {process.pid} has ended, or is another one by now")
    wall = clock.time()
    try:
        folder = private_folder(state / FOLDER, os.getuid())
    except CannotSeeError as error:
        raise OSError(str(error)) from None
    path = folder / f"{round(wall)}-{process.pid}-{process.start_ticks}.json"
    document = {"at": round(wall), "process": list(process), **labels, "parts": found}
    write(path, json.dumps(document, allow_nan=False, indent=1).encode("ascii") + b"\n")
    for old in sorted(folder.glob("*.json"))[:-MOST_FILES]:
        old.unlink(missing_ok=True)
    return path


def _part(process: ProcessId, part: SnapshotPart, clock: Clock, screen: Callable[[], object]) -> object:
    root = Path("/proc", str(process.pid))
    readers: Mapping[SnapshotPart, Callable[[Path], object]] = {
        SnapshotPart.STATUS: _status,
        SnapshotPart.LIMITS: lambda root: _lines(root / "limits"),
        SnapshotPart.FD_KINDS: _fd_kinds,
        SnapshotPart.STACKS: _stacks,
        SnapshotPart.PY_SPY: lambda _: py_spy.dump(process.pid, clock),
        SnapshotPart.SCREEN: lambda _: screen(),
    }
    try:
        return readers[part](root)
    except PermissionError:
        return "not readable"


def _status(root: Path) -> object:
    """All lines but the one with its name."""
    return [line for line in _lines(root / "status") if not line.startswith("Name:")]


def _lines(path: Path) -> list[str]:
    with path.open("rb") as stream:
        return stream.read(_MOST_BYTES).decode("utf-8", "backslashreplace").splitlines()


def _fd_kinds(root: Path) -> object:
    """How many open files there are of each kind."""
    kinds: Counter[str] = Counter()
    with os.scandir(root / "fd") as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_FDS:
                kinds["more"] += 1
                break
            try:
                link = os.readlink(entry.path)
            except OSError:
                kinds["closed meanwhile"] += 1
                continue
            match = _KIND.match(link)
            kinds[match[1] if match else "file"] += 1
    return dict(sorted(kinds.items()))


def _stacks(root: Path) -> object:
    """Of each thread its state, where it waits in the kernel, and the kernel's stack where that is shown."""
    found = {}
    for thread in sorted(os.listdir(root / "task"), key=int)[:_MOST_THREADS]:
        folder = root / "task" / thread
        try:
            state = next((line for line in _lines(folder / "status") if line.startswith("State:")), "")
            wait = _lines(folder / "wchan")
        except OSError:
            continue
        try:
            stack: object = _lines(folder / "stack")
        except OSError:
            stack = "not readable"
        found[thread] = {"state": state.partition("\t")[2], "wchan": "".join(wait), "stack": stack}
    return found
