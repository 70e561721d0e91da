"""Alerts about the host, as far as sessions and agents depend on it."""

from tmux_exporter.alerting.base.growth import grows
from tmux_exporter.alerting.base.scope import PERCENT, TIME, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording import hosts as recorded

_HOST = "{{ $labels.instance }}"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        *(make(scope, level) for make in (_cpu, _memory, _limit) for level in LEVELS),
        _memory_runs_out(scope),
        _disk_busy(scope),
        _disk_full(scope),
        _network_busy(scope),
    )


def _above(scope: Scope, series: str, table: str, key: str) -> str:
    return f"{scope.series(series)} > {scope.number(table, key)}"


def _cpu(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxHostCpuHigh",
        "host_cpu",
        _above(scope, recorded.CPU_USED, "host_cpu", level),
        level=level,
        summary="The host has hardly any CPU left.",
        description=f"{PERCENT} of the CPU of the host of {_HOST} is used.",
    )


def _memory(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxHostMemoryHigh",
        "host_memory",
        _above(scope, recorded.MEMORY_USED, "host_memory", level),
        level=level,
        summary="The host has hardly any memory left.",
        description=f"{PERCENT} of the memory of the host of {_HOST} is used.",
    )


def _limit(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxHostNearLimit",
        "host_limit",
        _above(scope, recorded.LIMIT_USED, "host_limit", level),
        level=level,
        summary="A resource of the kernel is nearly used up.",
        description=f"{PERCENT} of the {{{{ $labels.resource }}}} that the kernel of the host of {_HOST} can "
        "give out are in use; at 100 % no program, pane or watch can be started.",
    )


def _memory_runs_out(scope: Scope) -> Rule:
    left = scope.series(recorded.MEMORY_LEFT)
    return scope.alert(
        "TmuxHostMemoryRunsOut",
        "host_memory_runs_out",
        f"{left} < {scope.number('host_memory_runs_out', 'seconds')}\n"
        # While most of it is free a build is no reason to look.
        f"and {_above(scope, recorded.MEMORY_USED, 'host_memory_runs_out', 'used')}\n"
        # A fleet that is started takes a step, and a line through the hour would go on from there.
        f"and (\n{grows(scope, recorded.MEMORY_USED, 'instance', 'host_memory_runs_out')}\n)",
        summary="The memory of the host will be used up soon.",
        description=f"At the pace of the last hour the memory of the host of {_HOST} is used up in {TIME}.",
    )


def _disk_busy(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxHostDiskBusy",
        "host_disk_busy",
        _above(scope, recorded.DISK_BUSY, "host_disk_busy", "ratio"),
        summary="A disk of the host is busy nearly all the time.",
        description=f"Disk {{{{ $labels.device }}}} of the host of {_HOST} had work at hand in "
        f"{PERCENT} of the "
        "time.",
    )


def _disk_full(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxHostDiskFull",
        "host_disk_full",
        _above(scope, recorded.FILESYSTEM_USED, "host_disk_full", "ratio"),
        summary="A file system of the host is nearly full.",
        description=f"{PERCENT} of the file system {{{{ $labels.mountpoint }}}} of the host of "
        f"{_HOST} is used.",
    )


def _network_busy(scope: Scope) -> Rule:
    """Of the speed that the driver tells; where it tells none, of the one that the thresholds assume."""
    assumed = scope.thresholds.number("host_network_busy", "assumed_bytes_per_second") * 8 / 1e9
    return scope.alert(
        "TmuxHostNetworkBusy",
        "host_network_busy",
        _above(scope, recorded.NETWORK_USED, "host_network_busy", "ratio"),
        summary="A network link of the host is nearly full.",
        description=f"{PERCENT} of the speed of {{{{ $labels.device }}}} of the host of {_HOST} is used in "
        f"one direction; where the speed of the link is not known, of {assumed:g} Gbit/s.",
    )
