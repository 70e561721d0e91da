"""Find which pids the kernel has assigned since the last reading.

The kernel assigns pids to processes and threads in ascending order, skips those in use, and wraps around at
the largest. The last field of /proc/loadavg is the pid that was assigned last.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain

from tmux_exporter.sources.processes.kernel import Boot, Kernel

FORKS_PER_SECOND = 20_000
"""An upper bound of any machine. If this rate could have used up all pids, the count of forks decides."""

_IN_FLIGHT = 256
"""An upper bound of the forks in progress at one moment."""


@dataclass(frozen=True, slots=True)
class NewPids:
    """The pids assigned since the last reading, as ranges in the order of assignment."""

    ranges: tuple[range, ...]

    def __contains__(self, pid: object) -> bool:
        return any(pid in each for each in self.ranges)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def of(self, pids: Collection[int]) -> list[int]:
        """The members of `pids` (a set or a mapping) that are among them."""
        if len(self) < len(pids):
            return [pid for pid in chain(*self.ranges) if pid in pids]
        return [pid for pid in pids if pid in self]


NO_PIDS = NewPids(())


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastPid:
    """The last pid at one moment, in monotonic seconds; `boot` is of that reading or an earlier one."""

    at: float
    cursor: int
    boot: Boot


class Cursor:
    """Follows the last pid."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pid_max = 0
        self._last: _LastPid | None = None

    def forget(self) -> None:
        """Forget the last reading."""
        self._last = None

    def advance(self, now: float, *, refresh: bool) -> tuple[NewPids | None, float]:
        """The pids assigned since the last time, None if unknown; and the boot time.

        Reads the count of forks if all pids may have been assigned meanwhile, and to `refresh` the boot time,
        which changes when the clock is set. Raises OSError and ValueError.
        """
        last, self._last = self._last, None
        cursor = self._kernel.cursor()
        crowded = last is not None and (now - last.at) * FORKS_PER_SECOND >= self._pid_max
        boot = self._kernel.boot() if last is None or crowded or refresh else last.boot
        self._last = _LastPid(at=now, cursor=cursor, boot=boot)
        if last is None:
            self._pid_max = self._kernel.pid_max()
            return None, boot.time
        # A failed fork uses a pid without being counted, so half of all pids counts as all.
        if crowded and boot.forks - last.boot.forks >= self._pid_max // 2:
            return None, boot.time
        return self._between(last.cursor, cursor), boot.time

    def recent(self) -> NewPids:
        """The pids assigned just before the last `advance`; their processes may not have been visible yet."""
        last = self._last.cursor if self._last else 0
        return NewPids((range(max(1, last - _IN_FLIGHT), last + 1),))

    def since(self) -> NewPids:
        """The pids assigned since the last `advance`. Raises OSError and ValueError."""
        return NO_PIDS if self._last is None else self._between(self._last.cursor, self._kernel.cursor())

    def _between(self, last: int, cursor: int) -> NewPids:
        if cursor >= last:
            return NewPids((range(last + 1, cursor + 1),))
        self._pid_max = self._kernel.pid_max()
        return NewPids((range(last + 1, self._pid_max), range(1, cursor + 1)))
