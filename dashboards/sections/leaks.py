"""Processes that outlived the pane that started them."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CALM, CRITICAL, PLAIN, UNKNOWN, WATCH, none_is_calm, steps
from dashboards.links import to_session
from dashboards.panels import graph, tile
from dashboards.queries import SESSION, Query, at_end, ever, none_is_zero, or_zero, rate, select
from dashboards.tables import WHOLE, Figure, Label, rows
from dashboards.variables import OF_SESSION

NOTHING_LEAKED = "No leak is seen: no process that outlived the pane which started it."
_KINDS = {
    "agent": CRITICAL,
    "agent_daemon": "light-red",
    "mcp_server": WATCH,
    "dev_server": "light-yellow",
    "shell_job": PLAIN,
    "other": UNKNOWN,
}
"""None in green: nothing of this is well."""

_LEFT = (*SESSION, 'kind!="scheduler"')
"""A scheduler that is lost is told as a scheduler."""

_BY = "by (instance, server, session, kind)"


def count(number: int, *, width: int = 4) -> stat.Panel:
    """How many there are."""
    leaked = select("tmux_leaked_processes", _LEFT)
    return tile(
        number,
        "Leaked processes",
        "Processes that outlived the pane that started them. They cost memory, and nobody sees them. Lost "
        "schedulers are counted as schedulers.",
        Query(expr=or_zero(f"sum({leaked})", select("tmux_session_info", SESSION))),
        steps=none_is_calm(WATCH),
        empty="no session",
        width=width,
    )


def memory(number: int) -> Builder[dashboard.Panel]:
    """What they hold."""
    leaked = select("tmux_leaked_memory_bytes", _LEFT)
    return tile(
        number,
        "Memory leaked",
        "Anonymous and shared memory that leaked processes hold: what ending them would win back.",
        Query(expr=or_zero(f"sum({leaked})", select("tmux_session_info", SESSION))),
        steps=steps(CALM),
        unit="bytes",
        empty="no session",
    )


def processes_by_kind(number: int) -> Builder[dashboard.Panel]:
    """How many, over time."""
    return _by_kind(
        number,
        "Leaked processes by kind",
        "How many processes outlived their pane, by what they are. Steps that only go up are something "
        "that is started over and over.",
        "tmux_leaked_processes",
        unit="none",
    )


def memory_by_kind(number: int) -> Builder[dashboard.Panel]:
    """How much memory, over time."""
    return _by_kind(
        number,
        "Memory of leaked processes",
        "What each kind holds. Blue marks are the remediator's: a fall beside one is what it reclaimed.",
        "tmux_leaked_memory_bytes",
        unit="bytes",
    )


def _by_kind(
    number: int, title: str, description: str, family: str, *, unit: str
) -> Builder[dashboard.Panel]:
    shown, counted = select(family, _LEFT), select("tmux_leaked_processes", _LEFT)
    now = f"sum by (kind) ({shown})"
    if shown != counted:
        now = none_is_zero(now, f"sum by (kind) ({counted})")
    return graph(
        number,
        title,
        description,
        [
            Query(
                expr=ever(now, f"sum by (kind) ({at_end('max_over_time', shown)})"),
                legend="{{kind}}",
            )
        ],
        unit=unit,
        empty=NOTHING_LEAKED,
        stacked=True,
        colors=_KINDS,
    )


def table(
    number: int, variables: Sequence[str] = OF_SESSION, *, width: int = WHOLE, height: int = 10
) -> Builder[dashboard.Panel]:
    """One row for each session and kind that has any."""
    whole = width == WHOLE
    there = f"{select('tmux_leaked_processes', _LEFT)} > 0"

    def figure(name: str) -> str:
        return f"sum {_BY} ({select(f'tmux_leaked_{name}', _LEFT)})\nand sum {_BY} ({there})"

    started = f"min {_BY} ({select('tmux_leaked_oldest_start_time_seconds', _LEFT)})"
    cpu = rate(select("tmux_leaked_cpu_seconds_total", _LEFT))
    return rows(
        number,
        "Leaked processes, largest memory first",
        "What outlived its pane, for the session that left it, which may be gone (–). `tmux-exporter leaks` "
        "names the processes, `tmux-exporter explain PID` says why each counts as leaked.",
        [
            Label(name="session", title="Session", link=to_session(variables)),
            Label(name="server", title="Server", width=75),
            Label(name="instance", title="Host"),
            Label(name="kind", title="Kind", width=115),
            Figure(title="Processes", expr=f"sum {_BY} ({there})", width=90),
            Figure(
                title="Memory",
                expr=figure("memory_bytes"),
                unit="bytes",
                bar=whole,
                width=0 if whole else 85,
            ),
            Figure(
                title="CPU cores", expr=f"sum {_BY} ({cpu})\nand sum {_BY} ({there})", decimals=2, width=90
            ),
            Figure(title="Descriptors", expr=figure("open_fds"), width=95),
            Figure(title="Oldest", expr=f"1000 * {started}", unit="dateTimeFromNow", width=125),
        ],
        sort=[("Memory", True)],
        empty=NOTHING_LEAKED,
        height=height,
        width=width,
        only_whole=("Processes", "CPU cores", "Descriptors", "Oldest"),
    )
