"""Clocks that a test moves."""

from tmux_exporter.base.clock import SystemClock


class ManualClock:
    """Stands still until the test advances it; for code that never waits."""

    def __init__(self, *, time: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._time = time
        self._monotonic = monotonic

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._time += seconds
        self._monotonic += seconds


class ShiftedClock:
    """The machine's clocks plus what the test adds; for code that waits for real servers."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._shift = 0.0

    def time(self) -> float:
        return self._system.time() + self._shift

    def monotonic(self) -> float:
        return self._system.monotonic() + self._shift

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._shift += seconds
