"""What every coding agent does and costs, and how near it is to its limits."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import NUMBERS, WATCH_TEXT, alert_levels, none_is_calm
from dashboards.links import to_agent, to_session
from dashboards.queries import memory_of_limit, rate, select
from dashboards.sections.states import BY_AGENT, NO_AGENT, TEXTS, state_of
from dashboards.tables import Figure, Label, rows
from dashboards.variables import OF_SESSION


def table(
    number: int, scope: tuple[str, ...], variables: Sequence[str] = OF_SESSION, *, height: int = 11
) -> Builder[dashboard.Panel]:
    """One row for each agent."""
    cpu = rate(select("tmux_agent_cpu_seconds_total", scope))
    since = select("tmux_agent_state_since_timestamp_seconds", scope)
    restarts = f"increase({select('tmux_agent_restarts_total', scope)}[$__range])"
    known = select("tmux_agent_info", scope)
    levels = ", ".join(
        f"{NUMBERS.number('agent_memory', level):.0%}" for level in ("warning", "critical", "emergency")
    )
    return rows(
        number,
        "Agents, those that need somebody first",
        "State, and since when. The limit is the lowest of the configuration, the cgroup and the host, and "
        f"counts swap; the bar changes colour where the alerts do ({levels}). CPU is in cores, its bar full "
        "at one. Descriptors are those of the worst process. Restarts are those of the time range.",
        [
            Label(name="agent", title="Agent", width=140, link=to_agent(variables)),
            Label(name="program", title="Program", width=70),
            Label(name="session", title="Session", link=to_session(variables)),
            Label(name="server", title="Server", width=70),
            Label(name="instance", title="Host", width=125),
            Figure(
                title="",
                expr=f"group by (instance, server, session, agent, program) ({known})",
                hidden=True,
            ),
            Figure(title="State", expr=state_of(scope), width=75, texts=TEXTS),
            Figure(title="Since", expr=f"1000 * max {BY_AGENT} ({since})", unit="dateTimeFromNow", width=145),
            Figure(
                title="Of limit",
                expr=f"max {BY_AGENT} ({memory_of_limit(scope)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=alert_levels("agent_memory"),
            ),
            Figure(
                title="Memory",
                expr=f"sum {BY_AGENT} ({select('tmux_agent_memory_bytes', scope)})",
                unit="bytes",
                width=85,
            ),
            Figure(title="CPU cores", expr=f"sum {BY_AGENT} ({cpu})", decimals=2, bar=True, top=1),
            Figure(
                title="Descriptors",
                expr=f"max {BY_AGENT} ({select('tmux_agent_fd_utilization_ratio', scope)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                heat=True,
            ),
            Figure(
                title="Restarts",
                expr=f"sum {BY_AGENT} ({restarts})",
                decimals=0,
                width=75,
                steps=none_is_calm(WATCH_TEXT, "text"),
            ),
        ],
        sort=[("State", True), ("Of limit", True)],
        empty=NO_AGENT,
        height=height,
    )
