"""Progress for who waits, and waiting for a condition."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_BEGUN = time.monotonic()


def say(words: str) -> None:
    """One line of progress."""
    print(f"[{time.monotonic() - _BEGUN:6.1f} s] {words}", file=sys.stderr, flush=True)


def wait_for(condition: Callable[[], T | None], what: str, timeout: float = 60.0) -> T:
    """The first truthy value of `condition`; TimeoutError after so many seconds."""
    until = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.05)
    return value


def wait_until(moment: float) -> None:
    """Until this monotonic time."""
    time.sleep(max(0.0, moment - time.monotonic()))
