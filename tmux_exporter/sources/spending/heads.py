"""Files of conversations in a folder: those changed since a time, their first and last lines."""

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.spending.values import parsed

_HEAD_BYTES = 1024 * 1024


def tail_of(path: str, *, uid: int, most: int) -> bytes:
    """The last bytes of a plain file of `uid`; empty where it is none, or cannot be read."""
    return head_of(path, uid=uid, most=most, last=True)


def head_of(path: str, *, uid: int, most: int, last: bool = False) -> bytes:
    """The first or the last bytes of a plain file of `uid`; empty where it is none, or cannot be read."""
    try:
        with opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK) as descriptor:
            found = os.fstat(descriptor)
            plain = stat.S_ISREG(found.st_mode) and found.st_uid == uid
            return os.pread(descriptor, most, max(0, found.st_size - most) if last else 0) if plain else b""
    except OSError:
        return b""


def first_line(path: str, uid: int) -> bytes | None:
    """The first line of a plain file of `uid`; None where there is no whole one yet, or another file."""
    line, end, _ = head_of(path, uid=uid, most=_HEAD_BYTES).partition(b"\n")
    return line if end else None


def changed_since(folder: str, since: float, uid: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path and the first line of each such file of lines. Raises OSError."""
    with os.scandir(folder) as entries:
        paths = [
            each.path
            for each in entries
            if each.name.endswith(".jsonl") and each.stat(follow_symlinks=False).st_mtime >= since
        ]
    for path in sorted(paths):
        line = first_line(path, uid)
        try:
            if line is not None:
                yield path, parsed(line)
        except ValueError:
            continue
