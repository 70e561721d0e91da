"""The wall board: one screen that is read from three metres away."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.links import to_leaks, to_servers
from dashboards.marks import remediations, urgent_alerts
from dashboards.panels import linked
from dashboards.queries import SESSION
from dashboards.sections import attention, wall
from dashboards.sections.exporters import blind
from dashboards.sections.schedulers import lost
from dashboards.sections.servers import not_answering


def on_a_wall() -> build.Dashboard:
    """Few large numbers, then names, then what the agents did."""
    width, height = 6, 5
    return board(
        "tmux-wall",
        "tmux wall",
        "For a screen on a wall: who waits, what is urgent, what the agents do. Open it as a kiosk.",
        [
            Section(
                panels=(
                    attention.waiting(1, SESSION, width=width).height(height),
                    linked(lost(2, width=width).height(height), to_leaks()),
                    linked(not_answering(3, width=width).height(height), to_servers()),
                    linked(blind(4, width=width).height(height), to_servers()),
                    wall.names(5),
                    wall.urgent(6),
                    wall.states(7),
                )
            )
        ],
        marks=(urgent_alerts(), remediations()),
    )
