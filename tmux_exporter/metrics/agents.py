"""Families of the coding agents."""

from collections.abc import Iterable, Mapping

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.report import AgentReport, Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample
from tmux_exporter.metrics.catalogue.usage import memory_source
from tmux_exporter.metrics.catalogue.work import AGENTS


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per agent and family; what churns (version, window name) is only in `tmux_agent_info`."""
    agents = report.agents
    return families(
        AGENTS,
        [(_key(each), each) for each in agents],
        family("tmux_agent_info", (_info(each) for each in agents)),
        family("tmux_agent_state", _every_state(agents)),
        family(
            "tmux_agent_state_seconds_total",
            _by_state((each, each.state_seconds_total) for each in agents),
        ),
        family(
            "tmux_agent_state_cpu_seconds_total",
            _by_state((each, each.state_cpu_seconds_total) for each in agents),
        ),
        family(
            "tmux_agent_waiting_since_timestamp_seconds",
            (
                Sample((*_key(each), each.waiting_reason), each.state_since_timestamp_seconds)
                for each in agents
                if each.waiting_reason is not None
            ),
        ),
        family(
            "tmux_agent_recovery_seconds",
            histograms=(Distribution((server,), each) for server, each in report.agent_recovery.items()),
        ),
    )


def _key(agent: AgentReport) -> tuple[str, ...]:
    return agent.server, agent.session, agent.agent


def _info(agent: AgentReport) -> Sample:
    known = agent.pane, agent.program, agent.version, agent.role, agent.window_name
    return Sample((*_key(agent), *known, memory_source(agent.usage)), 1)


def _every_state(agents: Iterable[AgentReport]) -> Iterable[Sample]:
    return (
        Sample((*_key(agent), state), float(agent.state is state)) for agent in agents for state in AgentState
    )


def _by_state(values: Iterable[tuple[AgentReport, Mapping[AgentState, float]]]) -> Iterable[Sample]:
    """The states that each agent was in."""
    return (
        Sample((*_key(agent), state), value)
        for agent, by_state in values
        for state, value in by_state.items()
    )
