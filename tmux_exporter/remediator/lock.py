"""One remediator per user: a lock in the runtime folder that the kernel gives back when its holder ends."""

import fcntl
import os
import select
from pathlib import Path

from tmux_exporter.clock import Clock
from tmux_exporter.errors import UsageError
from tmux_exporter.places import REMEDIATOR_LOCK

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.05


def take(folder: Path, holder: str, clock: Clock, mend: str = "end that one first") -> int:
    """Take the lock in `folder` and say in it who holds it; the descriptor, which is to be kept open.

    Raises UsageError with the words of the one who holds it, and the mend. An exporter that looks whether
    somebody does holds it for a moment, so a second is waited.
    """
    path = folder / REMEDIATOR_LOCK
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; remove it") from error
    deadline = clock.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if clock.monotonic() < deadline:
                select.select((), (), (), _POLL_SECONDS)
                continue
            words = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "starting now"
            os.close(descriptor)
            raise UsageError(f"a remediator already runs: {words}; {mend}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{holder}\n".encode(), 0)
    return descriptor
