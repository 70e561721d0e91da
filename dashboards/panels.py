"""The shapes of panel that the boards are made of. Each has a description, and words for when it is empty."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common, dashboard

from dashboards.levels import CRITICAL, UNKNOWN, Steps
from dashboards.queries import Query
from dashboards.variables import DATASOURCE


class _Builder(Protocol):
    """What the builders of all panels can do."""

    def id(self, id_val: int) -> Self: ...
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: common.DataSourceRef) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...


NAME_PATTERN = (r"^(.+?) · (?:default · )?(.+?)(?::\d+)?$", "$1 · $2")
"""Takes the usual server and the exporter's port out of `session · server · host:port`."""

HOST_PATTERN = (r"^(.+?)(?::\d+)?$", "$1")
"""Takes the exporter's port out of `host:port`."""

GAP_MILLISECONDS = 150_000
"""A server that hangs is asked once a minute; what is missing for longer is missing."""

TILE_HEIGHT = 3
"""The least that leaves room for a number that can be read from across the room."""

FINEST = "15s"
"""Least step of a graph: rates over less show single events of a counter as a comb."""

Texts = Mapping[str, tuple[str, str]]
"""By value, the word that is shown for it, and its colour."""

Panel = TypeVar("Panel", bound=_Builder)


def framed(panel: Panel, number: int, title: str, description: str, empty: str) -> Panel:
    """Give a panel what every panel has. `empty` is what it says when there is nothing to show."""
    return panel.id(number).title(title).description(description).datasource(DATASOURCE).no_value(empty)


def target(query: Query, place: int) -> prometheus.Dataquery:
    """A query as the panel's A, B, C …"""
    return (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .ref_id(ascii_uppercase[place])
        .expr(query.expr)
        .legend_format(query.legend)
    )


def colored(steps: Steps) -> build.ThresholdsConfig:
    """Absolute thresholds."""
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def tile(
    number: int,
    title: str,
    description: str,
    query: Query,
    *,
    steps: Steps,
    empty: str,
    unit: str = "none",
    decimals: int | None = 0,
    texts: Texts | None = None,
    below: tuple[float, str, str] | None = None,
    width: int = 4,
) -> stat.Panel:
    """One number, or a word for it, on a coloured ground: to be read from across the room.

    `below` is a number, and the word and colour for all that is smaller. Without `decimals` there are as many
    as the number needs.
    """
    panel = (
        framed(stat.Panel(), number, title, description, empty)
        .with_target(target(query, 0).instant())
        .unit(unit)
        .thresholds(colored(steps))
        .mappings(
            [
                nothing(empty),
                *([worded(texts)] if texts else []),
                *([_smaller(*below)] if below else []),
            ]
        )
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(width)
        .height(TILE_HEIGHT)
    )
    return panel if decimals is None else panel.decimals(decimals)


def linked(panel: stat.Panel, link: Mapping[str, object]) -> stat.Panel:
    """A tile that opens something when it is clicked."""
    return panel.override_by_regexp(".*", [dashboard.DynamicConfigValue(id_val="links", value=[link])])


def timeline(
    number: int,
    title: str,
    description: str,
    query: Query,
    *,
    texts: Texts,
    empty: str,
    height: int,
    width: int = 24,
) -> statetimeline.Panel:
    """One band for each thing, in the colour of the state that it was in."""
    return (
        framed(statetimeline.Panel(), number, title, description, empty)
        .with_target(target(query, 0).range())
        .unit("none")
        .mappings([worded(texts)])
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(75)
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
        .legend(_legend())
        .span(width)
        .height(height)
    )


def graph(
    number: int,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    empty: str,
    stacked: bool = False,
    rename: tuple[str, str] | None = None,
    limit: str = "",
    logarithmic: bool = False,
    colors: Mapping[str, str] | None = None,
    shades: str = "",
    steps: Steps | None = None,
    top: float | None = None,
    lowest: float | None = 0,
    soft_top: float | None = None,
    events: bool = False,
    width: int = 12,
) -> timeseries.Panel:
    """Lines over time, or areas on top of each other where their sum means something.

    `rename` is a pattern and what replaces it in the names of the series. The series named `limit` is the
    dashed line that the others should not reach, and so are `steps`, each in its colour. `colors` are for
    series whose names mean something, `shades` is one colour for all, lighter and darker. `lowest` and `top`
    are where the axis ends, `soft_top` where it ends at least. `events` are bars: they happen now and then,
    and a line would draw them where none was.
    """
    panel = (
        framed(timeseries.Panel(), number, title, description, empty)
        .targets([target(query, place).range() for place, query in enumerate(queries)])
        .unit(unit)
        .interval(FINEST)
        .color_scheme(_palette(shades))
        .line_width(1)
        .fill_opacity(30 if stacked else 0)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(GAP_MILLISECONDS)
        .tooltip(
            build_common.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(_legend())
        .span(width)
        .height(8)
    )
    if events:
        panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).span_nulls(False)
    if steps:
        panel.thresholds(colored(steps)).thresholds_style(
            build_common.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    if top is not None:
        panel.max(top)
    if soft_top is not None:
        panel.axis_soft_max(soft_top)
    if logarithmic:
        panel.scale_distribution(
            build_common.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)
        )
    elif lowest is not None:
        panel.min(lowest)
    if stacked:
        panel.stacking(build_common.StackingConfig().mode(common.StackingMode.NORMAL))
    if rename:
        panel.with_transformation(_renamed(rename))
    for name, color in (colors or {}).items():
        panel.override_by_name(name, [_fixed(color)])
    if limit:
        panel.override_by_name(
            limit,
            [
                _fixed(CRITICAL),
                dashboard.DynamicConfigValue(
                    id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]}
                ),
                dashboard.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
            ],
        )
    return panel


def worded(texts: Texts) -> dashboard.ValueMap:
    """Words in colours instead of numbers."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(texts.items(), 1)
        }
    )


def _smaller(limit: float, text: str, color: str) -> dashboard.RangeMap:
    return dashboard.RangeMap(
        options=dashboard.DashboardRangeMapOptions(
            from_val=None,
            to=limit,
            result=dashboard.ValueMappingResult(text=text, color=color, index=1),
        )
    )


def _legend() -> build_common.VizLegendOptions:
    return (
        build_common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )


def _renamed(rename: tuple[str, str]) -> dashboard.DataTransformerConfig:
    pattern, replacement = rename
    return dashboard.DataTransformerConfig(
        id_val="renameByRegex", options={"regex": pattern, "renamePattern": replacement}
    )


def nothing(words: str) -> dashboard.SpecialValueMap:
    """Words in the colour of what is not known; without this no value looks as calm as 0."""
    return dashboard.SpecialValueMap(
        options=dashboard.DashboardSpecialValueMapOptions(
            match=dashboard.SpecialValueMatch.NULL_AND_NAN,
            result=dashboard.ValueMappingResult(text=words, color=UNKNOWN, index=0),
        )
    )


def _palette(shades: str) -> build.FieldColor:
    if shades:
        return build.FieldColor().mode(dashboard.FieldColorModeId.SHADES).fixed_color(shades)
    return build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC)


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})
