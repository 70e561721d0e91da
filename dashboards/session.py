"""The session board: one page that explains one session."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import alerts, remediations
from dashboards.queries import OF_SESSION, SESSION
from dashboards.sections import agents, cost, left_behind, one_session, states


def session() -> build.Dashboard:
    """What needs somebody, what its agents do, what it costs, what it left behind."""
    return board(
        "tmux-session",
        "tmux session",
        "One session: what needs somebody, what its agents do, what it costs, and what it left behind.",
        [
            Section(
                panels=(
                    *one_session.glance(),
                    agents.table(12, SESSION, height=10),
                    states.state_timeline(11, SESSION),
                    *left_behind.lists(62),
                    one_session.panes(51),
                )
            ),
            Section(
                number=10,
                title="$session: agents and scroll-back over time",
                panels=(states.cpu_by_state(13, SESSION), one_session.scroll_back(14)),
            ),
            Section(
                number=30,
                title="$session: what it costs over time",
                panels=cost.panels(cost.SESSIONS),
            ),
            Section(
                number=60,
                title="$session: schedulers and leaks over time",
                panels=left_behind.over_time(61, 64),
            ),
        ],
        marks=(alerts(OF_SESSION), remediations()),
    )
