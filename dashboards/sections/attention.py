"""What needs somebody now. Every tile is 0 and green in a calm fleet."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, NUMBERS, PLAIN, UNKNOWN, WARNING, WATCH, none_is_calm
from dashboards.panels import tile
from dashboards.queries import (
    ALERT,
    HOST,
    OUR_ALERTS,
    SERVER,
    SESSION,
    Query,
    firing,
    memory_of_limit,
    or_zero,
    select,
)
from dashboards.sections.check_ins import NOT_KNOWN, in_states, lost
from dashboards.tables import Figure, Label, rows
from tmux_exporter.alerting.thresholds import PRIORITIES

# Only an exporter that was there within a day is one that is down: All jobs are more than ours.
_SEEN = f"last_over_time({select('tmux_exporter_build_info', HOST)}[1d])"


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """Six tiles, then the alerts."""
    return (_urgent(), _not_answering(), _near_limit(), lost(4), _not_known(), _blind(), alerts(7, ALERT))


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
    )


def _not_answering() -> Builder[dashboard.Panel]:
    up, start = select("tmux_up", SERVER), select("tmux_server_start_time_seconds", SERVER)
    refused = select("tmux_server_query_failures_total", SERVER, 'reason=~"denied|untrusted"')
    lately = NUMBERS.text("server_not_answering", "refused_within")
    silent = f"{up} == 0\nand {start}\nunless on (job, instance, server) increase({refused}[{lately}]) > 0"
    return tile(
        2,
        "Servers that hang",
        "tmux servers whose process lives and gives no answer: nobody can attach, no key and no check-in "
        "arrives. One that has ended is not counted, nor one that the exporter may not ask.",
        Query(expr=or_zero(f"count({silent})", up)),
        steps=none_is_calm(CRITICAL),
        empty="no server",
    )


def _near_limit() -> Builder[dashboard.Panel]:
    level = NUMBERS.number("agent_memory", "warning")
    return tile(
        3,
        "Agents near limit",
        f"Agents that use more than {level:.0%} of the memory that they may use, swap included. The limit is "
        "the lowest of the configuration, the cgroup and the host. The table of agents shows which.",
        Query(
            expr=or_zero(
                f"count({memory_of_limit(SESSION)} > {level:g})", select("tmux_exporter_build_info", HOST)
            )
        ),
        steps=none_is_calm(WARNING),
        empty="no exporter",
    )


def _not_known() -> Builder[dashboard.Panel]:
    return tile(
        5,
        "Unknown check-ins",
        "Pending check-ins of which nobody can say whether they will arrive: their server does not answer, "
        "or their target is only known when they run.",
        Query(expr=f"sum({in_states(NOT_KNOWN)})"),
        steps=none_is_calm(UNKNOWN),
        empty="no exporter",
    )


def _blind() -> Builder[dashboard.Panel]:
    late = NUMBERS.number("exporter_stale", "intervals")
    up, last = select("up", HOST), select("tmux_exporter_last_sample_timestamp_seconds", HOST)
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    down = f"{up} == 0 and on (job, instance) {_SEEN}"
    stale = f"time() - {last} > {late:g} * {interval}"
    return tile(
        6,
        "Blind hosts",
        "Hosts of which nothing new is known: Prometheus gets no answer from an exporter that was there "
        f"within the last day, or its last sample is older than {late:g} sampling intervals. Everything else "
        "here is old for them, or missing.",
        Query(expr=or_zero(f"count(({down})\nor ({stale}))", _SEEN)),
        steps=none_is_calm(CRITICAL),
        empty="no exporter",
    )


def alerts(number: int, scope: tuple[str, ...], *, height: int = 7) -> Builder[dashboard.Panel]:
    """A table of what fires in a scope."""
    since = select("ALERTS_FOR_STATE", scope, OUR_ALERTS)
    promises = ", ".join(f"{each} within {NUMBERS.text(each, 'respond_within')}" for each in PRIORITIES)
    return rows(
        number,
        "Firing alerts, most urgent first",
        f"What fires now, each thing at its most urgent only. To be answered: {promises}. docs/runbooks has "
        "a page for each alert.",
        [
            Label(
                name="priority",
                title="Priority",
                width=105,
                colors={"P1": CRITICAL, "P2": WARNING, "P3": WATCH, "P4": PLAIN},
            ),
            Label(name="alertname", title="Alert", width=230),
            Label(name="agent", title="Agent"),
            Label(name="session", title="Session"),
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
        empty="No alert fires. (Where nobody evaluates the rules, the tile Urgent alerts says so.)",
        height=height,
    )
