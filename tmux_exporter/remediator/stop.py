"""Interruptible waiting: SIGTERM and SIGINT ask to stop, SIGHUP asks to reload the policies.

A terminal that hangs up asks to stop, too, unless the program was started by nohup.
"""

import os
import select
import signal
from types import FrameType

from tmux_exporter.base.runtime import has_terminal

_PIPE_BYTES = 4096


class Stop:
    """Asked for once one of the signals came; to be made in the main thread.

    A handler that raised or took a lock could break an act in two. These only set flags, and the byte
    that Python writes for each signal ends the wait.
    """

    def __init__(self) -> None:
        self.asked = False
        self._again = False
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        before = signal.signal(signal.SIGHUP, self._hang_up)
        self._ends_with_terminal = before is not signal.SIG_IGN and has_terminal()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        if self._ends_with_terminal and not has_terminal():
            self.asked = True
        else:
            self._again = True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a signal comes; whether a stop is asked for."""
        if not self.asked and not self._again and select.select((self._read,), (), (), max(0.0, seconds))[0]:
            os.read(self._read, _PIPE_BYTES)
        return self.asked

    def take_reload(self) -> bool:
        """Whether a SIGHUP came since the last call."""
        again, self._again = self._again, False
        return again
