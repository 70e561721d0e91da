"""Read the host: memory, CPUs, load, disks, file systems, network, pressure, pids and other limits.

A reading costs a dozen small files of /proc and one call for each file system; values that
rarely change (mounts, limits, which block devices are disks, speeds) are read once a minute. Nothing here
waits for a network file system (`mounts`).
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.host import FileSystem, HostFacts, NetworkDevice
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.sources.common.opened import content
from tmux_exporter.sources.common.ttl_cache import TTL_SECONDS, TtlCache
from tmux_exporter.sources.host.inotify import InotifyReader
from tmux_exporter.sources.host.mounts import Mount, local_mounts, parse_mounts, space
from tmux_exporter.sources.host.parse import (
    RESOURCES,
    Traffic,
    parse_cpu,
    parse_disks,
    parse_load,
    parse_memory,
    parse_networks,
    parse_number,
    parse_oom_kills,
    parse_pressure,
    parse_speed,
)
from tmux_exporter.sources.host.user_pids import UserPidReader
from tmux_exporter.sources.processes.parse import text

T = TypeVar("T")

# A missing file, one that a container hides (empty) or denies, and pressure that is off.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP, errno.ENODATA)
_MEMORY_DISKS = (b"loop", b"ram", b"zram")
# Virtual devices of containers: each name is used once, and the bytes pass eth0 as well.
_LEFT_OUT = (b"veth",)
_REWIND_SECONDS = 3.0


class HostReader:
    """Reads the machine, and the inotify instances of `uid`.

    `places` are paths whose file systems are shown even if they are in memory.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        proc_root: str = "/proc",
        sys_root: str = "/sys",
        places: Iterable[str] = ("/tmp",),  # noqa: S108 - only its space is asked for
        uid: int,
    ) -> None:
        self._clock = clock
        self._proc_root = proc_root
        self._sys_root = sys_root
        self._places = [os.fsencode(os.path.normpath(place)) for place in places if os.path.isabs(place)]
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._inotify = InotifyReader(uid=uid, proc_root=proc_root)
        self._pids = UserPidReader(uid=uid, proc_root=proc_root, cgroup_root=f"{sys_root}/fs/cgroup")
        self._numbers = TtlCache(self._read_number)
        self._is_disk = TtlCache(self._has_hardware)
        self._speeds = TtlCache(self._read_speed)
        self._mounts: tuple[Mount, ...] = ()
        self._mounts_until = 0.0
        self._cpu_seconds: Mapping[str, float] = {}

    def read(self, table: ProcessTable) -> HostFacts:
        """Take one reading, the number of processes from `table`. Raises nothing for what it finds."""
        now = self._clock.monotonic()
        files = _Files(self._proc_root)
        memory = files.at("meminfo", parse_memory)
        load = files.at("loadavg", parse_load)
        if now >= self._mounts_until:
            mounts = files.at("self/mountinfo", parse_mounts) or ()
            self._mounts, self._mounts_until = local_mounts(mounts, self._places), now + TTL_SECONDS
        numbers = self._numbers.known(
            ("kernel/pid_max", "kernel/threads-max", "kernel/pty/max", "fs/inotify/max_user_instances"), now
        )
        ids = [numbers.get(name) for name in ("kernel/pid_max", "kernel/threads-max")]
        user, cgroup = self._pids.user(table, now), self._pids.cgroup(table, now)
        known_ids = [limit for limit in ids if limit is not None]
        return HostFacts(
            memory_bytes=memory[0] if memory else None,
            memory_available_bytes=memory[1] if memory else None,
            cpu_seconds=self._cpu(files.at("stat", parse_cpu)),
            load1=load.load1 if load else None,
            disk_io_seconds=self._disks(files.at("diskstats", parse_disks) or {}, now),
            filesystems=self._filesystems(),
            networks=self._networks(files.at("net/dev", parse_networks) or {}, now),
            pressure_seconds={
                (resource, kind): seconds
                for resource in RESOURCES
                for kind, seconds in (files.at(f"pressure/{resource}", parse_pressure) or {}).items()
            },
            processes=len(table.processes) if table.complete else None,
            threads=load.threads if load else None,
            threads_limit=min(known_ids) if len(known_ids) == len(ids) else None,
            ptys=files.at("sys/kernel/pty/nr", parse_number),
            ptys_limit=numbers.get("kernel/pty/max"),
            inotify_instances=self._inotify.read(table),
            inotify_instances_limit=numbers.get("fs/inotify/max_user_instances"),
            user_pids=user.pids if user else None,
            user_pids_limit=user.limit if user else None,
            cgroup_pids=cgroup.pids if cgroup else None,
            cgroup_pids_limit=cgroup.limit if cgroup else None,
            oom_kills=files.at("vmstat", parse_oom_kills),
            complete=files.complete,
        )

    def _cpu(self, ticks: Mapping[str, int] | None) -> Mapping[str, float]:
        """Seconds by mode.

        `idle` and `iowait` may decrease by a few ticks (proc_stat(5)), which must not look like a counter
        reset; a larger decrease is a reset, for example a restored snapshot.
        """
        seconds = {mode: count / self._ticks_per_second for mode, count in (ticks or {}).items()}
        for mode, before in self._cpu_seconds.items():
            if mode in seconds and before - _REWIND_SECONDS <= seconds[mode] < before:
                seconds[mode] = before
        self._cpu_seconds = seconds or self._cpu_seconds
        return seconds

    def _disks(self, devices: Mapping[bytes, float], now: float) -> dict[str, float]:
        return {
            text(name): seconds
            for name, seconds in devices.items()
            if not name.startswith(_MEMORY_DISKS) and self._is_disk.get(name, now)
        }

    def _networks(self, devices: Mapping[bytes, Traffic], now: float) -> dict[str, NetworkDevice]:
        return {
            text(name): NetworkDevice(
                received_bytes=traffic.received,
                sent_bytes=traffic.sent,
                speed_bytes=self._speeds.get(name, now),
            )
            for name, traffic in devices.items()
            if name != b"lo" and not name.startswith(_LEFT_OUT)
        }

    def _filesystems(self) -> dict[str, FileSystem]:
        """One for each file system, even with several mounts: the first mount that answers."""
        found: dict[bytes, tuple[str, FileSystem]] = {}
        for mount in self._mounts:
            if mount.device not in found and (answer := space(mount, self._proc_root)):
                found[mount.device] = text(mount.point), answer
        return dict(found.values())

    def _read_number(self, name: str) -> int:
        return parse_number(content(os.path.join(self._proc_root, "sys", name)))

    def _has_hardware(self, name: bytes) -> bool:
        """Whether a block device is a physical disk: in /sys/block, with a hardware device.

        Device mapper and software RAID have none; their time is that of their disks again.
        """
        folder = os.path.join(os.fsencode(self._sys_root), b"block", name.replace(b"/", b"!"))
        return os.path.exists(os.path.join(folder, b"device"))

    def _read_speed(self, name: bytes) -> int | None:
        return parse_speed(content(os.path.join(os.fsencode(self._sys_root), b"class/net", name, b"speed")))


class _Files:
    """The reads of one reading; `complete` is False after an unexpected failure."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.complete = True

    def at(self, name: str, parse: Callable[[bytes], T]) -> T | None:
        """The parsed file, None if it is missing or cannot be read."""
        try:
            raw = content(os.path.join(self._root, name))
            return parse(raw) if raw else None
        except OSError as error:
            self.complete &= error.errno in _NOT_THERE
        except ValueError:
            self.complete = False
        return None
