"""What is marked in the graphs of a board: alerts while they fire, and what the remediator did."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.levels import CRITICAL, PLAIN
from dashboards.queries import ALERT, HOST, OUR_ALERTS, select
from dashboards.variables import DATASOURCE


def urgent_alerts(scope: tuple[str, ...] = ALERT) -> build.AnnotationQuery:
    """Alerts that somebody has to answer within minutes."""
    return _alerts(
        "Urgent alerts", select("ALERTS", scope, OUR_ALERTS, 'alertstate="firing"', 'priority=~"P1|P2"')
    )


def alerts(scope: tuple[str, ...]) -> build.AnnotationQuery:
    """All alerts, for a board about few things."""
    return _alerts("Alerts", select("ALERTS", scope, OUR_ALERTS, 'alertstate="firing"', 'priority=~"P.+"'))


def remediations() -> build.AnnotationQuery:
    """What the remediator did, and what it would have done where it only observes."""
    acted = select("tmux_remediator_actions_total", HOST)
    return (
        build.AnnotationQuery()
        .name("Remediator")
        .datasource(DATASOURCE)
        .icon_color(PLAIN)
        .expr(f"sum by (instance, policy, action, outcome) (increase({acted}[$__rate_interval])) > 0")
        .title_format("Remediator: {{action}}, {{outcome}}")
        .text_format("{{policy}} on {{instance}}")
    )


def _alerts(name: str, expr: str) -> build.AnnotationQuery:
    return (
        build.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .icon_color(CRITICAL)
        .expr(expr)
        .title_format("{{priority}} {{alertname}}")
        .text_format("{{instance}} {{server}} {{session}} {{agent}}")
    )
