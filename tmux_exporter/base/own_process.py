"""What the kernel says of this process itself: CPU time, memory, start, file descriptors."""

import os
import resource
from functools import cache
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def read(root: Path = Path("/proc")) -> dict[str, float]:
    """Figures by their names in every Prometheus client, without `process_`; empty without /proc.

    Without a limit on file descriptors there is no `max_fds`.
    """
    try:
        # Only numbers follow the closing bracket of the name.
        fields = (root / "self" / "stat").read_bytes().rpartition(b")")[2].split()
        return {
            "cpu_seconds_total": (int(fields[11]) + int(fields[12])) / _TICKS,
            "resident_memory_bytes": int(fields[21]) * _PAGE,
            "virtual_memory_bytes": int(fields[20]),
            "start_time_seconds": _boot_time(root) + int(fields[19]) / _TICKS,
            "open_fds": len(os.listdir(root / "self" / "fd")),
            **_max_fds(),
        }
    except OSError:
        return {}


@cache
def _boot_time(root: Path) -> float:
    """Seconds since the epoch; as at the first call, so that the start of the process stands still."""
    lines = (root / "stat").read_bytes().splitlines()
    return next((float(line[6:]) for line in lines if line.startswith(b"btime ")), 0.0)


def _max_fds() -> dict[str, float]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {} if limit == resource.RLIM_INFINITY else {"max_fds": limit}
