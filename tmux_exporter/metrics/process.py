"""Families of the exporter's own process, as every Prometheus client names and reads them."""

from prometheus_client import PROCESS_COLLECTOR

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.exporter import PROCESS
from tmux_exporter.metrics.catalogue.family import Family, Sample


def collect(_: Report, __: MetricsSettings) -> tuple[Family, ...]:
    """One sample each, none where the system has no /proc."""
    found = {sample.name: sample.value for metric in PROCESS_COLLECTOR.collect() for sample in metric.samples}
    return tuple(
        family(spec.name, (Sample((), found[spec.name]),) if spec.name in found else ()) for spec in PROCESS
    )
