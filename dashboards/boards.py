"""Every board, by the name of its file."""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.agent import agent
from dashboards.fleet import fleet
from dashboards.leaks import leaks
from dashboards.servers import tmux_servers
from dashboards.session import session
from dashboards.slo import service_levels
from dashboards.spending import spending
from dashboards.wall import on_a_wall

BOARDS: Mapping[str, Callable[[], build.Dashboard]] = {
    "fleet": fleet,
    "wall": on_a_wall,
    "session": session,
    "agent": agent,
    "leaks": leaks,
    "spending": spending,
    "slo": service_levels,
    "servers": tmux_servers,
}
