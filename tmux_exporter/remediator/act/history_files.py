"""The private files that hold the saved histories of panes, with bounds of size and age."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from itertools import count
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import private_folder

FOLDER = "history"
KEPT_BYTES = 2**30
"""All saved histories together; the oldest goes first."""

KEPT_SECONDS = 30 * 24 * 3600.0
"""How long a saved history is kept."""

_FREE_BYTES = 64 * 2**20


class HistoryFiles:
    """Makes new files below the private folder `state`."""

    def __init__(self, state: Path, *, uid: int, clock: Clock) -> None:
        self._state = state
        self._uid = uid
        self._clock = clock
        self._offset = clock.time() - clock.monotonic()

    @contextmanager
    def new(self, pane: str, size: int) -> Iterator[tuple[Path, BufferedWriter]]:
        """A new file for about `size` bytes of this pane; gone again where what is done with it fails."""
        folder = self._room(size)
        # What was cleared a moment ago has a file of the same second, the only copy of its lines.
        names = (f"{round(self._clock.time())}-{pane}-{number}.txt" for number in count())
        path = next(free for name in names if not (free := folder / name).exists())
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with appended(path) as stream:
                yield path, stream
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _room(self, size: int) -> Path:
        """The folder, without what is too old, with room on its disk for one more. Raises OSError."""
        try:
            folder = private_folder(self._state / FOLDER, self._uid)
        except CannotSeeError as error:
            raise OSError(str(error)) from None
        # A clock that was set forward makes nothing old.
        now = min(self._clock.time(), self._clock.monotonic() + self._offset)
        for each in folder.glob("*.txt"):
            if now - each.stat().st_mtime > KEPT_SECONDS:
                each.unlink()
        free = os.statvfs(folder)
        if free.f_bavail * free.f_frsize < size + _FREE_BYTES:
            raise OSError("too little space is left on the disk")
        return folder


def let_oldest_go(new: Path) -> None:
    """Keep to KEPT_BYTES. Only once one more is saved: the others may be the only copies of their lines."""
    sizes = {each: each.stat() for each in new.parent.glob("*.txt")}
    kept = sum(each.st_size for each in sizes.values())
    for each in sorted(sizes.keys() - {new}, key=lambda path: sizes[path].st_mtime):
        if kept <= KEPT_BYTES:
            break
        each.unlink()
        kept -= sizes[each].st_size


def begins_with(longer: Path, shorter: Path) -> bool:
    """Whether a file begins with all that another one has."""
    try:
        with open(longer, "rb") as whole, open(shorter, "rb") as part:
            while text := part.read(2**20):
                if whole.read(len(text)) != text:
                    return False
    except OSError:
        return False
    return True


@contextmanager
def appended(path: Path) -> Iterator[BufferedWriter]:
    """A saved history to add to; what is added is on disk afterwards."""
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
