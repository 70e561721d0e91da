"""The fleet board: what needs somebody now, what everything costs, and can the figures be trusted."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import remediations, urgent_alerts
from dashboards.queries import SESSION
from dashboards.sections import agents, attention, check_ins, hosts, leaks, operations, servers, sessions
from dashboards.variables import OF_SESSION


def fleet() -> build.Dashboard:
    """The whole board, from trouble at the top to what carries it all at the bottom."""
    return board(
        "tmux-fleet",
        "tmux fleet",
        "Coding agents in tmux: what needs somebody now, and what every session and agent costs.",
        [
            Section(panels=attention.panels()),
            Section(number=30, title="Agents", panels=(agents.table(31, SESSION, height=9),)),
            Section(number=80, title="Hosts", panels=(hosts.table(81, OF_SESSION),)),
            Section(number=20, title="Sessions", panels=sessions.panels()),
            Section(
                number=60,
                title="Check-ins and leaks",
                panels=(
                    check_ins.states(61, width=10),
                    check_ins.table(62, width=14, height=8),
                    leaks.table(63),
                ),
            ),
            Section(
                number=90, title="Operations", panels=(operations.per_minute(91), operations.latency(92))
            ),
            Section(number=40, title="tmux servers", panels=(servers.table(41, OF_SESSION),)),
        ],
        marks=(urgent_alerts(), remediations()),
    )
