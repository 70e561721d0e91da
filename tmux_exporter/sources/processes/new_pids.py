"""Which pids the kernel has given away since the last reading.

It gives them in turn, to processes and threads, each time the next that is free, and from the start again
past the largest. Where the turn is now says the last field of /proc/loadavg.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain

from tmux_exporter.sources.processes.kernel import Boot, Kernel

FORKS_PER_SECOND = 20_000
"""More than a machine does: where so many could have used up all pids, its count of forks is asked."""

_IN_FLIGHT = 256
"""More forks than are under way in one moment."""


@dataclass(frozen=True, slots=True)
class NewPids:
    """The pids given away since the last reading, as ranges in the order in which they were given."""

    ranges: tuple[range, ...]

    def __contains__(self, pid: object) -> bool:
        return any(pid in each for each in self.ranges)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def of(self, pids: Collection[int]) -> list[int]:
        """Those of `pids`, a set or a mapping, that are among them."""
        if len(self) < len(pids):
            return [pid for pid in chain(*self.ranges) if pid in pids]
        return [pid for pid in pids if pid in self]


NO_PIDS = NewPids(())


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastPid:
    """Where the turn was at one moment, in monotonic seconds; `boot` is of that reading or an earlier one."""

    at: float
    cursor: int
    boot: Boot


class Cursor:
    """Follows the turn."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pid_max = 0
        self._last: _LastPid | None = None

    def forget(self) -> None:
        """Begin anew."""
        self._last = None

    def advance(self, now: float, *, refresh: bool) -> tuple[NewPids | None, float]:
        """What was given away since the last time, None where it cannot be told; and the time of the boot.

        The count of forks is asked where all pids can have been given away meanwhile, and to `refresh` the
        time of the boot, which moves when the clock is set. Raises OSError and ValueError.
        """
        last, self._last = self._last, None
        cursor = self._kernel.cursor()
        crowded = last is not None and (now - last.at) * FORKS_PER_SECOND >= self._pid_max
        boot = self._kernel.boot() if last is None or crowded or refresh else last.boot
        self._last = _LastPid(at=now, cursor=cursor, boot=boot)
        if last is None:
            self._pid_max = self._kernel.pid_max()
            return None, boot.time
        # A fork that fails uses up a pid and does not count: half of all is near enough to all.
        if crowded and boot.forks - last.boot.forks >= self._pid_max // 2:
            return None, boot.time
        return self._between(last.cursor, cursor), boot.time

    def recent(self) -> NewPids:
        """What was given away before the last `advance`; some may not have been there to be seen."""
        last = self._last.cursor if self._last else 0
        return NewPids((range(max(1, last - _IN_FLIGHT), last + 1),))

    def since(self) -> NewPids:
        """What was given away since the last `advance`. Raises OSError and ValueError."""
        return NO_PIDS if self._last is None else self._between(self._last.cursor, self._kernel.cursor())

    def _between(self, last: int, cursor: int) -> NewPids:
        if cursor >= last:
            return NewPids((range(last + 1, cursor + 1),))
        self._pid_max = self._kernel.pid_max()
        return NewPids((range(last + 1, self._pid_max), range(1, cursor + 1)))
