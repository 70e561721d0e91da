"""Families of the coding agents."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.family import Family, Sample
from tmux_exporter.metrics.usage import usage_samples
from tmux_exporter.report import AgentReport, Report


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per agent and family; what churns (version, window name) is only in `tmux_agent_info`."""
    usage = usage_samples("agent", [(_key(each), each.usage) for each in report.agents])
    return (
        family("tmux_agent_info", (_info(each) for each in report.agents)),
        *(family(name, samples) for name, samples in usage.items()),
    )


def _key(agent: AgentReport) -> tuple[str, ...]:
    return agent.server, agent.session, agent.agent


def _info(agent: AgentReport) -> Sample:
    return Sample((*_key(agent), agent.pane, agent.program, agent.version, agent.role, agent.window_name), 1)
