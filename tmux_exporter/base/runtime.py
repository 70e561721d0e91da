"""Runtime of this process: garbage collection, memory that a burst has left, the controlling terminal."""

import gc
import os
from contextlib import suppress

_FRESH = 10_000
_FEW = 200
_SETTLED_SECONDS = 60.0


def tune_gc() -> None:
    """Freeze all present objects (mainly modules) and raise the threshold of the young generation.

    Call it once, before the first of many samples. A sample makes thousands of objects that live until the
    next one, none in a cycle. By default each sample would be scanned several times, and every few minutes
    the whole heap, while all other threads wait.
    """
    gc.collect()
    gc.freeze()
    _, young, old = gc.get_threshold()
    gc.set_threshold(_FRESH, young, old)


class ReleaseAfterBursts:
    """Gives memory back to the kernel once there is far less to watch than there was.

    The allocator keeps what it has freed below its topmost block: after a burst of sessions half of it and
    more stays resident for good.
    """

    def __init__(self) -> None:
        self._most = 0
        self._since: float | None = None

    def observe(self, size: int, at: float) -> bool:
        """Note how much there is at the monotonic time `at`; return whether memory was released.

        That is a minute after the size has fallen below half of the largest: caches have followed by then.
        """
        if size > self._most // 2 or self._most < _FEW:
            self._most, self._since = max(size, self._most), None
        elif self._since is None:
            self._since = at
        elif at - self._since >= _SETTLED_SECONDS:
            self._most, self._since = size, None
            release_memory()
            return True
        return False


def release_memory() -> None:
    """Give freed memory back to the kernel, where the C library can."""
    import ctypes  # noqa: PLC0415 - hardly ever needed

    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def has_terminal() -> bool:
    """Whether a terminal controls this process. A terminal that hangs up is detached before SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
