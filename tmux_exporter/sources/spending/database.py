"""Open the SQLite files of other programs: read only, never for long."""

import os
import stat
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tmux_exporter.facts.spending import SpendingProblem
from tmux_exporter.sources.common.untrusted_file import mark_of
from tmux_exporter.sources.spending.follow import NotFollowedError

if TYPE_CHECKING:
    import sqlite3

_SECONDS = 0.25
"""A program that writes holds its lock for less; else the next round reads it."""


def changes(path: str) -> object:
    """Another value where the file or its log has changed."""
    marks = mark_of(path), mark_of(f"{path}-wal")
    # Without the time of its other changes: SQLite gives a log to its owner whenever root opens it.
    return tuple((each.device, each.inode, each.size, each.written) for each in marks if each is not None)


def opened_database(path: str, uid: int) -> "sqlite3.Connection":
    """A plain file of `uid` that not everybody can write. Raises NotFollowedError and FileNotFoundError."""
    import sqlite3  # noqa: PLC0415 - 1 MiB that nobody needs without such an agent

    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != uid or found.st_mode & stat.S_IWOTH:
        raise NotFollowedError(SpendingProblem.UNTRUSTED)
    with reading():
        return sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True, timeout=_SECONDS)


@contextmanager
def reading() -> Iterator[None]:
    """Raise NotFollowedError where the database cannot be read, or has another form."""
    import sqlite3  # noqa: PLC0415 - as above

    try:
        yield
    except sqlite3.Error:
        raise NotFollowedError(SpendingProblem.UNREADABLE) from None
