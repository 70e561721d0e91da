"""Service levels: what is promised, what is left of the budget of 30 days, and how quickly it burns."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import (
    CALM,
    CRITICAL,
    FINE,
    NUMBERS,
    PLAIN,
    UNKNOWN,
    WARNING,
    WATCH,
    WATCH_TEXT,
    steps,
)
from dashboards.links import to_host
from dashboards.panels import graph, tile
from dashboards.queries import HOST, Query, select
from dashboards.tables import Figure, Label, rows
from dashboards.variables import OF_SERVER
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.recording import slo

_SCOPE = Scope(thresholds=NUMBERS)
_NO_RULES = (
    "No service level is recorded: the recording rules of alerts/ are not loaded, or are some minutes old."
)
_BY = "by (instance, slo)"
_USED_UP = (0, "used up", CRITICAL)
_WORDS = {
    "availability": "Agents that should be there are up, and their tmux servers answer.",
    "errors": "Operations that programs report do not fail.",
    "latency": "Operations that have an objective take no longer than it says; of those that do, each is "
    "weighed by how many may.",
    "throughput": "While more operations are under way than there would be at "
    f"{NUMBERS.number('throughput', 'per_minute'):g} a minute, so many are finished.",
    "recovery": "Agents that are declared or had crashed are up again within "
    f"{NUMBERS.number('agent_recovery', 'seconds') / 60:g} minutes.",
    "exporter": "Prometheus can scrape the exporters.",
    "samples": "The exporters' samples see everything.",
}
_COLORS = {
    "availability": FINE,
    "errors": CRITICAL,
    "latency": WARNING,
    "throughput": "#00a3a3",
    "recovery": "#9933cc",
    "exporter": PLAIN,
    "samples": UNKNOWN,
}
_NO_EVENT = {
    **dict.fromkeys(("errors", "latency"), ("nothing reported", UNKNOWN)),
    "throughput": ("no demand", CALM),
    "recovery": ("no recovery", CALM),
}
"""What a tile says of a service level without any event; of the others there always is one."""

_FULL = 1
"""The most that can be left of a budget; what is above it stands for no event."""

TILE_WIDTH = 6
"""Four in a line: their titles and words must fit a narrow screen."""


def budgets(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """A tile for each service level, numbered from `first` on."""
    return tuple(_budget(first + place, name) for place, name in enumerate(slo.NAMES))


def _budget(number: int, name: str) -> Builder[dashboard.Panel]:
    objective = NUMBERS.number(f"slo_{name}", "objective")
    left = f"min({select(slo.BUDGET_LEFT, HOST, _slo(name))})"
    if name in _NO_EVENT:
        left += f"\nor {_FULL + 1} + 0 * max({select(slo.EVENTS, HOST, _slo(name))})"
    return tile(
        number,
        f"Budget: {name}",
        f"{_WORDS[name]} {objective:.1%} of the time, or of the events, is promised; this is what is left of "
        "the rest for 30 days, on the host where least is left. Used up: the promise is broken.",
        Query(expr=left),
        steps=steps(CRITICAL, [(0, CALM)]),
        below=_USED_UP,
        unit="percentunit",
        texts={str(_FULL + 1): _NO_EVENT[name]} if name in _NO_EVENT else None,
        empty="no rules",
        width=TILE_WIDTH,
    )


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each service level and host."""
    spent = select(slo.errors(_SCOPE, "slo", "budget"), HOST)
    promised = select(slo.OBJECTIVE, HOST[:1])
    pace = steps("text", [(1, WATCH_TEXT)])
    return rows(
        number,
        "Service levels, least budget first",
        "Reached is the part of the last 30 days, or of as much as is stored, that was good. Burn is how "
        "quickly the budget is spent over the last hour, six hours and three days: at 1 it lasts "
        "exactly 30 days.",
        [
            Label(name="slo", title="Service level"),
            Label(name="instance", title="Host", link=to_host(OF_SERVER)),
            Figure(
                title="Promised",
                expr=f"max {_BY} (0 * {spent} + on (job, slo) group_left () {promised})",
                unit="percentunit",
                decimals=1,
                width=100,
            ),
            Figure(
                title="Reached",
                expr=f"min {_BY} (clamp_min(1 - {spent}, 0))",
                unit="percentunit",
                decimals=2,
                width=100,
            ),
            Figure(
                title="Budget left",
                expr=f"min {_BY} ({select(slo.BUDGET_LEFT, HOST)})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=steps(CRITICAL, [(0, PLAIN)]),
                below=_USED_UP,
            ),
            *(
                Figure(
                    title=title, expr=f"max {_BY} ({_burn(level, key)})", decimals=1, width=100, steps=pace
                )
                for title, level, key in (
                    ("Burn, 1 h", "slo_burn_page", "long"),
                    ("Burn, 6 h", "slo_burn_hours", "long"),
                    ("Burn, 3 d", "slo_burn_days", "long"),
                )
            ),
        ],
        sort=[("Budget left", False)],
        empty=_NO_RULES,
        height=9,
    )


def burn(number: int) -> Builder[dashboard.Panel]:
    """How quickly each budget was spent."""
    return graph(
        number,
        "How quickly the budgets burn",
        "Of each hour, how many times faster than the budget allows; of the worst host. At the dashed line, "
        "1, the budget lasts exactly 30 days; at 14 it is gone in two.",
        [Query(expr=f"max by (slo) ({_burn('slo_burn_page', 'long')})", legend="{{slo}}")],
        unit="none",
        empty=_NO_RULES,
        colors=_COLORS,
        steps=steps("text", [(1, WATCH)]),
        soft_top=2,
    )


def left(number: int) -> Builder[dashboard.Panel]:
    """What was left of each budget."""
    return graph(
        number,
        "What is left of the budgets",
        "Part of the budget of 30 days that is left, of the worst host. A fall is when something "
        "happened; below 0 % the promise is broken.",
        [Query(expr=f"min by (slo) ({select(slo.BUDGET_LEFT, HOST)})", legend="{{slo}}")],
        unit="percentunit",
        empty=_NO_RULES,
        colors=_COLORS,
        top=1,
        lowest=-1,
    )


def _burn(table: str, key: str) -> str:
    bad = select(slo.errors(_SCOPE, table, key), HOST)
    return f"{bad}\n/ on (job, slo) group_left () (1 - {select(slo.OBJECTIVE, HOST[:1])})"


def _slo(name: str) -> str:
    return f'slo="{name}"'
