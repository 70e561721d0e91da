"""What every session costs, now and over time."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.links import to_session
from dashboards.panels import NAME_PATTERN, graph
from dashboards.queries import LARGEST, SESSION, Query, at_end, largest, rate, select
from dashboards.tables import Figure, Label, rows

_BY = "by (instance, server, session)"
_EMPTY = "No session is seen. Does the exporter run, and tmux, and do the variables above leave one?"
_NAME = "{{session}} · {{server}} · {{instance}}"


def graphs(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """CPU and memory of the largest, numbered from `first` on."""
    return (_cpu(first), _memory(first + 1))


def _sum(name: str) -> str:
    return f"sum {_BY} ({select(f'tmux_session_{name}', SESSION)})"


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each session."""
    cpu = rate(select("tmux_session_cpu_seconds_total", SESSION))
    return rows(
        number,
        "Sessions, largest memory first",
        "Memory is what the kernel would win back if the session ended. CPU is in cores, its bar full at "
        "one. Descriptors are those of its worst process, against that process's own limit. A click on a "
        "name explains that session.",
        [
            Label(
                name="session",
                title="Session",
                link=to_session(),
            ),
            Label(name="server", title="Server", width=100),
            Label(name="instance", title="Host"),
            Figure(title="Memory", expr=_sum("memory_bytes"), unit="bytes", bar=True),
            Figure(title="CPU cores", expr=f"sum {_BY} ({cpu})", decimals=2, bar=True, top=1),
            Figure(
                title="Descriptors",
                expr=f"max {_BY} ({select('tmux_session_fd_utilization_ratio', SESSION)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                heat=True,
            ),
            Figure(title="Processes", expr=_sum("processes"), bar=True),
            Figure(
                title="Agents",
                expr=f"count {_BY} ({select('tmux_agent_info', SESSION)})",
                width=80,
            ),
        ],
        sort=[("Memory", True)],
        empty=_EMPTY,
        height=12,
    )


def _cpu(number: int) -> Builder[dashboard.Panel]:
    used = select("tmux_session_cpu_seconds_total", SESSION)
    return graph(
        number,
        "CPU of the busiest sessions",
        f"Cores that a session uses. Shown are the {LARGEST} that used most CPU in the whole time range.",
        [Query(expr=largest(rate(used), at_end("rate", used)), legend=_NAME)],
        unit="none",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _memory(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_session_memory_bytes", SESSION)
    return graph(
        number,
        "Memory of the largest sessions",
        "What the kernel would win back if the session ended; scroll-back is in the tmux server and not in "
        f"here. Shown are the {LARGEST} with the highest peak in the whole time range.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=_NAME)],
        unit="bytes",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )
