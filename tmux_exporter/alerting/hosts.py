"""Alerts about the host, as far as sessions and agents depend on it."""

from tmux_exporter.alerting.base.alert import Alert, grows, kept, rises
from tmux_exporter.alerting.base.scope import PERCENT, TIME, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.hosts import (
    CPU_USED,
    DISK_BUSY,
    FILESYSTEM_LEFT,
    FILESYSTEM_USED,
    INODES_USED,
    LIMIT_USED,
    MEMORY_LEFT,
    MEMORY_USED,
    NETWORK_USED,
    PRESSURE,
)

_HOST = "{{ $labels.instance }}"


def _network(scope: Scope) -> str:
    """Of the speed that the driver reports; where it reports none, of the one that the thresholds assume."""
    assumed = scope.thresholds.number("host_network_busy", "assumed_bytes_per_second") * 8 / 1e9
    return (
        f"{PERCENT} of the speed of {{{{ $labels.device }}}} of the host of {_HOST} is used in "
        f"one direction; where the speed of the link is not known, of {assumed:g} Gbit/s."
    )


_FILESYSTEM = f"the file system {{{{ $labels.mountpoint }}}} of the host of {_HOST}"


def _left_by_hours(_: Scope) -> str:
    """A copy takes one step, and a line through the hour would go on from there: it must grow steadily."""
    line = kept("tmux_host_filesystem_avail_bytes{}")
    slope = "-(deriv(tmux_host_filesystem_avail_bytes{}[$over]) < 0)"
    used = kept(f"{FILESYSTEM_USED}{{}}")
    steadily = grows(FILESYSTEM_USED, "mountpoint")
    return f"{line}\n/ {slope}\n< $seconds\nand {used} > $used\nand (\n{steadily}\n)"


ALERTS = (
    Alert(
        "TmuxHostCpuHigh",
        "host_cpu",
        f"{CPU_USED}{{}} > $level",
        "The host has hardly any CPU left.",
        f"{PERCENT} of the CPU of the host of {_HOST} is used.",
        LEVELS,
    ),
    Alert(
        "TmuxHostMemoryHigh",
        "host_memory",
        f"{kept(f'{MEMORY_USED}{{}}')} > $level",
        "The host has hardly any memory left.",
        f"{PERCENT} of the memory of the host of {_HOST} is used.",
        LEVELS,
    ),
    Alert(
        "TmuxHostNearLimit",
        "host_limit",
        f"{kept(f'{LIMIT_USED}{{}}')} > $level",
        "A resource of the kernel is nearly used up.",
        f"{PERCENT} of the {{{{ $labels.resource }}}} that the host of {_HOST} can "
        "give out are in use; at 100 % no program, pane or watch can be started.",
        LEVELS,
    ),
    Alert(
        "TmuxHostMemoryRunsOut",
        "host_memory_runs_out",
        # A build is no reason to look while most of the memory is free. A fleet that starts takes one step,
        # and a line through the hour would go on from there: so the memory used must grow steadily.
        f"{kept(f'{MEMORY_LEFT}{{}}')} < $seconds\nand {kept(f'{MEMORY_USED}{{}}')} > $used\nand (\n"
        + grows(MEMORY_USED, "instance")
        + "\n)",
        "The memory of the host will be used up soon.",
        f"At the pace of the last hour the memory of the host of {_HOST} is used up in {TIME}.",
    ),
    Alert(
        "TmuxHostDiskBusy",
        "host_disk_busy",
        f"{DISK_BUSY}{{}} > $ratio",
        "A disk of the host is busy nearly all the time.",
        f"Disk {{{{ $labels.device }}}} of the host of {_HOST} had work at hand in {PERCENT} of the time.",
    ),
    Alert(
        "TmuxHostDiskFull",
        "host_disk_full",
        f"{kept(f'{FILESYSTEM_USED}{{}}')} > $level",
        "A file system of the host is nearly full.",
        f"{PERCENT} of the file system {{{{ $labels.mountpoint }}}} of the host of {_HOST} is used.",
        LEVELS,
    ),
    Alert(
        "TmuxHostInodesFull",
        "host_disk_full",
        f"{kept(f'{INODES_USED}{{}}')} > $level",
        "A file system of the host has hardly any inode left.",
        f"{PERCENT} of the inodes of {_FILESYSTEM} are used: without one there is no new file, however much "
        "space is left.",
        LEVELS,
    ),
    Alert(
        "TmuxHostDiskRunsOut",
        "host_disk_fills",
        # A copy takes one step, and a line through it would go on from there.
        f"{kept(f'{FILESYSTEM_LEFT}{{}}')} < $seconds\nand {kept(f'{FILESYSTEM_USED}{{}}')} > $used\nand (\n"
        + rises(f"{FILESYSTEM_USED}{{}}")
        + "\n)",
        "A file system of the host will be full within the hour.",
        f"At the pace of the last minutes {_FILESYSTEM} is full in {TIME}.",
        ("critical",),
    ),
    Alert(
        "TmuxHostDiskRunsOut",
        "host_disk_runs_out",
        _left_by_hours,
        "A file system of the host will be full soon.",
        f"At the pace of the last hour {_FILESYSTEM} is full in {TIME}.",
        ("warning",),
    ),
    Alert(
        "TmuxHostOomKill",
        "host_oom",
        "increase(tmux_host_oom_kills_total{}[$within]) > 0",
        "The kernel has killed a process for memory.",
        f"The kernel of the host of {_HOST} has killed about {{{{ $value | humanize }}}} processes for "
        "memory within ten minutes.",
    ),
    Alert(
        "TmuxHostPressure",
        "host_pressure",
        f'{PRESSURE}{{resource="memory"}} > $memory\nor {PRESSURE}{{resource="io"}} > $io',
        "All that the host could do waits for memory, or for a disk.",
        f"In {PERCENT} of the time everything on the host of {_HOST} waited for {{{{ $labels.resource }}}}.",
    ),
    Alert(
        "TmuxHostNetworkBusy",
        "host_network_busy",
        f"{NETWORK_USED}{{}} > $ratio",
        "A network link of the host is nearly full.",
        _network,
    ),
)
