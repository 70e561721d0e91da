"""What needs somebody now. Every tile is 0 and green in a calm fleet."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, NUMBERS, PLAIN, WARNING, WATCH, none_is_calm
from dashboards.links import to_agent, to_leaks, to_runbook, to_servers, to_session
from dashboards.panels import linked, tile
from dashboards.queries import (
    ALERT,
    HOST,
    OUR_ALERTS,
    SAME_THING,
    SESSION,
    Query,
    firing,
    memory_of_limit,
    or_zero,
    select,
)
from dashboards.sections import leaks
from dashboards.sections.exporters import blind
from dashboards.sections.schedulers import lost
from dashboards.sections.servers import not_answering
from dashboards.sections.states import in_state
from dashboards.tables import Figure, Label, rows
from dashboards.variables import OF_SESSION
from tmux_exporter.alerting.base.thresholds import PRIORITIES

_TILE = 6
"""Of 24: two lines of four tiles; a narrower one has no room for its title."""


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """Eight tiles, those without a table on the same board with a link to where there is one; the alerts."""
    return (
        _urgent(),
        waiting(8, SESSION, width=_TILE),
        exited(9, SESSION, width=_TILE),
        _near_limit(),
        linked(not_answering(2, width=_TILE), to_servers()),
        linked(lost(4, width=_TILE), to_leaks()),
        linked(leaks.count(10, width=_TILE), to_leaks()),
        linked(blind(6, width=_TILE), to_servers()),
        alerts(7, ALERT, height=9),
    )


def _urgent() -> Builder[dashboard.Panel]:
    urgent = select("ALERTS", ALERT, OUR_ALERTS, 'alertstate="firing"', 'priority=~"P1|P2"')
    things = "count by (alertname, job, instance, server, session, agent)"
    return tile(
        1,
        "Urgent alerts",
        "Alerts with priority P1 or P2 that fire. 0 is only shown while the always firing Watchdog of the "
        "same rules is there; without it nobody evaluates them. The milder ones are in the table below.",
        Query(
            expr=or_zero(f"count({things} ({urgent}))", 'ALERTS{alertname="Watchdog", alertstate="firing"}')
        ),
        steps=none_is_calm(CRITICAL),
        empty="no rules",
        width=_TILE,
    )


def _near_limit() -> Builder[dashboard.Panel]:
    level = NUMBERS.number("agent_memory", "warning")
    return tile(
        3,
        "Near limit",
        f"Agents that use more than {level:.0%} of the memory that they may use, swap included. The limit is "
        "the lowest of the configuration, the cgroup and the host. The table of agents shows which.",
        Query(
            expr=or_zero(
                f"count({memory_of_limit(SESSION)} > {level:g})", select("tmux_exporter_build_info", HOST)
            )
        ),
        steps=none_is_calm(WARNING),
        empty="no exporter",
        width=_TILE,
    )


def firing_alerts(number: int, scope: tuple[str, ...]) -> Builder[dashboard.Panel]:
    """How many alerts fire in a scope."""
    return tile(
        number,
        "Firing alerts",
        "Alerts of any priority about what is chosen above, each thing once. 0 is only shown while the "
        "always firing Watchdog of the same rules is there; without it nobody evaluates them.",
        Query(
            expr=or_zero(
                f"count(count by ({SAME_THING}) ({firing(scope)}))",
                'ALERTS{alertname="Watchdog", alertstate="firing"}',
            )
        ),
        steps=none_is_calm(WARNING),
        empty="no rules",
    )


def waiting(number: int, scope: tuple[str, ...], *, width: int = 4) -> stat.Panel:
    """How many agents wait for somebody."""
    return tile(
        number,
        "Waiting agents",
        "Agents that can do nothing until somebody answers: a permission, a question, a dialog, a limit, an "
        "error.",
        Query(expr=f"sum({in_state(scope, 'waiting')})"),
        steps=none_is_calm(WARNING),
        empty="no agent",
        width=width,
    )


def exited(number: int, scope: tuple[str, ...], *, width: int = 4) -> Builder[dashboard.Panel]:
    """How many agents are not there any more."""
    return tile(
        number,
        "Exited agents",
        "Agents whose process has ended while their pane is still there, or that are declared and absent.",
        Query(expr=f"sum({in_state(scope, 'exited')})"),
        steps=none_is_calm(CRITICAL),
        empty="no agent",
        width=width,
    )


def alerts(
    number: int, scope: tuple[str, ...], variables: Sequence[str] = OF_SESSION, *, height: int = 7
) -> Builder[dashboard.Panel]:
    """A table of what fires in a scope, on a board with these variables."""
    since = select("ALERTS_FOR_STATE", scope, OUR_ALERTS)
    promises = ", ".join(f"{each} within {NUMBERS.text(each, 'respond_within')}" for each in PRIORITIES)
    return rows(
        number,
        "Firing alerts, most urgent first",
        f"What fires now, each thing at its most urgent only. To be answered: {promises}. docs/runbooks has "
        "a page for each alert, which a click on its name opens. One on an agent or a session explains that.",
        [
            Label(
                name="priority",
                title="Priority",
                width=105,
                colors={"P1": CRITICAL, "P2": WARNING, "P3": WATCH, "P4": PLAIN},
            ),
            Label(name="alertname", title="Alert", width=230, link=to_runbook()),
            Label(name="agent", title="Agent", link=to_agent(variables)),
            Label(name="session", title="Session", link=to_session(variables)),
            Label(name="server", title="Server", width=100),
            Label(name="instance", title="Host"),
            Figure(
                title="Since",
                expr="1000 * max by (priority, alertname, agent, session, server, instance) (\n"
                f"({firing(scope)})\n* ignoring (alertstate) group_left () {since})",
                unit="dateTimeFromNow",
                width=150,
            ),
        ],
        sort=[("Priority", False)],
        empty="No alert is seen to fire. (Where nobody evaluates the rules, the tile above says so.)",
        height=height,
    )
