"""Scheduled check-ins: shells that sleep and then send keys to a pane. Will they arrive, and when?"""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, FINE, PLAIN, UNKNOWN, WARNING, WATCH, none_is_calm
from dashboards.links import only_session
from dashboards.panels import graph
from dashboards.queries import SESSION, Query, select
from dashboards.tables import Figure, Label, rows

LOST = ("dangling", "serverless", "stale_generation", "immortal")
"""Their keys will arrive nowhere."""
NOT_KNOWN = ("unknown", "opaque")

_COLORS = {
    "armed": FINE,
    "armed_origin_gone": "light-green",
    "firing": PLAIN,
    "duplicate": "light-yellow",
    "overdue": WATCH,
    "misdirected": "light-orange",
    "dangling": CRITICAL,
    "serverless": "dark-red",
    "stale_generation": "semi-dark-red",
    "immortal": "light-red",
    "unknown": UNKNOWN,
    "opaque": "light-purple",
}
_BY = "by (instance, server, session)"
_EMPTY = "No pending check-in is seen."


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """A graph of all states, and a table of the sessions that have check-ins."""
    return (_states(), _table())


def in_states(states: Sequence[str]) -> str:
    """The pending check-ins in these states."""
    return select("tmux_schedulers", SESSION, f'state=~"{"|".join(states)}"')


def _states() -> Builder[dashboard.Panel]:
    return graph(
        61,
        "Pending check-ins by state",
        "Green ones are armed and will arrive. Red ones will not: their pane, server or its generation is "
        "gone, or their wait never ends. Purple: nobody can say. Yellow and orange ones arrive late, twice "
        "or in another place than was meant.",
        [Query(expr=f"sum by (state) ({select('tmux_schedulers', SESSION)}) > 0", legend="{{state}}")],
        unit="none",
        empty=_EMPTY,
        stacked=True,
        colors=_COLORS,
        width=10,
    )


def _table() -> Builder[dashboard.Panel]:
    due = select("tmux_scheduler_next_due_timestamp_seconds", SESSION)
    pending = f"sum {_BY} ({select('tmux_schedulers', SESSION)}) > 0"
    return rows(
        62,
        "Pending check-ins by session, lost ones first",
        "By the session that they aim at, else the one that made them. Lost ones will arrive nowhere; of "
        "unknown ones nobody can say.",
        [
            Label(name="session", title="Session", link=only_session()),
            Label(name="server", title="Server", width=100),
            Label(name="instance", title="Host"),
            Figure(title="Pending", expr=pending, width=75),
            Figure(
                title="Lost",
                expr=f"sum {_BY} ({in_states(LOST)})\nand {pending}",
                width=75,
                steps=none_is_calm(WARNING, "text"),
            ),
            Figure(
                title="Unknown",
                expr=f"sum {_BY} ({in_states(NOT_KNOWN)})\nand {pending}",
                width=85,
                steps=none_is_calm(UNKNOWN, "text"),
            ),
            Figure(title="Next", expr=f"1000 * min {_BY} ({due})", unit="dateTimeFromNow", width=135),
        ],
        sort=[("Lost", True)],
        empty=_EMPTY,
        height=8,
        width=14,
    )
