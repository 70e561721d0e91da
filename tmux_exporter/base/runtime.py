"""The running process: whether a terminal controls it, and when Python searches it for cyclic garbage."""

import gc
import os

_FRESH = 10_000


def tune_gc() -> None:
    """Leave what was made so far, modules above all, out of every search from now on, and search seldom.

    To be called once, before the first of many samples. A sample makes thousands of objects that end with the
    next one, none in a cycle: by default it would be searched several times, and every few minutes all that
    the process holds, with every other thread waiting.
    """
    gc.collect()
    gc.freeze()
    _, young, old = gc.get_threshold()
    gc.set_threshold(_FRESH, young, old)


def has_terminal() -> bool:
    """Whether a terminal controls this process. One that hangs up lets go before it sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
