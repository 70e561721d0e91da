"""Families of the sessions."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.usage import memory_source, usage_samples


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per session and family."""
    found = [((each.server, each.session), each) for each in report.sessions]
    usage = usage_samples("session", [(key, each.usage) for key, each in found])
    return (
        family(
            "tmux_session_info",
            (Sample((*key, each.group, memory_source(each.usage)), 1) for key, each in found),
        ),
        family(
            "tmux_session_created_timestamp_seconds",
            (Sample(key, each.created_timestamp_seconds) for key, each in found),
        ),
        family(
            "tmux_session_last_activity_timestamp_seconds",
            (Sample(key, each.last_activity_timestamp_seconds) for key, each in found),
        ),
        family("tmux_session_attached_clients", (Sample(key, each.attached_clients) for key, each in found)),
        family("tmux_session_history_bytes", (Sample(key, each.history_bytes) for key, each in found)),
        *(family(name, samples) for name, samples in usage.items()),
    )
