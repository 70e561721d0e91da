"""One remediator per audit and per runtime folder: flock, which the kernel releases when a process ends."""

import errno
import fcntl
import os
import select
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import REMEDIATOR_LOCK

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.05


def take(folders: Iterable[Path], holder: str, clock: Clock, mend: str = "end that one first") -> ExitStack:
    """Take the lock in each folder and say in it who holds it; all are held until what is returned is closed.

    Raises UsageError with the holder's text and the fix if one is taken; then none is held. An
    exporter that probes the lock holds it for a moment, so we wait for up to a second.
    """
    with ExitStack() as held:
        # Two descriptors of one file would shut each other out.
        for folder in dict.fromkeys(each.resolve() for each in folders):
            held.callback(os.close, _take(folder / REMEDIATOR_LOCK, holder, clock, mend))
        return held.pop_all()


def _take(path: Path, holder: str, clock: Clock, mend: str) -> int:
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        how = "remove it" if error.errno == errno.ELOOP else "see to its owner, mode and free space"
        raise UsageError(f"{path}: {error.strerror}; {how}") from error
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
    # On a full disk it is held all the same, without words.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}\n".encode(), 0)
    return descriptor
