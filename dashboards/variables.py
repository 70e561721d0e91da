"""The variables of the boards: each offers the values within those before it."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common, dashboard

from dashboards.queries import HOST, SERVER, SESSION, select

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

_ALL = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
_CHAIN = {
    "job": ("Job", "tmux_exporter_build_info", ".+"),
    "instance": ("Host", select("tmux_exporter_build_info", HOST[:1]), ".+"),
    "server": ("tmux server", select("tmux_up", HOST), ".*"),
    # Schedulers of no session have an empty label.
    "session": ("Session", select("tmux_session_info", SERVER), ".*"),
    "agent": ("Agent", select("tmux_agent_info", SESSION), ".*"),
}
"""Label, series that have it, and what All matches; in this order."""

OF_HOST = ("job", "instance")
OF_SERVER = (*OF_HOST, "server")
OF_SESSION = (*OF_SERVER, "session")
OF_AGENT = (*OF_SESSION, "agent")
"""The variables of a board, from the outermost to the innermost that it has."""


def datasource() -> build.DatasourceVariable:
    """The choice of the Prometheus that all panels ask."""
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def choice(label: str) -> build.QueryVariable:
    """The choice of some or all values of a label."""
    title, series, everything = _CHAIN[label]
    query = f"label_values({series}, {label})"
    return (
        build.QueryVariable(label)
        .label(title)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(_ALL)
    )
