"""Families of the sessions."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.tmux import SESSIONS
from tmux_exporter.metrics.catalogue.usage import memory_source


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per session and family."""
    parts = [((each.server, each.session), each) for each in report.sessions]
    info = (Sample((*key, each.group, memory_source(each.usage)), 1) for key, each in parts)
    return families(SESSIONS, parts, family("tmux_session_info", info))
