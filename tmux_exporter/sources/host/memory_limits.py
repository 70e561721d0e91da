"""Read the memory limits of the host and of cgroups.

A limit of a cgroup holds for everything below it, so all cgroups above are read as well. Results and
failures are cached for a minute; in which cgroup a process is, longer the longer it is there.
"""

import math
import os
import re
from collections.abc import Set

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Cgroup, MemoryBounds, ProcessId
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.common.ttl_cache import PATIENT_SECONDS, TTL_SECONDS, TtlCache
from tmux_exporter.sources.processes.parse import text
from tmux_exporter.sources.processes.process_folder import opened_folder, read_file

# Version 2 and version 1: a cgroup has one of them, the root of version 2 none.
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
# Where version 1 mounts the hierarchy of its memory controller, below the root of the file systems.
_V1_MOUNT = "memory"
# Version 1 writes its largest page counter for "no limit".
_UNLIMITED = 1 << 62
_MEMORY_TOTAL = re.compile(rb"^MemTotal: +(\d+) kB$", re.MULTILINE)


class LimitReader:
    """Reads limits once a sample; `cgroup_root` is where the cgroup file systems are mounted."""

    def __init__(
        self, *, clock: Clock, proc_root: str = "/proc", cgroup_root: str = "/sys/fs/cgroup"
    ) -> None:
        self._clock = clock
        self._proc_root = proc_root
        self._cgroup_root = cgroup_root
        self._host = TtlCache(self._read_host)
        self._cgroups = TtlCache(self._read_cgroup, PATIENT_SECONDS)
        self._limits = TtlCache(self._read_limit)
        self._asked: Set[ProcessId] = frozenset()
        self._found = MemoryBounds()
        self._due = -math.inf

    def read(self, processes: Set[ProcessId]) -> MemoryBounds:
        """The limits of these processes, without unreadable ones. Raises nothing for what it finds.

        The same object as last time where nothing has changed.
        """
        now = self._clock.monotonic()
        if now >= self._due or processes != self._asked:
            self._asked, self._due = processes, now + TTL_SECONDS
            cgroups = self._cgroups.known(processes, now)
            above = {cgroup[:depth] for cgroup in set(cgroups.values()) for depth in range(len(cgroup) + 1)}
            found = MemoryBounds(
                host=self._host.get("meminfo", now), cgroups=cgroups, limits=self._limits.known(above, now)
            )
            self._found = self._found if found == self._found else found
        return self._found

    def _read_host(self, name: str) -> int:
        return parse_memory_total(_content(self._proc_root, name))

    def _read_cgroup(self, process: ProcessId) -> Cgroup | None:
        with opened_folder(self._proc_root, process) as folder:
            return parse_memory_cgroup(read_file("cgroup", folder))

    def _read_limit(self, cgroup: Cgroup) -> int | None:
        for name in _LIMIT_FILES:
            try:
                return parse_limit(_content(os.path.join(self._cgroup_root, *cgroup), name))
            except FileNotFoundError:
                continue
        return None


def _content(folder: str, name: str) -> bytes:
    with opened(folder) as descriptor:
        return read_file(name, descriptor)


def parse_memory_total(raw: bytes) -> int:
    """Parse /proc/meminfo: the total memory. Raises ValueError without it."""
    found = _MEMORY_TOTAL.search(raw)
    if found is None:
        raise ValueError("meminfo: no MemTotal")
    return int(found[1]) * 1024


def parse_memory_cgroup(raw: bytes) -> Cgroup | None:
    """Parse /proc/PID/cgroup: the cgroup that limits memory, None if it is outside our root.

    On a machine that runs both versions the memory controller is in one of them: in version 1 where a line
    names it, else in version 2. Outside of our cgroup namespace paths lead upwards.
    """
    found: Cgroup | None = None
    for line in text(raw).removesuffix("\n").split("\n"):
        _, controllers, path = line.split(":", 2)
        folders = tuple(folder for folder in path.split("/") if folder)
        if "memory" in controllers.split(","):
            found = (_V1_MOUNT, *folders)
            break
        if not controllers:
            found = folders
    return None if found is None or ".." in found else found


def parse_limit(raw: bytes) -> int | None:
    """Parse memory.max or memory.limit_in_bytes: bytes, None if unlimited."""
    if raw.strip() == b"max":
        return None
    limit = int(raw)
    return None if limit >= _UNLIMITED else limit
