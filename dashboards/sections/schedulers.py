"""Schedulers: shells that sleep and then send keys to a pane. Will they arrive, and when?"""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, FINE, PLAIN, RESTING, UNKNOWN, WARNING, WATCH, none_is_calm
from dashboards.links import to_session
from dashboards.panels import graph, tile
from dashboards.queries import SESSION, Query, at_end, ever, none_is_zero, or_none, rate, select
from dashboards.tables import WHOLE, Figure, Label, rows
from dashboards.variables import OF_SESSION

LOST = ("dangling", "serverless", "stale_generation", "immortal")
"""Their keys will not arrive."""
NOT_KNOWN = ("unknown", "opaque")
ASTRAY = ("overdue", "duplicate", "misdirected")

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
_EMPTY = "No pending scheduler is seen."


def lost(number: int, *, width: int = 4) -> stat.Panel:
    """How many will not arrive."""
    return tile(
        number,
        "Lost schedulers",
        "Pending schedulers whose keys will arrive nowhere: the pane, the server or its generation is gone, "
        "or the wait never ends. Agents that rely on them will not be woken.",
        Query(expr=f"sum({in_states(LOST)})"),
        steps=none_is_calm(WARNING),
        empty="no exporter",
        width=width,
    )


def in_states(states: Sequence[str]) -> str:
    """The pending schedulers in these states."""
    return select("tmux_schedulers", SESSION, f'state=~"{"|".join(states)}"')


def not_known(number: int) -> Builder[dashboard.Panel]:
    """How many have a fate that is not known."""
    return tile(
        number,
        "Not understood",
        "Pending schedulers of which nobody can say whether their keys will arrive: their server does not "
        "answer, or their target is only known when they run.",
        Query(expr=f"sum({in_states(NOT_KNOWN)})"),
        steps=none_is_calm(UNKNOWN),
        empty="no exporter",
    )


def late(number: int) -> Builder[dashboard.Panel]:
    """How many arrive otherwise than was meant."""
    return tile(
        number,
        "Late or elsewhere",
        "Pending schedulers that are overdue, there twice, or lead to another pane than was meant.",
        Query(expr=f"sum({in_states(ASTRAY)})"),
        steps=none_is_calm(WATCH),
        empty="no exporter",
    )


def outcomes(number: int) -> Builder[dashboard.Panel]:
    """What became of those that ended."""
    ended = select("tmux_scheduler_outcomes_total", SESSION)
    return graph(
        number,
        "Schedulers that ended, by outcome",
        "Per minute. fired: it was due and its target was there. missed: its target was gone, its keys led "
        "elsewhere, or it sends only after a failure. cancelled: it ended before it was due, or the "
        "remediator ended it. none: no scheduler ended.",
        [
            Query(
                expr=or_none(f"60 * sum by (outcome) ({rate(ended)})", rate(ended), "outcome"),
                legend="{{outcome}}",
            )
        ],
        unit="none",
        empty="No session is seen that has, or had, a scheduler.",
        stacked=True,
        events=True,
        soft_top=1,
        colors={"fired": FINE, "missed": CRITICAL, "cancelled": PLAIN, "unknown": UNKNOWN, "none": RESTING},
        width=8,
    )


def cost(number: int) -> Builder[dashboard.Panel]:
    """What waiting costs."""
    held, counted = (select(f"tmux_scheduler{each}", SESSION) for each in ("_memory_bytes", "s"))
    now = none_is_zero(f"sum by (state) ({held})", f"sum by (state) ({counted})")
    return graph(
        number,
        "Memory of pending schedulers",
        "Memory of the shells and sleeps that wait, by state.",
        [Query(expr=ever(now, _most_by_state(held)), legend="{{state}}")],
        unit="bytes",
        empty=_EMPTY,
        stacked=True,
        colors=_COLORS,
        width=8,
    )


def _most_by_state(selector: str) -> str:
    return f"sum by (state) ({at_end('max_over_time', selector)})"


def states(number: int, *, width: int = 8) -> Builder[dashboard.Panel]:
    """All of them over time, by state."""
    counted = select("tmux_schedulers", SESSION)
    return graph(
        number,
        "Pending schedulers by state",
        "Green ones are armed and will arrive. Red ones will not: their pane, server or its generation is "
        "gone, or their wait never ends. Purple: unknown. Yellow and orange ones arrive late, twice "
        "or in another place than was meant.",
        [Query(expr=ever(f"sum by (state) ({counted})", _most_by_state(counted)), legend="{{state}}")],
        unit="none",
        empty=_EMPTY,
        stacked=True,
        colors=_COLORS,
        width=width,
    )


def table(
    number: int, variables: Sequence[str] = OF_SESSION, *, width: int = WHOLE, height: int = 10
) -> Builder[dashboard.Panel]:
    """One row for each session that has any."""
    due = select("tmux_scheduler_next_due_timestamp_seconds", SESSION)
    whole = width == WHOLE
    pending = f"sum {_BY} ({select('tmux_schedulers', SESSION)}) > 0"
    return rows(
        number,
        "Pending schedulers by session, lost ones first",
        "By the session that they aim at, else the one that made them. Lost ones will arrive nowhere; "
        "unknown ones cannot be judged.",
        [
            Label(name="session", title="Session", link=to_session(variables)),
            Label(name="server", title="Server", width=68),
            Label(name="instance", title="Host"),
            Figure(title="Pending", expr=pending, bar=whole, width=0 if whole else 70),
            Figure(
                title="Lost",
                expr=f"sum {_BY} ({in_states(LOST)})\nand {pending}",
                width=60,
                steps=none_is_calm(WARNING, "text"),
            ),
            Figure(
                title="Unknown",
                expr=f"sum {_BY} ({in_states(NOT_KNOWN)})\nand {pending}",
                width=80,
                steps=none_is_calm(UNKNOWN, "text"),
            ),
            Figure(title="Next", expr=f"1000 * min {_BY} ({due})", unit="dateTimeFromNow", width=140),
        ],
        sort=[("Lost", True)],
        empty=_EMPTY,
        height=height,
        width=width,
    )
