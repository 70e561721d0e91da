"""Families of the panes; the full usage of each only with `metrics.pane_detail`."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.tmux import PANES
from tmux_exporter.metrics.catalogue.usage import memory_source


def collect(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """One sample per pane and family."""
    parts = [((each.server, each.session, each.window, each.pane), each) for each in report.panes]
    info = (Sample((*key, memory_source(each.usage)), 1) for key, each in parts)
    specs = [spec for spec in PANES if settings.pane_detail or not spec.option]
    return families(specs, parts, family("tmux_pane_info", info))
