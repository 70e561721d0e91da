"""What every coding agent costs, and how near it is to its limits."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import NUMBERS, alert_levels
from dashboards.links import only_session
from dashboards.queries import SESSION, memory_of_limit, rate, select
from dashboards.tables import Figure, Label, rows

_BY = "by (instance, server, session, agent)"


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """A table of all agents."""
    return (_table(),)


def _table() -> Builder[dashboard.Panel]:
    cpu = rate(select("tmux_agent_cpu_seconds_total", SESSION))
    started = select("tmux_agent_oldest_process_start_time_seconds", SESSION)
    known = select("tmux_agent_info", SESSION)
    levels = ", ".join(
        f"{NUMBERS.number('agent_memory', level):.0%}" for level in ("warning", "critical", "emergency")
    )
    return rows(
        31,
        "Agents, nearest to their memory limit first",
        "The limit is the lowest of the configuration, the cgroup and the host, and counts swap; the bar "
        f"changes colour where the alerts do ({levels}). CPU is in cores. Descriptors are those of the worst "
        "process.",
        [
            Label(name="agent", title="Agent"),
            Label(name="program", title="Program", width=90),
            Label(name="session", title="Session", link=only_session()),
            Label(name="server", title="Server", width=100),
            Label(name="instance", title="Host"),
            Figure(
                title="",
                expr=f"group by (instance, server, session, agent, program) ({known})",
                hidden=True,
            ),
            Figure(
                title="Of limit",
                expr=f"max {_BY} ({memory_of_limit(SESSION)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=alert_levels("agent_memory"),
            ),
            Figure(
                title="Memory",
                expr=f"sum {_BY} ({select('tmux_agent_memory_bytes', SESSION)})",
                unit="bytes",
                width=95,
            ),
            Figure(title="CPU cores", expr=f"sum {_BY} ({cpu})", decimals=2, bar=True),
            Figure(
                title="Descriptors",
                expr=f"max {_BY} ({select('tmux_agent_fd_utilization_ratio', SESSION)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                heat=True,
            ),
            Figure(
                title="Processes", expr=f"sum {_BY} ({select('tmux_agent_processes', SESSION)})", width=90
            ),
            Figure(title="Started", expr=f"1000 * min {_BY} ({started})", unit="dateTimeFromNow", width=130),
        ],
        sort=[("Of limit", True)],
        empty="No coding agent is seen in these sessions. One that is not recognised can be taught: "
        "agents.signatures in the configuration.",
        height=11,
    )
