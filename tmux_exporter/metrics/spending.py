"""Families of what agents spend: only for agents whose file is known."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.spending import SPENDING


def collect_spending(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per agent and family; of tokens one per kind and model."""
    parts = [
        ((each.server, each.session, each.agent), each) for each in report.agents if each.spending is not None
    ]
    sources = (Sample((*key, each.spending.exactness), 1) for key, each in parts if each.spending is not None)
    return families(SPENDING, parts, family("tmux_agent_usage_source_info", sources))
