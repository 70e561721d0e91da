"""What all boards have in common: variables, links, annotations, time range, and how they become JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.links import TAG, all_boards
from dashboards.variables import OF_SESSION, choice, datasource


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Panels from left to right and from top to bottom, below a line with a title where there is one."""

    panels: Sequence[Builder[dashboard.Panel]]
    title: str = ""
    number: int = 0


def board(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    variables: Sequence[str] = OF_SESSION,
    marks: Sequence[Builder[dashboard.AnnotationQuery]] = (),
) -> build.Dashboard:
    """A board of these sections, with these variables. `marks` are what is shown in all its graphs."""
    made = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .link(all_boards())
        .annotations(list(marks))
        .variables([datasource(), *(choice(label) for label in variables)])
    )
    for section in sections:
        if section.title:
            made.with_row(build.Row(section.title).id(section.number))
        for panel in section.panels:
            made.with_panel(panel)
    return made


def as_json(made: build.Dashboard) -> str:
    """The board as Grafana imports it."""
    data = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    # The SDK moves links and annotations into a menu that only the newest Grafana has, and gives tables a
    # footer in a place where Grafana no longer looks.
    for each in (*data["links"], *data["annotations"]["list"]):
        each.pop("placement", None)
    for panel in data["panels"]:
        panel.get("options", {}).pop("footer", None)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
