"""Processes that outlived the pane that started them."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import WATCH, none_is_calm
from dashboards.links import to_session
from dashboards.panels import tile
from dashboards.queries import SESSION, Query, or_zero, rate, select
from dashboards.tables import Figure, Label, rows
from dashboards.variables import OF_SESSION

NOTHING_LEAKED = "Nothing is leaked: no process outlived the pane that started it."
_BY = "by (instance, server, session, kind)"


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """A table of all."""
    return (table(70),)


def count(number: int, *, width: int = 4) -> Builder[dashboard.Panel]:
    """How many there are."""
    leaked = select("tmux_leaked_processes", SESSION)
    return tile(
        number,
        "Leaked processes",
        "Processes that outlived the pane that started them, and schedulers that will never arrive. They "
        "cost memory, and nobody sees them.",
        Query(expr=or_zero(f"sum({leaked})", select("tmux_session_info", SESSION))),
        steps=none_is_calm(WATCH),
        empty="no session",
        width=width,
    )


def table(
    number: int, variables: Sequence[str] = OF_SESSION, *, width: int = 24, height: int = 6
) -> Builder[dashboard.Panel]:
    """One row for each session and kind that has any."""
    there = f"{select('tmux_leaked_processes', SESSION)} > 0"

    def figure(name: str) -> str:
        return f"sum {_BY} ({select(f'tmux_leaked_{name}', SESSION)})\nand sum {_BY} ({there})"

    started = f"min {_BY} ({select('tmux_leaked_oldest_start_time_seconds', SESSION)})"
    cpu = rate(select("tmux_leaked_cpu_seconds_total", SESSION))
    return rows(
        number,
        "Leaked processes, largest memory first",
        "What outlived its pane, for the session that left it, which may be gone (–). `tmux-exporter leaks` "
        "names the processes, `tmux-exporter explain PID` says why each counts as leaked.",
        [
            Label(name="session", title="Session", link=to_session(variables)),
            Label(name="server", title="Server", width=90),
            Label(name="instance", title="Host"),
            Label(name="kind", title="Kind", width=110),
            Figure(title="Processes", expr=f"sum {_BY} ({there})", width=90),
            Figure(title="Memory", expr=figure("memory_bytes"), unit="bytes", bar=True),
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
    )
