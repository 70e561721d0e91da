"""The fleet board: what needs somebody now, what everything costs, and can the figures be trusted."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import remediations, urgent_alerts
from dashboards.queries import SESSION
from dashboards.sections import agents, attention, hosts, left_behind, operations, servers, sessions
from dashboards.tables import HALF
from dashboards.variables import OF_SESSION


def fleet() -> build.Dashboard:
    """Trouble first, then the lists to click in, then each over time."""
    return board(
        "tmux-fleet",
        "tmux fleet",
        "Coding agents in tmux: what needs somebody now, and what every session and agent costs.",
        [
            Section(
                panels=(
                    *attention.panels(),
                    agents.table(31, SESSION, height=17),
                    sessions.table(21),
                    hosts.table(81, OF_SESSION, width=HALF, height=7),
                    servers.table(41, OF_SESSION, width=HALF, height=7),
                )
            ),
            Section(number=20, title="Sessions over time", panels=sessions.graphs(22)),
            Section(number=60, title="Schedulers and leaks over time", panels=left_behind.over_time(61, 64)),
            Section(
                number=90,
                title="Operations over time",
                panels=(operations.per_minute(91), operations.latency(92)),
            ),
        ],
        marks=(urgent_alerts(), remediations()),
    )
