"""Families of the panes; the full usage of each only with `metrics.pane_detail`."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.usage import memory_source, usage_samples


def collect(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """One sample per pane and family."""
    found = [((each.server, each.session, each.window, each.pane), each) for each in report.panes]
    usage = usage_samples(
        "pane", [(key, each.usage) for key, each in found], common_only=not settings.pane_detail
    )
    return (
        family("tmux_pane_info", (Sample((*key, memory_source(each.usage)), 1) for key, each in found)),
        family("tmux_pane_dead", (Sample(key, int(each.dead)) for key, each in found)),
        family("tmux_pane_history_bytes", (Sample(key, each.history_bytes) for key, each in found)),
        family("tmux_pane_history_lines", (Sample(key, each.history_lines) for key, each in found)),
        family(
            "tmux_pane_history_limit_lines", (Sample(key, each.history_limit_lines) for key, each in found)
        ),
        *(family(name, samples) for name, samples in usage.items()),
    )
