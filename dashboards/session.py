"""The session board: one page that explains one session."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import alerts, remediations
from dashboards.queries import OF_SESSION, SESSION
from dashboards.sections import agents, check_ins, cost, leaks, one_session, states


def session() -> build.Dashboard:
    """What needs somebody, what its agents do, what it costs, what it left behind."""
    return board(
        "tmux-session",
        "tmux session",
        "One session: what needs somebody, what its agents do, what it costs, and what it left behind.",
        [
            Section(panels=one_session.glance()),
            Section(
                number=10,
                title="$session: agents",
                panels=(
                    states.state_timeline(11, SESSION),
                    agents.table(12, SESSION, height=8),
                    states.cpu_by_state(13, SESSION),
                    one_session.scroll_back(14),
                ),
            ),
            Section(number=30, title="$session: what it costs", panels=cost.panels(cost.SESSIONS)),
            Section(number=50, title="$session: panes", panels=(one_session.panes(51),)),
            Section(
                number=60,
                title="$session: check-ins and leaks",
                panels=(
                    check_ins.states(61, width=10),
                    check_ins.table(62, width=14, height=8),
                    leaks.table(63),
                ),
            ),
        ],
        marks=(alerts(OF_SESSION), remediations()),
    )
