"""Families of the exporter itself, its own process, the remediator and the host.

A figure that is not known gives no sample.
"""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import PROCESS_COLLECTOR

from tmux_exporter import __version__
from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.process import Unreadable
from tmux_exporter.facts.remediation import Action, ActionOutcome, LeaseMeans, Mode, PolicyStatus, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import by_label, families, family, single
from tmux_exporter.metrics.catalogue.exporter import HOST, PROCESS, SAMPLE_RESULTS
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.ranks import RANKED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterStatus:
    """What the exporter knows of itself and no Report holds.

    `dropped_series_total` is what was left out of all pages so far, `left_out` what the last page left out,
    by family, `kept` how many of the RANKED families were within its limit. `config_loaded_at` is the wall
    time at which the configuration in use was applied, None where it is not known. `tick_seconds` is the time
    from the last sample to the next one as it is due, None where no next one is.
    """

    dropped_series_total: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    kept: int = len(RANKED)
    config_reload_successful: bool = True
    config_loaded_at: float | None = None
    tick_seconds: float | None = None


def collect(report: Report, status: ExporterStatus, success: Mapping[str, bool]) -> tuple[Family, ...]:
    """`success` says which collectors of this page worked; a source of the same name counts with them."""
    parts = {**report.collector_success, **success}
    for name, worked in report.collector_success.items():
        parts[name] = parts[name] and worked
    return (
        family("tmux_exporter_build_info", (Sample((__version__, platform.python_version()), 1),)),
        single("tmux_exporter_last_sample_timestamp_seconds", report.timestamp),
        single("tmux_exporter_sample_interval_seconds", report.interval_seconds),
        single("tmux_exporter_sample_tick_seconds", status.tick_seconds),
        single("tmux_exporter_sample_duration_seconds", report.duration_seconds),
        by_label(
            "tmux_exporter_samples_total", ((each, report.samples.get(each, 0)) for each in SAMPLE_RESULTS)
        ),
        by_label(
            "tmux_exporter_collector_success", ((name, int(worked)) for name, worked in sorted(parts.items()))
        ),
        by_label(
            "tmux_exporter_unreadable_processes",
            ((reason, report.unreadable_processes.get(reason, 0)) for reason in Unreadable),
        ),
        single("tmux_exporter_unattributed_cpu_seconds_total", report.unattributed_cpu_seconds_total),
        single("tmux_exporter_discovery_missed_total", report.discovery_missed_total),
        single("tmux_exporter_dropped_series_total", status.dropped_series_total),
        by_label("tmux_exporter_family_dropped_series", status.left_out.items()),
        single("tmux_exporter_config_last_reload_successful", int(status.config_reload_successful)),
        single("tmux_exporter_config_last_reload_successful_timestamp_seconds", status.config_loaded_at),
    )


def collect_process(_: Report, __: MetricsSettings) -> tuple[Family, ...]:
    """One sample each, none where the system has no /proc."""
    found = {sample.name: sample.value for metric in PROCESS_COLLECTOR.collect() for sample in metric.samples}
    return tuple(
        family(spec.name, (Sample((), found[spec.name]),) if spec.name in found else ()) for spec in PROCESS
    )


def collect_host(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """What could be read of the host in this sample."""
    if not settings.host:
        return ()
    host = report.host or HostFacts()
    files, networks = host.filesystems.items(), host.networks.items()
    return families(
        HOST,
        [((), host)],
        by_label("tmux_host_cpu_seconds_total", host.cpu_seconds.items()),
        by_label("tmux_host_disk_io_seconds_total", host.disk_io_seconds.items()),
        by_label("tmux_host_filesystem_size_bytes", ((point, each.size_bytes) for point, each in files)),
        by_label(
            "tmux_host_filesystem_avail_bytes", ((point, each.available_bytes) for point, each in files)
        ),
        by_label(
            "tmux_host_network_receive_bytes_total",
            ((name, each.received_bytes) for name, each in networks),
        ),
        by_label(
            "tmux_host_network_transmit_bytes_total",
            ((name, each.sent_bytes) for name, each in networks),
        ),
        by_label("tmux_host_network_speed_bytes", ((name, each.speed_bytes) for name, each in networks)),
        family(
            "tmux_host_pressure_seconds_total",
            (Sample(labels, seconds) for labels, seconds in host.pressure_seconds.items()),
        ),
    )


def collect_remediator(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """Its state only while it is up; its counters as long as its file exists."""
    remediator = report.remediator
    status = remediator.status if remediator else None
    now = status if remediator and remediator.up else None
    policies, live = status.policies if status else (), now.policies if now else ()
    return (
        single("tmux_remediator_up", int(remediator.up) if remediator else None),
        family("tmux_remediator_mode", (Sample((mode,), int(mode is now.mode)) for mode in Mode if now)),
        by_label("tmux_remediator_matches", ((each.policy, each.matches) for each in live)),
        family("tmux_remediator_actions_total", _actions(policies)),
        family("tmux_remediator_refusals_total", _refusals(policies)),
        by_label("tmux_remediator_breaker_open", ((each.policy, int(each.breaker_open)) for each in live)),
        family(
            "tmux_remediator_leases",
            (
                Sample((each.policy, means), each.leases.get(means, 0))
                for each in live
                for means in LeaseMeans
            ),
        ),
        by_label(
            "tmux_remediator_lease_memory_high_events_total",
            ((each.policy, each.memory_high_events) for each in policies),
        ),
        single("tmux_remediator_blind", int(now.blind) if now else None),
        single("tmux_remediator_audit_healthy", int(now.audit_healthy) if now else None),
        single("tmux_remediator_config_last_reload_successful", int(now.reload_successful) if now else None),
        single("tmux_remediator_last_cycle_timestamp_seconds", status.cycle_timestamp if status else None),
    )


def _actions(policies: Iterable[PolicyStatus]) -> Iterable[Sample]:
    for each in policies:
        for action in Action:
            for outcome in ActionOutcome:
                yield Sample((each.policy, action, outcome), each.actions.get((action, outcome), 0))


def _refusals(policies: Iterable[PolicyStatus]) -> Iterable[Sample]:
    for each in policies:
        for reason in Refusal:
            yield Sample((each.policy, reason), each.refusals.get(reason, 0))
