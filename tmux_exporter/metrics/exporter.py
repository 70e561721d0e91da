"""Families of the exporter itself: how old and how complete its figures are."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from tmux_exporter import __version__
from tmux_exporter.facts.process import Unreadable
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.exporter import SAMPLE_RESULTS
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
    loaded_at = status.config_loaded_at
    return (
        family("tmux_exporter_build_info", (Sample((__version__, platform.python_version()), 1),)),
        _single("tmux_exporter_last_sample_timestamp_seconds", report.timestamp),
        _single("tmux_exporter_sample_interval_seconds", report.interval_seconds),
        family(
            "tmux_exporter_sample_tick_seconds",
            () if status.tick_seconds is None else (Sample((), status.tick_seconds),),
        ),
        _single("tmux_exporter_sample_duration_seconds", report.duration_seconds),
        family(
            "tmux_exporter_samples_total",
            (Sample((result,), report.samples.get(result, 0)) for result in SAMPLE_RESULTS),
        ),
        family(
            "tmux_exporter_collector_success",
            (Sample((name,), int(worked)) for name, worked in sorted(parts.items())),
        ),
        family(
            "tmux_exporter_unreadable_processes",
            (Sample((reason,), report.unreadable_processes.get(reason, 0)) for reason in Unreadable),
        ),
        _single("tmux_exporter_unattributed_cpu_seconds_total", report.unattributed_cpu_seconds_total),
        _single("tmux_exporter_discovery_missed_total", report.discovery_missed_total),
        _single("tmux_exporter_dropped_series_total", status.dropped_series_total),
        family(
            "tmux_exporter_family_dropped_series",
            (Sample((name,), series) for name, series in status.left_out.items()),
        ),
        _single("tmux_exporter_config_last_reload_successful", int(status.config_reload_successful)),
        family(
            "tmux_exporter_config_last_reload_successful_timestamp_seconds",
            () if loaded_at is None else (Sample((), loaded_at),),
        ),
    )


def _single(name: str, value: float) -> Family:
    return family(name, (Sample((), value),))
