"""The clock: the only file that reads time. Other code takes a Clock, so that tests control time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for timestamps, monotonic time for every duration and deadline."""

    def time(self) -> float:
        """Seconds since the epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds that never run backwards (CLOCK_MONOTONIC)."""


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        """Seconds since the epoch; may jump."""
        return time.time()  # noqa: TID251 - this file is the reader

    def monotonic(self) -> float:
        """Seconds that never run backwards (CLOCK_MONOTONIC)."""
        return time.monotonic()  # noqa: TID251 - this file is the reader
