"""What processes used of the CPU and of memory, as the kernel accounts for it."""

import os
import time
from pathlib import Path

from tmux_exporter.base.clock import SystemClock

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process to the nanosecond, and of the children it waited for, to the tick."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    children = stat[stat.rindex(b")") + 2 :].split()[13:15]
    # The CPU clock of another process (clock_getcpuclockid(3)).
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9 + sum(map(int, children)) * _TICK


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processes() -> dict[int, bytes]:
    """Every process with its command line."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found[int(name)] = Path(f"/proc/{name}/cmdline").read_bytes()
            except OSError:
                continue
    return found


class Later(SystemClock):
    """A clock that can be put forward: for what an exporter does only after it has run for a while."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        """Seconds of a clock that is only put forward."""
        return super().monotonic() + self._ahead

    def skip(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead += seconds
