"""Python stack traces of a process by py-spy, without stopping it.

py-spy is optional. Only functions, base names of files and lines are kept: no arguments, command lines,
values or thread names.
"""

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock

SECONDS = 5.0
LARGEST_BYTES = 1 << 20

_MOST_THREADS = 64
_MOST_FRAMES = 64
_LONGEST_NAME = 100
_OTHERS_MAY_WRITE = 0o022
SAFE_PATH = os.pathsep.join((os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin"))
"""Beside the very interpreter that runs this, and where only root installs."""


def find(path: str = SAFE_PATH) -> str | None:
    """The program, absolute; None where there is none that only root or this user could have put there."""
    found = shutil.which("py-spy", path=path)
    if found is None:
        return None
    try:
        program = os.path.realpath(found, strict=True)
        facts = os.stat(program)
    except OSError:
        return None
    trusted = facts.st_uid in (0, os.getuid()) and not facts.st_mode & _OTHERS_MAY_WRITE
    return program if trusted else None


def dump(pid: int, clock: Clock, path: str = SAFE_PATH) -> object:
    """The frames of each thread, innermost first; if unavailable, the reason."""
    program = find(path)
    if program is None:
        return "py-spy is not installed: pip install py-spy beside tmux-remediator"
    # It is not stopped meanwhile: a terminal's program that is may end up in the background.
    command = (program, "dump", "--nonblocking", "--json", "--pid", str(pid))
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
        )
    except OSError as error:
        return f"py-spy cannot be run: {error.strerror}"
    with child:
        try:
            said = _read(child.stdout, clock) if child.stdout else None
        finally:
            # It has said all, or too much, or nothing for too long.
            child.kill()
    if said is None:
        return f"py-spy had not ended after {SECONDS:g} s, or said more than {LARGEST_BYTES >> 20} MiB"
    try:
        return [_thread(each) for each in strict_json.array(strict_json.parse(said))[:_MOST_THREADS]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "py-spy sees no Python in it, or may not look at it"


def _read(stream: IO[bytes], clock: Clock) -> bytes | None:
    """All that comes before the end; None where that is too late or too much."""
    content = bytearray()
    deadline = clock.monotonic() + SECONDS
    while (left := deadline - clock.monotonic()) > 0 and len(content) <= LARGEST_BYTES:
        if not select.select((stream,), (), (), left)[0]:
            return None
        piece = os.read(stream.fileno(), 65536)
        if not piece:
            return bytes(content)
        content += piece
    return None


def _thread(said: Mapping[str, Any]) -> object:
    frames = [_frame(each) for each in said["frames"][:_MOST_FRAMES]]
    thread = said.get("os_thread_id")
    return {
        "thread": thread if isinstance(thread, int) else None,
        "active": said["active"] is True,
        "holds_gil": said["owns_gil"] is True,
        "frames": frames,
    }


def _frame(said: Mapping[str, Any]) -> str:
    """`function (file.py:12)`."""
    file = os.path.basename(str(said["filename"]))
    return f"{str(said['name'])[:_LONGEST_NAME]} ({file[:_LONGEST_NAME]}:{int(said['line'])})"
