"""Waiting that a signal ends: SIGTERM and SIGINT ask the main thread to stop, in the middle of nothing."""

import os
import select
import signal
from types import FrameType


class Stop:
    """Asked for once one of the signals came; to be made in the main thread.

    A handler that raised or took a lock could break an act in two. This one only sets a flag, and the byte
    that Python writes for it wakes whoever waits.
    """

    def __init__(self) -> None:
        self.asked = False
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; whether it is."""
        if not self.asked:
            select.select((self._read,), (), (), max(0.0, seconds))
        return self.asked
