"""One agent at a glance: what it does, since when, and what it waits for."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import (
    CALM,
    CRITICAL,
    RESTING,
    UNKNOWN,
    WARNING,
    WATCH,
    alert_levels,
    none_is_calm,
    steps,
)
from dashboards.panels import graph, tile
from dashboards.queries import AGENT, OF_AGENT, Query, at_end, ever, memory_of_limit, or_zero, rate, select
from dashboards.sections import attention
from dashboards.sections.states import COLORS, NO_AGENT, STATES, state_of
from dashboards.variables import OF_AGENT as VARIABLES

_GROUND = {"idle": RESTING, "working": CALM, "waiting": WARNING, "exited": CRITICAL, "unknown": UNKNOWN}
_REASONS = {
    "permission": WARNING,
    "trust": "super-light-orange",
    "question": "light-orange",
    "dialog": WATCH,
    "usage_limit": CRITICAL,
    "api_error": "dark-red",
    "auth": "light-red",
    "other": UNKNOWN,
}
_HELPERS = {
    "mcp_server": "purple",
    "language_server": "blue",
    "browser": "orange",
    "shell": "green",
    "subagent": "yellow",
}


def glance() -> Sequence[Builder[dashboard.Panel]]:
    """Six tiles, and what fires."""
    return (
        _state(1),
        _since(2),
        attention.firing_alerts(3, OF_AGENT),
        _of_limit(4),
        _descriptors(5),
        _restarts(6),
        attention.alerts(7, OF_AGENT, VARIABLES),
    )


def _state(number: int) -> Builder[dashboard.Panel]:
    return tile(
        number,
        "State",
        "What the agent does now; of several, the first of exited, waiting, unknown, working, "
        "idle. `tmux-exporter explain NAME` says which source reported it.",
        Query(expr=f"max({state_of(AGENT)})"),
        steps=steps(CALM),
        texts={str(place): (state, _GROUND[state]) for place, state in enumerate(STATES, 1)},
        empty="no agent",
    )


def _since(number: int) -> Builder[dashboard.Panel]:
    since, state = select("tmux_agent_state_since_timestamp_seconds", AGENT), state_of(AGENT)
    # That of the state beside: of several agents the one that needs somebody most.
    since = f"{since}\nand on (instance, server, session, agent) (({state}) == scalar(max({state})))"
    return tile(
        number,
        "In this state for",
        "How long the agent has been in the state beside; of several in it, the longest.",
        Query(expr=f"time() - min({since})"),
        steps=steps(CALM),
        unit="dtdurations",
        empty="no agent",
    )


def _of_limit(number: int) -> Builder[dashboard.Panel]:
    return tile(
        number,
        "Memory of limit",
        "Memory and swap as a part of the lowest limit: of the configuration, the cgroup or the host; of "
        "several, the nearest. The colour changes where the alerts do.",
        Query(expr=f"max({memory_of_limit(AGENT)})"),
        steps=alert_levels("agent_memory", CALM),
        unit="percentunit",
        empty="no agent",
    )


def _descriptors(number: int) -> Builder[dashboard.Panel]:
    return tile(
        number,
        "Descriptors of limit",
        "Open file descriptors of the agent's worst process, as a part of that process's own limit.",
        Query(expr=f"max({select('tmux_agent_fd_utilization_ratio', AGENT)})"),
        steps=steps(CALM),
        unit="percentunit",
        empty="no agent",
    )


def _restarts(number: int) -> Builder[dashboard.Panel]:
    restarts = f"sum(increase({select('tmux_agent_restarts_total', AGENT)}[$__range]))"
    return tile(
        number,
        "Restarts",
        "How often another process came in the agent's place within the time range.",
        Query(expr=or_zero(f"round({restarts})", select("tmux_agent_info", AGENT))),
        steps=none_is_calm(WATCH),
        empty="no agent",
    )


def time_by_state(number: int) -> Builder[dashboard.Panel]:
    """Where its time goes."""
    counted = select("tmux_agent_state_seconds_total", AGENT)
    spent, ever_spent = rate(counted), at_end("rate", counted)
    return graph(
        number,
        "Where the time goes",
        "Part of the time that the agents spent in each state. Much waiting means that people are the "
        "bottleneck, much idling that nobody gives them work.",
        [
            Query(
                expr=ever(
                    f"sum by (state) ({spent})\n/ ignoring (state) group_left () sum({spent})",
                    f"sum by (state) ({ever_spent})",
                ),
                legend="{{state}}",
            )
        ],
        unit="percentunit",
        empty=NO_AGENT,
        stacked=True,
        colors=COLORS,
        top=1,
    )


def waiting_for(number: int) -> Builder[dashboard.Panel]:
    """For what it waits, and how long already."""
    since = select("tmux_agent_waiting_since_timestamp_seconds", AGENT)
    ends = select("tmux_agent_usage_limit_reset_timestamp_seconds", AGENT)
    return graph(
        number,
        "Waiting for somebody",
        "How long the agent that waits longest has waited, by what it waits for: a permission, an answer, a "
        "dialog, trust of its folder, the end of its usage limit, a service that fails, a login. A line that "
        "rises is a person who does not know. The falling one is the time until its usage limit ends.",
        [
            Query(expr=f"max by (reason) (time() - {since})", legend="{{reason}}"),
            Query(expr=f"max({ends} - time() > 0)", legend="until its usage limit ends"),
        ],
        unit="dthms",
        empty="No agent waited for anybody.",
        colors=_REASONS,
    )


def helpers(number: int) -> Builder[dashboard.Panel]:
    """How many things it has started."""
    return _helpers(
        number,
        "What it has started",
        "MCP servers, language servers, browsers, shells and subagents that the agent has started and that "
        "still run, each with all processes below it. A line that only rises is started and never ended.",
        "tmux_agent_helpers",
        unit="none",
    )


def helpers_memory(number: int) -> Builder[dashboard.Panel]:
    """What they hold."""
    return _helpers(
        number,
        "Memory of what it has started",
        "Memory by kind: a part of the agent's memory; what is missing to it are its own program and "
        "the commands that it runs itself.",
        "tmux_agent_helpers_memory_bytes",
        unit="bytes",
    )


def _helpers(
    number: int, title: str, description: str, family: str, *, unit: str
) -> Builder[dashboard.Panel]:
    return graph(
        number,
        title,
        description,
        [Query(expr=f"sum by (kind) ({select(family, AGENT)})", legend="{{kind}}")],
        unit=unit,
        empty="The agent runs nothing but itself.",
        stacked=True,
        colors=_HELPERS,
    )


def same_command(number: int) -> Builder[dashboard.Panel]:
    """What it starts over and over."""
    now = select("tmux_agent_same_command_processes", AGENT)
    return graph(
        number,
        "Processes of one command line",
        "Most living processes of an agent that run one and the same command line. One that only rises is "
        "started over and over and never ended; the workers of a build come and go.",
        [Query(expr=f"max({now})", legend="processes of one command")],
        unit="none",
        empty=NO_AGENT,
    )
