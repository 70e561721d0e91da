"""Read the kernel's accounts of cgroups: CPU time, memory, members; version 2, or a hierarchy of version 1.

A machine may have both. CPU time is read of version 2 where the process is in a cgroup of it, memory of the
version that has the controller.
"""

import os
from collections.abc import Mapping

from tmux_exporter.facts.ledgers import LedgerFolders, PidCount
from tmux_exporter.sources.host.cgroups import parse_bound
from tmux_exporter.sources.processes.parse import text

_MEMBERS = "cgroup.procs"
_UNIFIED = ("", "/unified")
"""Where version 2 is mounted, alone or beside version 1."""

_NANOSECONDS = 1000
_V2_PROBES = {"pids": "pids.max", "io": "io.stat"}
_V1_NAMES = {"io": "blkio"}


class LedgerReader:
    """Reads accounts; `cgroup_root` is where the cgroup file systems are mounted. Raises nothing."""

    def __init__(self, *, proc_root: str = "/proc", cgroup_root: str = "/sys/fs/cgroup") -> None:
        self._proc_root = proc_root
        self._root = cgroup_root
        mounted = (cgroup_root + each for each in _UNIFIED)
        self._unified = next((each for each in mounted if os.path.exists(f"{each}/cgroup.controllers")), "")

    def folders(self, pid: int) -> LedgerFolders | None:
        """The cgroups of whatever process has this pid; None where it is gone or shows none."""
        try:
            paths = parse_paths(_content(f"{self._proc_root}/{pid}", "cgroup"))
        except (OSError, ValueError):
            return None
        own = self._folder(self._unified, paths.get("", ""))
        memory = own if own and os.path.exists(f"{own}/memory.stat") else ""
        return LedgerFolders(
            cpu=own or self._folder(f"{self._root}/cpuacct", paths.get("cpuacct", "")),
            memory=memory or self._folder(f"{self._root}/memory", paths.get("memory", "")),
        )

    def controller(self, pid: int, name: str) -> str:
        """The cgroup of a process in which a controller (pids, io) counts; empty where none does.

        Raises OSError or ValueError where the process is gone.
        """
        paths = parse_paths(_content(f"{self._proc_root}/{pid}", "cgroup"))
        own = self._folder(self._unified, paths.get("", ""))
        if own and os.path.exists(f"{own}/{_V2_PROBES[name]}"):
            return own
        old = _V1_NAMES.get(name, name)
        return self._folder(f"{self._root}/{old}", paths.get(old, ""))

    @staticmethod
    def pids(folder: str) -> PidCount | None:
        """Processes and threads in a cgroup and all below it, and the limit; None where not known."""
        try:
            return PidCount(int(_content(folder, "pids.current")), parse_bound(_content(folder, "pids.max")))
        except (OSError, ValueError):
            return None

    @staticmethod
    def _folder(mount: str, path: str) -> str:
        """The folder of a cgroup below the root of its hierarchy, which holds everybody."""
        if not mount or path.strip("/") == "" or ".." in path.split("/"):
            return ""
        folder = mount + path
        return folder if os.path.exists(folder) else ""

    def members(self, folder: str) -> frozenset[int] | None:
        """The pids in a cgroup and all below it; None where it is gone."""
        try:
            return self._below(folder)
        except (OSError, ValueError):
            return None

    def _below(self, folder: str) -> frozenset[int]:
        found = frozenset(map(int, _content(folder, _MEMBERS).split()))
        # A folder without folders has two links: its name and its own dot.
        if os.stat(folder).st_nlink > 2:
            for each in os.scandir(folder):
                if each.is_dir(follow_symlinks=False):
                    found |= self._below(each.path)
        return found

    def cpu_nanoseconds(self, folder: str) -> int | None:
        """CPU time that the cgroup and all below it have used; None where it is not known."""
        try:
            if folder.startswith(f"{self._root}/cpuacct/"):
                return int(_content(folder, "cpuacct.usage"))
            return parse_counts(_content(folder, "cpu.stat"))["usage_usec"] * _NANOSECONDS
        except (OSError, ValueError, KeyError):
            return None

    def memory_bytes(self, folder: str) -> int | None:
        """Anonymous and shared memory that is charged to a cgroup and all below it; None if not known."""
        try:
            return parse_memory(_content(folder, "memory.stat"))
        except (OSError, ValueError, KeyError):
            return None


def parse_paths(raw: bytes) -> dict[str, str]:
    """Parse /proc/PID/cgroup: the path by controller, that of version 2 under an empty name."""
    found = {}
    for line in text(raw).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            found[""] = path
        for each in controllers.split(","):
            if each:
                found[each] = path
    return found


def parse_counts(raw: bytes) -> dict[str, int]:
    """Parse a file of names and counts."""
    rows = (line.split() for line in text(raw).splitlines())
    return {name: int(count) for name, count in rows}


def parse_memory(raw: bytes) -> int:
    """Parse memory.stat: anonymous and shared memory, of a tree in version 1 too.

    Raises KeyError or ValueError for what is not one.
    """
    counts: Mapping[str, int] = parse_counts(raw)
    if "total_rss" in counts:
        # Version 1 calls anonymous memory `rss`, and counts `shmem` apart since Linux 4.20.
        return counts["total_rss"] + counts.get("total_shmem", 0)
    return counts["anon"] + counts["shmem"]


def _content(folder: str, name: str) -> bytes:
    with open(f"{folder}/{name}", "rb", buffering=0) as stream:
        return stream.read()
