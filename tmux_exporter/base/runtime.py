"""Runtime of this process: tune the cyclic garbage collector; check for a controlling terminal."""

import gc
import os

_FRESH = 10_000


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


def has_terminal() -> bool:
    """Whether a terminal controls this process. A terminal that hangs up is detached before SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
