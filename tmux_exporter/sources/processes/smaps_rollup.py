"""Read how much memory a process shares from `smaps_rollup`: exact, but it delays that process.

While the kernel adds it up (2 ms for 160 MiB) the process cannot map or unmap memory. So it is read only of
processes that seem to share memory, and only for a few milliseconds in each sample.
"""

import re
import time
from collections.abc import Callable, Iterable

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId, Proportions, ProportionsFound
from tmux_exporter.sources.processes.process_folder import opened_folder, read_file

DEADLINE_SECONDS = 0.05
"""Seconds after which no further process is read: on a slow or busy machine each one takes longer."""

LATEST_SECONDS = 0.15
DEADLINE_SHARE = 0.01
"""Where samples are rare it is this share of the time since the last reading, if that is longer."""

_LINE = re.compile(rb"^(\w+): +(\d+) kB$", re.MULTILINE)


class RollupReader:
    """Reads it once a sample, of processes of our own uid."""

    def __init__(
        self, *, clock: Clock, proc_root: str = "/proc", cpu_seconds: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock = clock
        self._root = proc_root
        self._cpu_seconds = cpu_seconds
        self._last = clock.monotonic()

    def read(self, processes: Iterable[ProcessId]) -> ProportionsFound:
        """Read one by one until the deadline; None if denied, ended or malformed."""
        begun = self._cpu_seconds()
        found: dict[ProcessId, Proportions | None] = {}
        now = self._clock.monotonic()
        rare, self._last = DEADLINE_SHARE * (now - self._last), now
        until = now + max(DEADLINE_SECONDS, min(LATEST_SECONDS, rare))
        for process in processes:
            found[process] = self._read_one(process)
            if self._clock.monotonic() >= until:
                break
        return ProportionsFound(found=found, cpu_seconds=self._cpu_seconds() - begun)

    def _read_one(self, process: ProcessId) -> Proportions | None:
        try:
            with opened_folder(self._root, process) as folder:
                return parse_rollup(read_file("smaps_rollup", folder))
        except (OSError, ValueError):
            return None


def parse_rollup(raw: bytes) -> Proportions:
    """Parse /proc/PID/smaps_rollup. Raises ValueError without the lines of Linux 5.0."""
    figures = {name: int(number) * 1024 for name, number in _LINE.findall(raw)}
    try:
        return Proportions(
            anonymous_elsewhere_bytes=max(0, figures[b"Anonymous"] - figures[b"Pss_Anon"]),
            shared_memory_bytes=figures[b"Pss_Shmem"],
            swap_elsewhere_bytes=max(0, figures[b"Swap"] - figures[b"SwapPss"]),
        )
    except KeyError as error:
        raise ValueError(f"smaps_rollup: no {error}") from error
