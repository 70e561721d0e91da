"""Families of what agents and sessions spend and of the quotas of accounts: only where files tell them."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.spending import QUOTAS, SESSION_SPENDING, SPENDING


def collect_spending(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per agent, session or account and family; of tokens one per kind and model."""
    parts = [
        ((each.server, each.session, each.agent), each) for each in report.agents if each.spending is not None
    ]
    sources = (
        Sample((*key, each.spending.exactness, str(each.spending.account)), 1)
        for key, each in parts
        if each.spending is not None
    )
    quotas = [((each.program, str(each.account), each.window), each) for each in report.quotas]
    return (
        *families(SPENDING, parts, family("tmux_agent_usage_source_info", sources)),
        *families(SESSION_SPENDING, [*report.session_spending.items()]),
        *families(QUOTAS, quotas),
    )
