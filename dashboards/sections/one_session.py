"""One session at a glance, and its panes."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CALM, WARNING, steps
from dashboards.panels import NAME_PATTERN, graph, tile
from dashboards.queries import (
    LARGEST,
    OF_SESSION,
    SESSION,
    Query,
    at_end,
    largest,
    memory_of_limit,
    rate,
    select,
)
from dashboards.sections import attention, leaks, schedulers
from dashboards.tables import Figure, Label, rows

_PANE = "by (instance, server, session, window, pane)"
_EMPTY = "No session is seen. Does the exporter run, and tmux, and do the variables above leave one?"


def glance() -> Sequence[Builder[dashboard.Panel]]:
    """Six tiles, and what fires."""
    return (
        attention.firing_alerts(1, OF_SESSION),
        attention.waiting(2, SESSION),
        attention.exited(3, SESSION),
        _of_limit(),
        leaks.count(5),
        schedulers.lost(6),
        attention.alerts(7, OF_SESSION),
    )


def _of_limit() -> Builder[dashboard.Panel]:
    return tile(
        4,
        "Memory of limit",
        "Memory and swap of the session that is nearest to its limit, as a part of that limit: the lowest of "
        "the configuration, the cgroup and the host.",
        Query(expr=f"max({memory_of_limit(SESSION, 'tmux_session')})"),
        steps=steps(CALM),
        unit="percentunit",
        empty="no session",
    )


def scroll_back(number: int) -> Builder[dashboard.Panel]:
    """What tmux keeps for it."""
    now = select("tmux_session_history_bytes", SESSION)
    return graph(
        number,
        "Scroll-back",
        "Memory that the scroll-back of the session's panes takes in the tmux server; not part of the "
        f"session's own memory. Shown are the {LARGEST} largest.",
        [
            Query(
                expr=largest(now, at_end("max_over_time", now)),
                legend="{{session}} · {{server}} · {{instance}}",
            )
        ],
        unit="bytes",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def panes(number: int) -> Builder[dashboard.Panel]:
    """A table of the panes."""

    def figure(name: str) -> str:
        return f"sum {_PANE} ({select(f'tmux_pane_{name}', SESSION)})"

    full = f"{figure('history_lines')}\n/ {figure('history_limit_lines')}"
    cpu = rate(select("tmux_pane_cpu_seconds_total", SESSION))
    return rows(
        number,
        "Panes, largest memory first",
        "What each pane holds. CPU is in cores, its bar full at one. Descriptors are those of its worst "
        "process; History is how full the scroll-back is, which at 100 % only means that old lines are "
        "dropped.",
        [
            Label(name="session", title="Session"),
            Label(name="window", title="Window", width=80),
            Label(name="pane", title="Pane", width=70),
            Label(name="server", title="Server", width=90),
            Label(name="instance", title="Host"),
            Figure(title="Memory", expr=figure("memory_bytes"), unit="bytes", bar=True),
            Figure(title="CPU cores", expr=f"sum {_PANE} ({cpu})", decimals=2, bar=True, top=1),
            Figure(title="Processes", expr=figure("processes"), width=90),
            Figure(
                title="Descriptors",
                expr=f"max {_PANE} ({select('tmux_pane_fd_utilization_ratio', SESSION)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                heat=True,
            ),
            Figure(title="History", expr=full, unit="percentunit", decimals=0, width=80),
            Figure(
                title="Dead",
                expr=figure("dead"),
                width=70,
                texts={"0": ("no", "text"), "1": ("dead", WARNING)},
            ),
        ],
        sort=[("Memory", True)],
        empty=_EMPTY,
        height=8,
    )
