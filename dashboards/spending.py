"""The board of cost and tokens: what agents spend, on what, and until when their quota lasts."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import alerts
from dashboards.queries import OF_AGENT
from dashboards.sections import spending as spent
from dashboards.sections import spending_over_time as over_time
from dashboards.variables import OF_AGENT as VARIABLES


def spending() -> build.Dashboard:
    """Tiles and lists of now, then money, tokens, context, and what idling and leaks cost over time."""
    return board(
        "tmux-spending",
        "tmux cost & tokens",
        "What agents spend: money, tokens, context and quota, by session, agent, model and state.",
        [
            Section(panels=(*spent.glance(), spent.table(11), spent.sessions(12), spent.quotas(13))),
            Section(number=20, title="Money, tokens and context over time", panels=over_time.burn(21)),
            Section(number=40, title="Idling, leaks and quotas over time", panels=over_time.waste(41)),
        ],
        variables=VARIABLES,
        marks=(alerts(OF_AGENT),),
    )
