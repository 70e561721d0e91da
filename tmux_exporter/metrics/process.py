"""Families of the exporter's own process, as every Prometheus client names them."""

from tmux_exporter.base import own_process
from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.exporter import PROCESS
from tmux_exporter.metrics.catalogue.family import Family, Sample


def collect(_: Report, __: MetricsSettings) -> tuple[Family, ...]:
    """One sample each, none where the system has no /proc."""
    found = own_process.read()
    names = ((spec.name, spec.name.removeprefix("process_")) for spec in PROCESS)
    return tuple(family(name, (Sample((), found[key]),) if key in found else ()) for name, key in names)
