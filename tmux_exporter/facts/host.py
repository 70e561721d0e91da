"""Facts about the host: CPU, memory, load, disks, file systems, networks, pressure (PSI), kernel limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The modes of a CPU (closed list, a label), in the order of /proc/stat; guests are within user and nice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """Space of a mounted file system in bytes; what is available is so for users other than root.

    Inodes are None where the file system makes them as it needs them (btrfs says 0).
    """

    size_bytes: int
    available_bytes: int
    inodes: int | None = None
    available_inodes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDevice:
    """Bytes since the device exists, and its speed in bytes per second, None where it reports none."""

    received_bytes: int
    sent_bytes: int
    speed_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The host in one sample. A value that cannot be read is None, or missing from its mapping.

    Counters are the kernel's and count since the boot, or since the device exists. Keys: `cpu_seconds` (all
    cores) by mode, `disk_io_seconds` (time with I/O in flight) by disk, `filesystems` by mount point,
    `networks` by device, `pressure_seconds` (PSI) by resource (cpu, io, memory) and kind (some, full).
    `threads` are all process and thread ids in use, `user_pids` and `inotify_instances` those of this user.
    `cgroup_pids` are those in the fullest of the cgroups that limit what runs in panes. `oom_kills` are the
    kernel's, of all users. `complete` is
    False where something exists but could not be read or parsed; what this kernel does not have or does not
    show to this user is no failure.
    """

    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    load1: float | None = None
    disk_io_seconds: Mapping[str, float] = field(default_factory=dict)
    filesystems: Mapping[str, FileSystem] = field(default_factory=dict)
    networks: Mapping[str, NetworkDevice] = field(default_factory=dict)
    pressure_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    processes: int | None = None
    threads: int | None = None
    threads_limit: int | None = None
    ptys: int | None = None
    ptys_limit: int | None = None
    inotify_instances: int | None = None
    inotify_instances_limit: int | None = None
    user_pids: int | None = None
    user_pids_limit: int | None = None
    cgroup_pids: int | None = None
    cgroup_pids_limit: int | None = None
    oom_kills: int | None = None
    complete: bool = True
