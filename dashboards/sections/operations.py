"""Operations that programs report, tmux commands seen through exec events, and how agents recover."""

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import (
    CALM,
    CRITICAL,
    NUMBERS,
    UNKNOWN,
    WARNING,
    WATCH,
    WATCH_TEXT,
    none_is_calm,
    steps,
)
from dashboards.panels import NAME_PATTERN, graph, tile
from dashboards.queries import HOST, LARGEST, SERVER, Query, at_end, largest, or_zero, rate, select
from dashboards.tables import Figure, Label, rows

_BY = "by (operation)"
_EMPTY = "No operation is reported: docs/operations.md says how a script or a Python program does it."
_NO_COMMAND = "No tmux command is seen: operations.watch_commands in the configuration switches that on."
_SLOW = 1 - NUMBERS.number("slo_latency", "objective")
_FAILING = 1 - NUMBERS.number("slo_errors", "objective")
_REASONS = {
    "exit_status": WARNING,
    "timeout": CRITICAL,
    "exception": "dark-red",
    "refused": WATCH,
    "other": UNKNOWN,
}


_CLASSES = {
    "agent_command": "dark-blue",
    "inter_agent_message": "#00a3a3",
    "recovery": "#9933cc",
    "scheduling": "super-light-blue",
    "status_check": "blue",
}
"""The same colour for the same operation in all graphs, none of them one that says good or bad."""


def per_minute(number: int, *, width: int = 12) -> Builder[dashboard.Panel]:
    """Throughput."""
    count = select("tmux_operation_duration_seconds_count", HOST)
    return graph(
        number,
        "Operations per minute",
        f"Finished operations, failed ones included. Shown are the {LARGEST} most frequent in the whole "
        "time range.",
        [
            Query(
                expr=largest(f"60 * sum {_BY} ({rate(count)})", f"sum {_BY} ({at_end('rate', count)})"),
                legend="{{operation}}",
            )
        ],
        unit="none",
        empty=_EMPTY,
        stacked=True,
        colors=_CLASSES,
        width=width,
    )


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each operation."""
    count, spent, buckets, slow, failed, retried = (
        select(f"tmux_operation_{name}", HOST)
        for name in (
            "duration_seconds_count",
            "duration_seconds_sum",
            "duration_seconds_bucket",
            "slow_total",
            "errors_total",
            "retries_total",
        )
    )
    over = "$__range"
    done = f"sum {_BY} ({rate(count, over)}) > 0"
    grown = select("tmux_operation_memory_change_bytes_total", HOST, 'direction="grown"')
    shrunk = select("tmux_operation_memory_change_bytes_total", HOST, 'direction="shrunk"')
    left = f"increase({grown}[{over}]) - ignoring (direction) increase({shrunk}[{over}])"
    return rows(
        number,
        "Operations in the time range, slowest first",
        "Over the whole time range. p99 is the 99th percentile of the duration. Slow are those that took "
        f"longer than their objective, orange from {_SLOW:.0%} on; Failed is orange from {_FAILING:.0%} on. "
        "Left behind is by how much the programs that "
        "reported were larger afterwards.",
        [
            Label(name="operation", title="Operation"),
            Figure(title="Per minute", expr=f"60 * {done}", decimals=1, bar=True),
            Figure(
                title="Failed",
                expr=f"sum {_BY} ({rate(failed, over)})\n/ ({done})",
                unit="percentunit",
                decimals=1,
                width=90,
                steps=steps("text", [(_FAILING, WARNING)]),
            ),
            Figure(title="Average", expr=f"sum {_BY} ({rate(spent, over)})\n/ ({done})", unit="s", width=95),
            Figure(
                title="p99",
                expr=f"histogram_quantile(0.99, sum by (operation, le) ({rate(buckets, over)}))\nand {done}",
                unit="s",
                width=95,
            ),
            Figure(
                title="Slow",
                expr=f"sum {_BY} ({rate(slow, over)})\n/ ({done})",
                unit="percentunit",
                decimals=1,
                width=90,
                steps=steps("text", [(_SLOW, WARNING)]),
            ),
            Figure(
                title="Retries",
                expr=f"round(sum {_BY} (increase({retried}[{over}])))\nand {done}",
                width=80,
                steps=none_is_calm(WATCH_TEXT, "text"),
            ),
            Figure(
                title="Under way",
                expr=f"sum {_BY} ({select('tmux_operations_in_flight', HOST)})\nand {done}",
                width=95,
            ),
            Figure(
                title="Left behind",
                expr=f"sum {_BY} ({left})\nand {done}",
                unit="bytes",
                width=110,
            ),
        ],
        sort=[("p99", True)],
        empty=_EMPTY,
        height=8,
    )


def latency(number: int) -> Builder[dashboard.Panel]:
    """How slow each is."""
    buckets = select("tmux_operation_duration_seconds_bucket", HOST)
    spent, count = (
        f"sum {_BY} ({at_end('rate', select(f'tmux_operation_duration_seconds_{part}', HOST))})"
        for part in ("sum", "count")
    )
    slow = f"histogram_quantile(0.99, sum by (operation, le) ({rate(buckets)}))"
    return graph(
        number,
        "Duration of operations (p99)",
        f"99th percentile of the duration. Shown are the {LARGEST} that are slowest on average.",
        [Query(expr=largest(f"({slow})", f"{spent}\n/ {count}"), legend="{{operation}}")],
        unit="s",
        empty=_EMPTY,
        colors=_CLASSES,
    )


def errors(number: int) -> Builder[dashboard.Panel]:
    """Why they fail."""
    failed = select("tmux_operation_errors_total", HOST)
    return graph(
        number,
        "Failed operations by reason",
        "Failed operations per minute.",
        [Query(expr=f"60 * sum by (reason) ({rate(failed)}) > 0", legend="{{reason}}")],
        unit="none",
        empty="No failed operation is seen.",
        stacked=True,
        events=True,
        colors=_REASONS,
    )


def retries(number: int) -> Builder[dashboard.Panel]:
    """How often something had to be tried again."""
    retried = select("tmux_operation_retries_total", HOST)
    return graph(
        number,
        "Retries by operation",
        "Further attempts per minute after one that failed.",
        [Query(expr=f"60 * sum {_BY} ({rate(retried)}) > 0", legend="{{operation}}")],
        unit="none",
        empty="No retry is seen.",
        stacked=True,
        events=True,
        colors=_CLASSES,
    )


def command_latency(number: int) -> Builder[dashboard.Panel]:
    """How slow tmux commands are."""
    by = "by (server, command)"
    buckets = select("tmux_command_duration_seconds_bucket", SERVER)
    spent, count = (
        f"sum {by} ({at_end('rate', select(f'tmux_command_duration_seconds_{part}', SERVER))})"
        for part in ("sum", "count")
    )
    slow = f"histogram_quantile(0.99, sum by (server, command, le) ({rate(buckets)}))"
    return graph(
        number,
        "Duration of tmux commands (p99)",
        "99th percentile of how long tmux commands of anybody took, seen from outside. Shown are the "
        f"{LARGEST} that are slowest on average.",
        [Query(expr=largest(f"({slow})", f"{spent}\n/ {count}"), legend="{{command}} · {{server}}")],
        unit="s",
        empty=_NO_COMMAND,
        rename=NAME_PATTERN,
    )


def command_errors(number: int) -> Builder[dashboard.Panel]:
    """Which of them fail."""
    failed = select("tmux_command_errors_total", SERVER)
    by = "by (server, command)"
    return graph(
        number,
        "Failed tmux commands",
        "tmux commands per minute that ended with another status than 0. Some scripts ask by a command that "
        f"fails (has-session). Shown are the {LARGEST} that failed most.",
        [
            Query(
                expr=largest(f"60 * sum {by} ({rate(failed)})", f"sum {by} ({at_end('rate', failed)}) > 0"),
                legend="{{command}} · {{server}}",
            )
        ],
        unit="none",
        empty="No tmux command failed, or none is seen: operations.watch_commands switches that on.",
        rename=NAME_PATTERN,
    )


def came_back(number: int, *, width: int) -> Builder[dashboard.Panel]:
    """A tile: how long agents were down."""
    buckets = select("tmux_agent_recovery_seconds_bucket", SERVER)
    back = f"histogram_quantile(0.95, sum by (le) (increase({buckets}[$__range])))"
    return tile(
        number,
        "Agents back within",
        "How long agents that ended in the time range were down before they were up again in the same "
        "place; 95 of 100 were back within this.",
        Query(expr=or_zero(f"({back} >= 0)", select("tmux_agent_up", SERVER))),
        steps=steps(CALM),
        texts={"0": ("none was down", CALM)},
        unit="s",
        empty="no agent",
        width=width,
    )


def recovery(number: int) -> Builder[dashboard.Panel]:
    """Recoveries over time."""
    back = select("tmux_agent_recovery_seconds_count", SERVER)
    restarted = select("tmux_agent_restarts_total", SERVER)
    return graph(
        number,
        "Agents that came back",
        "Agents per minute that were up again after they were down, and restarts of any kind.",
        [
            Query(expr=f"60 * sum({rate(back)})", legend="came back"),
            Query(expr=f"60 * sum({rate(restarted)})", legend="restarts"),
        ],
        unit="none",
        empty="No agent is seen.",
        soft_top=1,
    )


def recovery_time(number: int) -> Builder[dashboard.Panel]:
    """How long they took, in the same words as the operation of that name."""
    agents = select("tmux_agent_recovery_seconds_bucket", SERVER)
    operation = select("tmux_operation_duration_seconds_bucket", HOST, 'operation="recovery"')
    return graph(
        number,
        "How long it takes to come back",
        "95th percentile of the time that agents were down, and of the operation recovery that programs "
        "report.",
        [
            Query(
                expr=f"histogram_quantile(0.95, sum by (le) (increase({agents}[$__range]))) >= 0",
                legend="agents",
            ),
            Query(
                expr=f"histogram_quantile(0.95, sum by (le) ({rate(operation)})) >= 0",
                legend="operation recovery",
            ),
        ],
        unit="s",
        empty="No agent was down, and no program reported a recovery.",
    )
