"""Links that keep the time range and the variables."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard

from dashboards.variables import OF_SESSION
from tmux_exporter.alerting.base.scope import RUNBOOKS

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


def to_host(variables: Sequence[str] = OF_SESSION) -> dict[str, object]:
    """From a row with the column Host to the fleet board of that host."""
    return drill_down("Only this host", "tmux-fleet", {"instance": "Host"}, variables)


def to_session(variables: Sequence[str] = OF_SESSION) -> dict[str, object]:
    """From a row with the columns Host, Server and Session to the board that explains that session."""
    fields = {"instance": "Host", "server": "Server", "session": "Session"}
    return drill_down("Explain this session", "tmux-session", fields, variables)


def to_agent(variables: Sequence[str] = OF_SESSION) -> dict[str, object]:
    """From a row with the columns Host, Server, Session and Agent to the board that explains that agent."""
    fields = {"instance": "Host", "server": "Server", "session": "Session", "agent": "Agent"}
    return drill_down("Explain this agent", "tmux-agent", fields, variables)


def to_leaks() -> dict[str, object]:
    """To the board of leaks and schedulers, with all that is chosen."""
    return drill_down("Which, and what is done about them", "tmux-leaks", {})


def to_servers() -> dict[str, object]:
    """To the board of tmux servers and exporters, with all of what is chosen that it has."""
    return drill_down("Which, and since when", "tmux-servers", {})


def to_runbook() -> dict[str, object]:
    """From the name of an alert to the page that says what to do."""
    return {"title": "Runbook", "url": f"{RUNBOOKS}/${{__value.raw}}.md", "targetBlank": True}


def drill_down(
    title: str, board: str, fields: Mapping[str, str], variables: Sequence[str] = OF_SESSION
) -> dict[str, object]:
    """A link of a table's cell to a board, with variables set from other columns of its row.

    `fields` maps a variable to the title of a column; those of `variables`, which are all that the board with
    the table has, that are not in it stay as they are.
    """
    kept = [f"${{{name}:queryparam}}" for name in ("datasource", *variables) if name not in fields]
    chosen = [f'var-{name}=${{__data.fields["{column}"]:percentencode}}' for name, column in fields.items()]
    url = "&".join(("${__url_time_range}", *kept, *chosen))
    return {"title": title, "url": f"/d/{board}?{url}"}
