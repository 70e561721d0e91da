"""Read the kernel's accounts of cgroups: CPU time, memory, members; version 2, or a hierarchy of version 1.

A machine may have both. CPU time is read of version 2 where the process is in a cgroup of it, memory of the
version that has the controller.
"""

import os
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from functools import partial

from tmux_exporter.facts.ledgers import Counts, LedgerCount, LedgerFolders, PaneScope, PidCount
from tmux_exporter.sources.host.cgroups import parse_bound
from tmux_exporter.sources.host.pane_scopes import read_scopes
from tmux_exporter.sources.host.parse import RESOURCES, parse_pressure
from tmux_exporter.sources.processes.parse import text

_MEMBERS = "cgroup.procs"
_UNIFIED = ("", "/unified")
"""Where version 2 is mounted, alone or beside version 1."""

_NANOSECONDS = 1000
_V2_PROBES = {"pids": "pids.max", "io": "io.stat"}
_IO = {
    "rbytes": LedgerCount.READ_BYTES,
    "wbytes": LedgerCount.WRITTEN_BYTES,
    "rios": LedgerCount.READS,
    "wios": LedgerCount.WRITES,
}
_V1_NAMES = {"io": "blkio"}


class LedgerReader:
    """Reads accounts; `cgroup_root` is where the cgroup file systems are mounted. Raises nothing."""

    def __init__(
        self, *, proc_root: str = "/proc", cgroup_root: str = "/sys/fs/cgroup", sys_root: str = "/sys"
    ) -> None:
        self._uid = os.getuid()
        self._proc_root = proc_root
        self._sys_root = sys_root
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

    def beside(self, folder: str, pids: frozenset[int]) -> tuple[str, ...]:
        """Of version 1, the cgroups for pids and I/O that hold the processes of a cgroup and no others."""
        if not folder.startswith(f"{self._root}/cpuacct/") or not pids:
            return ()
        with suppress(OSError, ValueError):
            found = dict.fromkeys(self.controller(min(pids), each) for each in _V2_PROBES)
            return tuple(each for each in found if each and self.members(each) == pids)
        return ()

    def counts(self, folder: str, *, detail: bool) -> Counts:
        """What the cgroup and all below it have counted, as far as known; `detail`: I/O and pressure too."""
        found: dict[LedgerCount, float] = {}
        events = "memory.oom_control" if folder.startswith(f"{self._root}/memory/") else "memory.events"
        readings: list[Callable[[], Counts]] = [lambda: parse_oom_kills(_content(folder, events))]
        if detail:
            readings += [partial(self._pressure, folder, each) for each in RESOURCES]
            readings += [lambda: self._on_disks(parse_io(_content(folder, "io.stat")))]
            readings += [lambda: self._on_disks(self._old_io(folder))]
        for read in readings:
            with suppress(OSError, ValueError, KeyError):
                found.update(read())
        return found

    def scopes(self, known: Container[str]) -> tuple[PaneScope, ...]:
        """The cgroups that tmux made for panes of this user, but those with known names."""
        return read_scopes(known, uid=self._uid, unified=self._unified) if self._unified else ()

    @staticmethod
    def kills_below(folder: str) -> int | None:
        """OOM kills in a cgroup and all below it, also in those that are gone; version 1 does not tell."""
        try:
            return parse_counts(_content(folder, "memory.events"))["oom_kill"]
        except (OSError, ValueError, KeyError):
            return None

    @staticmethod
    def _pressure(folder: str, resource: str) -> Counts:
        seconds = parse_pressure(_content(folder, f"{resource}.pressure"))
        return {LedgerCount(f"{resource} {kind}"): each for kind, each in seconds.items()}

    @staticmethod
    def _old_io(folder: str) -> Mapping[str, Counts]:
        names = ("io_service_bytes", "io_serviced")
        return parse_blkio(*(_content(folder, f"blkio.throttle.{each}_recursive") for each in names))

    def _on_disks(self, devices: Mapping[str, Counts]) -> Counts:
        """The sum over disks: what is made of other disks or of files counts there again."""
        found: dict[LedgerCount, float] = dict.fromkeys(_IO.values(), 0)
        for number, counts in devices.items():
            if os.path.exists(f"{self._sys_root}/dev/block/{number}/device"):
                for each, count in counts.items():
                    found[each] += count
        return found

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


def parse_oom_kills(raw: bytes) -> Counts:
    """Parse memory.events, or memory.oom_control of version 1, which has it since Linux 4.13."""
    return {LedgerCount.OOM_KILLS: parse_counts(raw)["oom_kill"]}


def parse_io(raw: bytes) -> dict[str, Counts]:
    """Parse io.stat: counts by the number of a device; a device that has done nothing has none."""
    found: dict[str, Counts] = {}
    for line in text(raw).splitlines():
        number, *pairs = line.split()
        counts = dict(pair.split("=") for pair in pairs if "=" in pair)
        found[number] = {kind: int(counts[name]) for name, kind in _IO.items() if name in counts}
    return found


def parse_blkio(raw_bytes: bytes, raw_operations: bytes) -> dict[str, Counts]:
    """Parse the two files of version 1: lines with a device, a kind and a count, then one of totals."""
    found: dict[str, dict[LedgerCount, float]] = {}
    for raw, kinds in (
        (raw_bytes, {"Read": LedgerCount.READ_BYTES, "Write": LedgerCount.WRITTEN_BYTES}),
        (raw_operations, {"Read": LedgerCount.READS, "Write": LedgerCount.WRITES}),
    ):
        for line in text(raw).splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in kinds:
                found.setdefault(words[0], {})[kinds[words[1]]] = int(words[2])
    return dict(found)


def _content(folder: str, name: str) -> bytes:
    with open(f"{folder}/{name}", "rb", buffering=0) as stream:
        return stream.read()
