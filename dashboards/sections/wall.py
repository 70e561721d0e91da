"""For a screen on a wall: what can be read from three metres away, and nothing else."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard

from dashboards.levels import CALM, CRITICAL, WARNING, steps
from dashboards.panels import colored, framed, graph, nothing, target
from dashboards.queries import ALERT, HOST, OUR_ALERTS, SESSION, Query, select
from dashboards.sections.states import COLORS, NO_AGENT

_NAMES = 5
"""More of them would be too small to be read."""


def names(number: int) -> Builder[dashboard.Panel]:
    """Who waits, the longest first."""
    since = select("tmux_agent_waiting_since_timestamp_seconds", SESSION)
    return _names(
        number,
        "Who waits, the longest first",
        "Agents that can do nothing until somebody answers, for what, and how long already.",
        f"time() - max by (instance, server, session, agent, reason) ({since})",
        ("agent", "session", "reason"),
        calm=("nobody waits", select("tmux_exporter_build_info", HOST)),
        color=WARNING,
        empty="no exporter",
    )


def urgent(number: int) -> Builder[dashboard.Panel]:
    """What pages somebody, the longest first."""
    fires = select("ALERTS", ALERT, OUR_ALERTS, 'alertstate="firing"', 'priority=~"P1|P2"')
    since = select("ALERTS_FOR_STATE", ALERT, OUR_ALERTS)
    return _names(
        number,
        "Urgent alerts, the longest first",
        "Alerts with priority P1 or P2, where, and how long they have fired. The fleet board has all.",
        "time() - max by (priority, alertname, instance, server, session, agent) (\n"
        f"{fires} * ignoring (alertstate) group_left () {since})",
        ("priority", "alertname", "session"),
        calm=("none fires", 'ALERTS{alertname="Watchdog", alertstate="firing"}'),
        color=CRITICAL,
        empty="no rules",
    )


def _names(
    number: int,
    title: str,
    description: str,
    seconds: str,
    labels: Sequence[str],
    *,
    calm: tuple[str, str],
    color: str,
    empty: str,
) -> Builder[dashboard.Panel]:
    """The longest by their labels; where there is none, words, if what tells so is there."""
    words, known = calm
    into = labels[0]
    named = ", ".join(f'"{each}"' for each in labels)
    expr = (
        f'sort_desc(label_join(topk({_NAMES}, {seconds}), "{into}", " · ", {named})\n'
        f'or on () label_replace(0 * count({known}), "{into}", "{words}", "", ""))'
    )
    return (
        framed(stat.Panel(), number, title, description, empty)
        .with_target(target(Query(expr=expr, legend=f"{{{{{into}}}}}"), 0).instant())
        .unit("dtdurations")
        .decimals(0)
        .thresholds(colored(steps(CALM, [(0.001, color)])))
        .mappings(
            [
                nothing(empty),
                dashboard.ValueMap(options={"0": dashboard.ValueMappingResult(text=" ", color=CALM)}),
            ]
        )
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(12)
        .height(11)
    )


def states(number: int) -> Builder[dashboard.Panel]:
    """How many agents do what, over time."""
    counted = f"sum by (state) ({select('tmux_agent_state', SESSION)})"
    return graph(
        number,
        "What the agents do",
        "How many agents are in each state.",
        [Query(expr=counted, legend="{{state}}")],
        unit="none",
        empty=NO_AGENT,
        stacked=True,
        colors=COLORS,
        width=24,
    )
