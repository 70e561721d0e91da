"""Recording rules of the host: what is used, as a part of what it has."""

from tmux_exporter.alerting.base.alert import record_floor
from tmux_exporter.alerting.base.scope import Rule, Scope

CORES = "instance:tmux_host_cores:count"
CPU_USED = "instance:tmux_host_cpu_used:ratio_rate5m"
MEMORY_USED = "instance:tmux_host_memory_used:ratio"
MEMORY_LEFT = "instance:tmux_host_memory_left:seconds"
DISK_BUSY = "device:tmux_host_disk_busy:ratio_rate5m"
FILESYSTEM_USED = "mountpoint:tmux_host_filesystem_used:ratio"
FILESYSTEM_LEFT = "mountpoint:tmux_host_filesystem_left:seconds"
INODES_USED = "mountpoint:tmux_host_inodes_used:ratio"
PRESSURE = "resource:tmux_host_pressure:ratio_rate5m"
PIDS_LIMIT = "instance:tmux_host_user_pids_limit:count"
NETWORK_USED = "device:tmux_host_network_used:ratio_rate5m"
LIMIT_USED = "instance:tmux_host_limit_used:ratio"
CLOCK_BEHIND = "instance:tmux_exporter_clock_behind:seconds"

_LIMITED = ("pids", "user_pids", "cgroup_pids", "ptys", "inotify_instances")


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    every, rest = (
        f"sum without (mode) (rate(tmux_host_cpu_seconds_total{{{modes}}}[$host_cpu.over]))"
        for modes in ("", 'mode=~"idle|iowait|steal"')
    )
    return (
        # All modes of one core make one second a second.
        scope.record(CORES, f"round({every})"),
        scope.record(CPU_USED, f"1 - {rest}\n/ {every}"),
        scope.record(MEMORY_USED, "1 - tmux_host_memory_available_bytes{} / tmux_host_memory_bytes{}"),
        # Only where it falls: there is no time at which memory that grows is used up.
        scope.record(
            MEMORY_LEFT,
            """
            tmux_host_memory_available_bytes{}
            / -(deriv(tmux_host_memory_available_bytes{}[$host_memory_runs_out.over]) < 0)
            """,
        ),
        scope.record(DISK_BUSY, "rate(tmux_host_disk_io_seconds_total{}[$host_disk_busy.over])"),
        scope.record(
            FILESYSTEM_USED, "1 - tmux_host_filesystem_avail_bytes{} / tmux_host_filesystem_size_bytes{}"
        ),
        scope.record(
            FILESYSTEM_LEFT,
            """
            tmux_host_filesystem_avail_bytes{}
            / -(deriv(tmux_host_filesystem_avail_bytes{}[$host_disk_fills.over]) < 0)
            """,
        ),
        scope.record(
            INODES_USED, "1 - tmux_host_filesystem_avail_inodes{} / (tmux_host_filesystem_inodes{} > 0)"
        ),
        scope.record(
            PRESSURE,
            'sum without (kind) (rate(tmux_host_pressure_seconds_total{kind="full"}[$host_pressure.over]))',
        ),
        # What a user's processes and threads can be at most.
        scope.record(
            PIDS_LIMIT,
            """
            (
              tmux_host_cgroup_pids_limit{} < tmux_host_user_pids_limit{}
              or tmux_host_user_pids_limit{}
              or tmux_host_cgroup_pids_limit{}
            ) > 0
            """,
        ),
        _network(scope),
        # When it was scraped less when it was taken, by the two clocks.
        scope.record(
            CLOCK_BEHIND,
            """
            avg_over_time((
              timestamp(tmux_exporter_last_sample_timestamp_seconds{})
              - tmux_exporter_last_sample_timestamp_seconds{}
            )[$clock_skew.over:15s])
            """,
        ),
        *(_limit(scope, each) for each in _LIMITED),
    )


def slow_rules(scope: Scope) -> tuple[Rule, ...]:
    """What only alerts read that may take their time."""
    return (
        record_floor(scope, MEMORY_USED, "instance"),
        record_floor(scope, FILESYSTEM_USED, "mountpoint"),
    )


def _network(scope: Scope) -> Rule:
    """The busier direction, for a full-duplex link carries its speed both ways.

    Where the driver knows no speed (virtual devices, Wi-Fi) the one of the thresholds is assumed.
    """
    receive, transmit = (
        f"rate(tmux_host_network_{way}_bytes_total{{}}[$host_network_busy.over])"
        for way in ("receive", "transmit")
    )
    return scope.record(
        NETWORK_USED,
        f"(\n  {receive}\n  > {transmit}\n  or {transmit}\n)\n/ (\n"
        "  tmux_host_network_speed_bytes{} > 0\n"
        f"  or 0 * {transmit} + $host_network_busy.assumed_bytes_per_second\n)",
    )


def _limit(scope: Scope, resource: str) -> Rule:
    expr = f"tmux_host_{resource}{{}} / (tmux_host_{resource}_limit{{}} > 0)"
    return scope.record(LIMIT_USED, expr, resource=resource)
