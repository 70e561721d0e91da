"""tmux servers: do they answer, how quickly, and what do they hold."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, FINE
from dashboards.links import drill_down
from dashboards.panels import NAME_PATTERN, graph
from dashboards.queries import LARGEST, SERVER, Query, at_end, largest, rate, select
from dashboards.tables import Figure, Label, rows

_BY = "by (instance, server)"
_EMPTY = "No tmux server is seen."


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """A table of all, and two graphs of those that stand out."""
    return (_table(), _latency(), _history())


def _sum(name: str) -> str:
    return f"sum {_BY} ({select(name, SERVER)})"


def _table() -> Builder[dashboard.Panel]:
    return rows(
        41,
        "tmux servers, silent ones first",
        "A server that hangs and one that ended within the last 15 minutes do not answer. Descriptors are "
        "those of the server's own process against its limit: each pane takes some.",
        [
            Label(
                name="server",
                title="Server",
                link=drill_down("Only this server", "tmux-fleet", {"instance": "Host", "server": "Server"}),
            ),
            Label(name="instance", title="Host"),
            Figure(
                title="Answers",
                expr=f"min {_BY} ({select('tmux_up', SERVER)})",
                width=105,
                texts={"0": ("no", CRITICAL), "1": ("yes", FINE)},
            ),
            Figure(title="Sessions", expr=_sum("tmux_server_sessions"), width=85),
            Figure(title="Panes", expr=_sum("tmux_server_panes"), width=75),
            Figure(title="Clients", expr=_sum("tmux_server_clients"), width=75),
            Figure(title="Scroll-back", expr=_sum("tmux_server_history_bytes"), unit="bytes", bar=True),
            Figure(title="Memory", expr=_sum("tmux_server_resident_memory_bytes"), unit="bytes", bar=True),
            Figure(
                title="Descriptors",
                expr=f"{_sum('tmux_server_open_fds')}\n/ {_sum('tmux_server_max_fds')}",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
            ),
            Figure(
                title="Started",
                expr=f"1000 * max {_BY} ({select('tmux_server_start_time_seconds', SERVER)})",
                unit="dateTimeFromNow",
                width=130,
            ),
        ],
        sort=[("Answers", False)],
        empty=_EMPTY,
        height=6,
    )


def _latency() -> Builder[dashboard.Panel]:
    spent = select("tmux_server_query_duration_seconds_sum", SERVER)
    asked = select("tmux_server_query_duration_seconds_count", SERVER)
    # Once the queue of a hung server's socket is full, the kernel refuses at once: that is no quick answer.
    now = f"({rate(spent)} / {rate(asked)} and on (job, instance, server) {select('tmux_up', SERVER)} == 1)"
    ranked = f"{at_end('rate', spent)} / {at_end('rate', asked)}"
    return graph(
        42,
        "How long tmux takes to answer",
        "Average time of the exporter's questions to servers that answer; one that does not has no line. "
        f"Shown are the {LARGEST} slowest in the whole time range.",
        [Query(expr=largest(now, ranked), legend="{{server}} · {{instance}}")],
        unit="s",
        logarithmic=True,
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _history() -> Builder[dashboard.Panel]:
    now = select("tmux_server_history_bytes", SERVER)
    return graph(
        43,
        "Scroll-back held by tmux servers",
        "Memory that the scroll-back of all panes takes in each server. It grows up to history-limit lines a "
        "pane and is not part of any session's memory. Shown are the largest in the whole time range.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend="{{server}} · {{instance}}")],
        unit="bytes",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )
