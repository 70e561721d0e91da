"""Tables: one row for each thing, one query for each column that is a figure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.levels import PLAIN, Steps
from dashboards.panels import framed, target
from dashboards.queries import Query

NOTHING = "–"
"""A cell that has no value."""

WHOLE = 24
HALF = 12
"""Widths of a table: all of the board's, and two side by side, which have room for half the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A column that names: the values of a label. `link` is what a click on it opens."""

    name: str
    title: str
    width: int = 0
    link: Mapping[str, object] | None = None
    colors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A column of figures: one instant query, whose series have the labels of the table's rows.

    With `bar` the figure is drawn, from 0 to `top`, else to the largest of its column. `steps` colour it, or
    `heat` does, from blue for 0 to red for the top. `texts` shows a value as a word in a colour, `below`
    all that is smaller than a number. A `hidden` column only brings the labels of its series along.
    """

    title: str
    expr: str
    unit: str = "none"
    decimals: int | None = None
    width: int = 0
    bar: bool = False
    top: float | None = None
    steps: Steps | None = None
    heat: bool = False
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    below: tuple[float, str, str] | None = None
    hidden: bool = False


Column = Label | Figure


def rows(
    number: int,
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    sort: Sequence[tuple[str, bool]],
    empty: str,
    height: int,
    width: int = WHOLE,
    only_whole: Collection[str] = (),
) -> table.Panel:
    """A table with its columns in this order. `sort` names columns, with True for the largest first.

    The columns titled `only_whole` are left out where the table has not the whole width.
    """
    if width < WHOLE:
        columns = [column for column in columns if column.title not in only_whole]
    figures = [column for column in columns if isinstance(column, Figure)]
    panel = (
        framed(table.Panel(), number, title, description, empty)
        .targets(
            [
                target(Query(expr=figure.expr), place).instant().format(PromQueryFormat.TABLE)
                for place, figure in enumerate(figures)
            ]
        )
        .transformations([_transformation("merge", {}), _transformation("organize", _order(columns))])
        .unit("none")
        .min_width(90)
        .sort_by(
            [
                build_common.TableSortByFieldState().display_name(name).desc(descending)
                for name, descending in sort
            ]
        )
        .cell_height(common.TableCellHeight.SM)
        .span(width)
        .height(height)
    )
    for column in columns:
        properties = _label(column) if isinstance(column, Label) else _figure(column)
        panel.override_by_name(
            column.title,
            [dashboard.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()],
        )
    return panel


def _transformation(name: str, options: Mapping[str, object]) -> dashboard.DataTransformerConfig:
    return dashboard.DataTransformerConfig(id_val=name, options=options)


def _order(columns: Sequence[Column]) -> dict[str, object]:
    """Names, order and visibility. Grafana names the values of queries `Value #A`, of a lone one `Value`."""
    letters = iter(ascii_uppercase)
    index: dict[str, int] = {}
    rename: dict[str, str] = {}
    hidden = {"Time": True}
    for place, column in enumerate(columns):
        if isinstance(column, Label):
            name = column.name
        else:
            name = f"Value #{next(letters)}"
            hidden |= {name: True} if column.hidden else {}
        index[name] = place
        rename[name] = column.title
    if "Value #B" not in index:
        rename["Value"] = rename["Value #A"]
        index["Value"] = index["Value #A"]
    return {"indexByName": index, "renameByName": rename, "excludeByName": hidden}


def _label(column: Label) -> dict[str, object]:
    properties: dict[str, object] = {"noValue": NOTHING}
    if column.width:
        properties["custom.width"] = column.width
    if column.link:
        properties["links"] = [column.link]
    if column.colors:
        properties["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
        properties["mappings"] = [
            {
                "type": "value",
                "options": {
                    text: {"color": color, "index": index, "text": text}
                    for index, (text, color) in enumerate(column.colors.items())
                },
            }
        ]
    return properties


def _figure(column: Figure) -> dict[str, object]:
    properties: dict[str, object] = {"unit": column.unit, "noValue": NOTHING, "custom.align": "right"}
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.width:
        properties["custom.width"] = column.width
    if column.steps:
        properties["thresholds"] = {"mode": "absolute", "steps": column.steps}
        properties["color"] = {"mode": "thresholds"}
    elif column.heat:
        properties["color"] = {"mode": "continuous-BlYlRd"}
    elif column.bar:
        properties["color"] = {"mode": "fixed", "fixedColor": PLAIN}
    if column.bar:
        properties["custom.cellOptions"] = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        properties["min"] = 0
        properties |= {"fieldMinMax": True} if column.top is None else {"max": column.top}
    elif column.steps or column.texts:
        properties["custom.cellOptions"] = {"type": "color-text"}
    if mappings := _mappings(column):
        properties["mappings"] = mappings
    return properties


def _mappings(column: Figure) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if column.texts:
        values = {
            value: {"text": text, "color": color, "index": index}
            for index, (value, (text, color)) in enumerate(column.texts.items())
        }
        found.append({"type": "value", "options": values})
    if column.below:
        limit, text, color = column.below
        result = {"text": text, "color": color, "index": len(column.texts)}
        found.append({"type": "range", "options": {"from": None, "to": limit, "result": result}})
    return found
