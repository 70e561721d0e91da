"""tmux servers: do they answer, how quickly, and what do they hold."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import (
    CALM,
    CRITICAL,
    FINE,
    NUMBERS,
    RESTING,
    UNKNOWN,
    WARNING,
    WATCH,
    none_is_calm,
    steps,
)
from dashboards.links import drill_down
from dashboards.panels import NAME_PATTERN, graph, tile
from dashboards.queries import LARGEST, SERVER, Query, at_end, largest, or_none, or_zero, rate, select
from dashboards.tables import WHOLE, Figure, Label, rows

_BY = "by (instance, server)"
_EMPTY = "No tmux server is seen."
_NAME = "{{server}} · {{instance}}"
_REASONS = {
    "hung": CRITICAL,
    "noserver": RESTING,
    "denied": WATCH,
    "untrusted": WARNING,
    "protocol": UNKNOWN,
    "partial": "light-purple",
    "malformed": "dark-purple",
    "none": RESTING,
}


def _sum(name: str) -> str:
    return f"sum {_BY} ({select(name, SERVER)})"


def table(
    number: int, variables: Sequence[str], *, width: int = WHOLE, height: int = 5
) -> Builder[dashboard.Panel]:
    """One row for each server, on a board that has these variables."""
    only = drill_down("Only this server", "tmux-fleet", {"instance": "Host", "server": "Server"}, variables)
    return rows(
        number,
        "tmux servers, silent ones first",
        "A server that hangs and one that ended within the last 15 minutes do not answer. Descriptors are "
        "those of the server's own process against its limit: each pane takes some.",
        [
            Label(
                name="server",
                title="Server",
                link=only,
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
        height=height,
        width=width,
        only_whole=("Panes", "Clients", "Scroll-back", "Descriptors", "Started"),
    )


def not_answering(number: int, *, width: int = 4) -> stat.Panel:
    """How many live and do not answer."""
    up, start = select("tmux_up", SERVER), select("tmux_server_start_time_seconds", SERVER)
    refused = select("tmux_server_query_failures_total", SERVER, 'reason=~"denied|untrusted"')
    lately = NUMBERS.text("server_not_answering", "refused_within")
    silent = f"{up} == 0\nand {start}\nunless on (job, instance, server) increase({refused}[{lately}]) > 0"
    return tile(
        number,
        "Hung servers",
        "tmux servers whose process lives and gives no answer: nobody can attach, no keys arrive, those "
        "of schedulers included. One that has ended is not counted, nor one that the exporter may not ask.",
        Query(expr=or_zero(f"count({silent})", up)),
        steps=none_is_calm(CRITICAL),
        empty="no server",
        width=width,
    )


def slowest(number: int) -> Builder[dashboard.Panel]:
    """The slowest server's 99th percentile."""
    return tile(
        number,
        "Slowest answers",
        "The 99th percentile of the answer times of the slowest server in the last minutes. "
        "Every person and program that uses that server waits as long.",
        Query(expr=f"max({_quantile(0.99)})"),
        steps=steps(CALM),
        unit="s",
        decimals=1,
        empty="no server",
    )


def fullest(number: int) -> Builder[dashboard.Panel]:
    """The server that is nearest to its limit of descriptors."""
    open_, limit = (select(f"tmux_server_{name}_fds", SERVER) for name in ("open", "max"))
    return tile(
        number,
        "Fullest descriptors",
        "File descriptors of the server's own process as a part of its limit, of the server that is nearest "
        "to it. Each pane takes some; at 100 % no pane can be opened.",
        Query(expr=f"max({open_} / {limit})"),
        steps=steps(CALM),
        unit="percentunit",
        empty="no server",
    )


def graphs(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """Answers, failures, scroll-back, memory, CPU and descriptors, numbered from `first` on."""
    return (
        _latency(first),
        _failures(first + 1),
        _history(first + 2),
        _memory(first + 3),
        _cpu(first + 4),
        _descriptors(first + 5),
    )


def _quantile(quantile: float, over: str = "$__rate_interval") -> str:
    """Per server that answers, how long its answers took."""
    buckets = rate(select("tmux_server_query_duration_seconds_bucket", SERVER), over)
    # Once the queue of a hung server's socket is full, the kernel refuses at once: that is no quick answer.
    answers = f"max by (job, instance, server) ({select('tmux_up', SERVER)}) == 1"
    each = f"histogram_quantile({quantile:g}, sum by (job, instance, server, le) ({buckets}))"
    return f"{each}\nand {answers}"


def _latency(number: int) -> Builder[dashboard.Panel]:
    spent, asked = (
        at_end("rate", select(f"tmux_server_query_duration_seconds_{part}", SERVER))
        for part in ("sum", "count")
    )
    by = "by (job, instance, server)"
    # One that hangs has a start, one that has ended has none: it would take the place of one that people use.
    there = f"{select('tmux_server_start_time_seconds', SERVER)} @ end()"
    ranked = f"sum {by} ({spent})\n/ sum {by} ({asked})\nand on (job, instance, server) {there}"
    return graph(
        number,
        "How long tmux takes to answer",
        "99th percentile of the answer times to the exporter's queries; a server that "
        f"does not answer has no line. Shown are the {LARGEST} slowest of those that are there at its end.",
        [Query(expr=largest(f"({_quantile(0.99)})", ranked), legend=_NAME)],
        unit="s",
        logarithmic=True,
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _failures(number: int) -> Builder[dashboard.Panel]:
    failed = select("tmux_server_query_failures_total", SERVER)
    return graph(
        number,
        "Failed tmux queries, by reason",
        "Queries per minute that gave no usable answer. hung: nothing came within 2 s. noserver: nobody "
        "listens any more. denied, untrusted: we may not ask, or should not. protocol, partial, malformed: "
        "what came cannot be read. none: every query was answered.",
        [
            Query(
                expr=or_none(f"60 * sum by (reason) ({rate(failed)})", rate(failed), "reason"),
                legend="{{reason}}",
            )
        ],
        unit="none",
        empty=_EMPTY,
        stacked=True,
        events=True,
        soft_top=1,
        colors=_REASONS,
    )


def _history(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_server_history_bytes", SERVER)
    return graph(
        number,
        "Scroll-back held by tmux servers",
        "Memory that the scroll-back of all panes takes in each server. It grows up to history-limit lines a "
        "pane and is not part of any session's memory. Shown are the largest in the whole time range.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=_NAME)],
        unit="bytes",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _memory(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_server_resident_memory_bytes", SERVER)
    return graph(
        number,
        "Memory of tmux servers",
        "Resident memory of each server's own process. It holds the scroll-back, and does not fall when that "
        "is cleared. Shown are the largest in the whole time range.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=_NAME)],
        unit="bytes",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _cpu(number: int) -> Builder[dashboard.Panel]:
    used = select("tmux_server_cpu_seconds_total", SERVER)
    return graph(
        number,
        "CPU of tmux servers",
        "Cores that each server's own process uses. A server is one thread: at 1 it can do no more, and all "
        "its panes wait. Shown are the busiest in the whole time range.",
        [Query(expr=largest(rate(used), at_end("rate", used)), legend=_NAME)],
        unit="none",
        empty=_EMPTY,
        rename=NAME_PATTERN,
    )


def _descriptors(number: int) -> Builder[dashboard.Panel]:
    open_, limit = (select(f"tmux_server_{name}_fds", SERVER) for name in ("open", "max"))
    ranked = f"{at_end('max_over_time', open_)} / {at_end('max_over_time', limit)}"
    return graph(
        number,
        "Descriptors as a part of the limit",
        "Open file descriptors of each server's own process, divided by its limit. Shown are those that came "
        "nearest to it in the whole time range.",
        [Query(expr=largest(f"({open_} / {limit})", ranked), legend=_NAME)],
        unit="percentunit",
        empty=_EMPTY,
        rename=NAME_PATTERN,
        top=1,
    )
