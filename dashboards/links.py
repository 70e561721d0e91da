"""Links that keep the time range and the variables."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard

from dashboards.variables import NAMES

TAG = "tmux-exporter"


def all_boards() -> build.DashboardLink:
    """The menu of all boards with our tag."""
    return (
        build.DashboardLink("tmux boards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .icon("external link")
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def only_session() -> dict[str, object]:
    """From a row with the columns Host, Server and Session to the fleet board of only that session."""
    fields = {"instance": "Host", "server": "Server", "session": "Session"}
    return drill_down("Only this session", "tmux-fleet", fields)


def drill_down(title: str, board: str, fields: Mapping[str, str]) -> dict[str, object]:
    """A link of a table's cell to a board, with variables set from other columns of its row.

    `fields` maps a variable to the title of a column; the variables that are not in it stay as they are.
    """
    kept = [f"${{{name}:queryparam}}" for name in NAMES if name not in fields]
    chosen = [f'var-{name}=${{__data.fields["{column}"]:percentencode}}' for name, column in fields.items()]
    url = "&".join(("${__url_time_range}", *kept, *chosen))
    return {"title": title, "url": f"/d/{board}?{url}"}
