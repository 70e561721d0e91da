"""What is used of the host, as parts of what it has."""

from tmux_exporter.alerting.base.growth import record_floor
from tmux_exporter.alerting.base.scope import Rule, Scope

CORES = "instance:tmux_host_cores:count"
CPU_USED = "instance:tmux_host_cpu_used:ratio_rate5m"
MEMORY_USED = "instance:tmux_host_memory_used:ratio"
MEMORY_LEFT = "instance:tmux_host_memory_left:seconds"
DISK_BUSY = "device:tmux_host_disk_busy:ratio_rate5m"
FILESYSTEM_USED = "mountpoint:tmux_host_filesystem_used:ratio"
NETWORK_USED = "device:tmux_host_network_used:ratio_rate5m"
LIMIT_USED = "instance:tmux_host_limit_used:ratio"

_LIMITED = ("pids", "ptys", "inotify_instances")
_REST = 'mode=~"idle|iowait|steal"'


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    return (
        *_cpu(scope),
        *_memory(scope),
        *_disks(scope),
        _network(scope),
        *(_limit(scope, each) for each in _LIMITED),
    )


def _cpu(scope: Scope) -> tuple[Rule, ...]:
    over = scope.range("host_cpu", "over")
    every = f"sum by (job, instance) (rate({scope.series('tmux_host_cpu_seconds_total')}[{over}]))"
    rest = f"sum by (job, instance) (rate({scope.series('tmux_host_cpu_seconds_total', _REST)}[{over}]))"
    return (
        # All modes of one core make one second a second.
        scope.record(CORES, f"round({every})"),
        scope.record(CPU_USED, f"1 - {rest}\n/ {every}"),
    )


def _memory(scope: Scope) -> tuple[Rule, ...]:
    size, left = scope.series("tmux_host_memory_bytes"), scope.series("tmux_host_memory_available_bytes")
    falls = f"deriv({left}[{scope.range('host_memory_runs_out', 'over')}])"
    return (
        scope.record(MEMORY_USED, f"1 - {left} / {size}"),
        # Only where it falls: there is no time at which memory that grows is used up.
        scope.record(MEMORY_LEFT, f"{left}\n/ -({falls} < 0)"),
        record_floor(scope, MEMORY_USED, "instance"),
    )


def _disks(scope: Scope) -> tuple[Rule, ...]:
    busy = scope.series("tmux_host_disk_io_seconds_total")
    avail, size = (scope.series(f"tmux_host_filesystem_{what}_bytes") for what in ("avail", "size"))
    return (
        scope.record(DISK_BUSY, f"rate({busy}[{scope.range('host_disk_busy', 'over')}])"),
        scope.record(FILESYSTEM_USED, f"1 - {avail} / {size}"),
    )


def _network(scope: Scope) -> Rule:
    """The busier direction, for a full-duplex link carries its speed both ways.

    Where the driver knows no speed (virtual devices, Wi-Fi) the one of the thresholds is assumed.
    """
    over = scope.range("host_network_busy", "over")
    receive, transmit = (
        f"rate({scope.series(f'tmux_host_network_{way}_bytes_total')}[{over}])"
        for way in ("receive", "transmit")
    )
    speed = f"{scope.series('tmux_host_network_speed_bytes')} > 0"
    assumed = scope.number("host_network_busy", "assumed_bytes_per_second")
    return scope.record(
        NETWORK_USED,
        f"(\n  {receive}\n  > {transmit}\n  or {transmit}\n)\n"
        f"/ (\n  {speed}\n  or 0 * {transmit} + {assumed}\n)",
    )


def _limit(scope: Scope, resource: str) -> Rule:
    used, limit = (scope.series(f"tmux_host_{resource}{what}") for what in ("", "_limit"))
    return scope.record(LIMIT_USED, f"{used} / ({limit} > 0)", resource=resource)
