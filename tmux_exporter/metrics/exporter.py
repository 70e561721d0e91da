"""Families of the exporter itself, its own process, the remediator and the host.

A figure that is not known gives no sample.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from tmux_exporter import __version__
from tmux_exporter.base.runtime import own_figures
from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.log import LogOutcome
from tmux_exporter.facts.process import Unreadable
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import Part, by_label, families, family, single
from tmux_exporter.metrics.catalogue.exporter import HOST, PROCESS, REMEDIATOR, SAMPLE_RESULTS
from tmux_exporter.metrics.catalogue.family import Family, MetricType, Sample, Spec
from tmux_exporter.metrics.ranks import RANKED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterStatus:
    """What the exporter knows of itself and no Report holds.

    `dropped_series_total` is what was left out of all pages so far, `left_out` what the last page left out,
    by family, `kept` how many of the RANKED families were within its limit. `config_loaded_at` is the wall
    time at which the configuration in use was applied, None where it is not known. `tick_seconds` is the time
    from the last sample to the next one as it is due, None where no next one is. `log_lines` are its own.
    """

    dropped_series_total: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    kept: int = len(RANKED)
    config_reload_successful: bool = True
    config_loaded_at: float | None = None
    tick_seconds: float | None = None
    log_lines: Mapping[LogOutcome, int] = field(default_factory=dict)


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
        family(
            "tmux_exporter_usage_source_errors_total",
            (Sample(labels, count) for labels, count in report.spending_problems.items()),
        ),
        single("tmux_exporter_unattributed_cpu_seconds_total", report.unattributed_cpu_seconds_total),
        single("tmux_exporter_discovery_missed_total", report.discovery_missed_total),
        *((single("tmux_exporter_lineage_lost_total", report.lineage.lost_total),) if report.lineage else ()),
        by_label(
            "tmux_exporter_log_lines_total", ((each, status.log_lines.get(each, 0)) for each in LogOutcome)
        ),
        single("tmux_exporter_dropped_series_total", status.dropped_series_total),
        by_label("tmux_exporter_family_dropped_series", status.left_out.items()),
        single("tmux_exporter_config_last_reload_successful", int(status.config_reload_successful)),
        single("tmux_exporter_config_last_reload_successful_timestamp_seconds", status.config_loaded_at),
    )


def collect_process(_: Report, __: MetricsSettings) -> tuple[Family, ...]:
    """One sample each, none where the system has no /proc."""
    found = own_figures()
    return tuple(single(spec.name, found.get(spec.name)) for spec in PROCESS)


def collect_host(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """What could be read of the host in this sample."""
    if not settings.host:
        return ()
    host = report.host or HostFacts()
    parts: dict[tuple[str, ...], list[Part]] = {
        ("mountpoint",): [((point,), each) for point, each in host.filesystems.items()],
        ("device",): [((name,), each) for name, each in host.networks.items()],
    }
    return families(
        HOST,
        lambda spec: parts.get(spec.labels, [((), host)]),
        by_label("tmux_host_cpu_seconds_total", host.cpu_seconds.items()),
        by_label("tmux_host_disk_io_seconds_total", host.disk_io_seconds.items()),
    )


def collect_remediator(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """Its state only while it is up; its counters as long as its file exists."""
    remediator = report.remediator
    status = remediator.status if remediator else None

    def parts(spec: Spec) -> list[Part]:
        if remediator is None or status is None or not (remediator.up or spec.kind is MetricType.COUNTER):
            return []
        return (
            [((each.policy,), each) for each in status.policies]
            if spec.labels[:1] == ("policy",)
            else [((), status)]
        )

    return families(
        REMEDIATOR,
        parts,
        single("tmux_remediator_up", int(remediator.up) if remediator else None),
        single("tmux_remediator_last_cycle_timestamp_seconds", status.cycle_timestamp if status else None),
    )
