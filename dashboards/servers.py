"""The board of tmux servers and exporters: do they answer, and can the figures be trusted?"""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import urgent_alerts
from dashboards.queries import ALERT
from dashboards.sections import exporters, hosts, servers
from dashboards.variables import OF_SERVER


def tmux_servers() -> build.Dashboard:
    """Lists of what there is now, then each over time: from the servers that people wait for to the hosts."""
    return board(
        "tmux-servers",
        "tmux servers and exporter health",
        "Do the tmux servers answer, how old and how whole are the figures of the exporters, and how full "
        "are the hosts?",
        [
            Section(
                panels=(
                    servers.not_answering(1),
                    servers.slowest(2),
                    servers.fullest(3),
                    exporters.blind(4),
                    exporters.unreadable(5),
                    exporters.lost(6),
                )
            ),
            Section(
                panels=(
                    servers.table(11, OF_SERVER, height=6),
                    exporters.table(31),
                    hosts.table(51, OF_SERVER),
                )
            ),
            Section(number=10, title="tmux servers over time", panels=servers.graphs(12)),
            Section(
                number=30,
                title="Exporters over time: how old and how whole these figures are",
                panels=exporters.graphs(32),
            ),
            Section(number=50, title="Hosts over time", panels=hosts.graphs(52)),
        ],
        variables=OF_SERVER,
        marks=(urgent_alerts(ALERT[:3]),),
    )
