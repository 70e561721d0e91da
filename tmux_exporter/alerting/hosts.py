"""Alerts about the host, as far as sessions and agents depend on it."""

from tmux_exporter.alerting.base.alert import Alert, grows, kept
from tmux_exporter.alerting.base.scope import PERCENT, TIME, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.hosts import (
    CPU_USED,
    DISK_BUSY,
    FILESYSTEM_USED,
    LIMIT_USED,
    MEMORY_LEFT,
    MEMORY_USED,
    NETWORK_USED,
)

_HOST = "{{ $labels.instance }}"


def _network(scope: Scope) -> str:
    """Of the speed that the driver reports; where it reports none, of the one that the thresholds assume."""
    assumed = scope.thresholds.number("host_network_busy", "assumed_bytes_per_second") * 8 / 1e9
    return (
        f"{PERCENT} of the speed of {{{{ $labels.device }}}} of the host of {_HOST} is used in "
        f"one direction; where the speed of the link is not known, of {assumed:g} Gbit/s."
    )


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
        f"{PERCENT} of the {{{{ $labels.resource }}}} that the kernel of the host of {_HOST} can "
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
        f"{kept(f'{FILESYSTEM_USED}{{}}')} > $ratio",
        "A file system of the host is nearly full.",
        f"{PERCENT} of the file system {{{{ $labels.mountpoint }}}} of the host of {_HOST} is used.",
    ),
    Alert(
        "TmuxHostNetworkBusy",
        "host_network_busy",
        f"{NETWORK_USED}{{}} > $ratio",
        "A network link of the host is nearly full.",
        _network,
    ),
)
