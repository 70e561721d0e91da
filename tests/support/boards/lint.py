"""What is wrong with a Grafana board: the rules of Grafana's dashboard-linter that apply, and ours.

https://github.com/grafana/dashboard-linter/tree/main/docs/rules
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple, cast

import promql_parser as promql

from tests.support.alerts.promql import named_labels, nodes, selected
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.rules import all_rules
from tmux_exporter.metrics.catalogue import BY_NAME
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

Json = dict[str, Any]

MACROS = {"$__rate_interval": "1m", "$__range": "1h", "$__interval": "15s"}
OF_EVERY_TARGET = ("job", "instance")
_ALERT = ("alertname", "alertstate", "severity", "priority", "threshold", "server", "session", "agent")
BEYOND_THE_CATALOGUE = {"up": (), "scrape_samples_scraped": (), "ALERTS": _ALERT, "ALERTS_FOR_STATE": _ALERT}
OF_ANY_JOB = {'ALERTS{alertname="Watchdog", alertstate="firing"}'}
"""Selectors that rightly have no job and no instance: the Watchdog is about no target."""

LAST_ROW_OF_A_TABLE = 44
"""Of the grid, from 0; a row is 38 pixels. A list to click in belongs on the first two screens, with room for
fifteen agents in it. Grafana draws a table only where it is on the screen or near: in a picture of the whole
page one further down is blank."""

_NO_DATA = ("row", "text")
_OVER_TIME = ("timeseries", "state-timeline")
_VARIABLE = re.compile(r"\$\{?(\w+)")


class Target(NamedTuple):
    """A query of a panel, with the panel."""

    panel: Json
    expr: str
    legend: str
    instant: bool

    @property
    def place(self) -> str:
        return f"panel {self.panel.get('id')}"


def panels(board: Json) -> list[Json]:
    """All panels that show data."""
    return [panel for panel in board["panels"] if panel["type"] not in _NO_DATA]


def targets(board: Json) -> list[Target]:
    """All queries of all panels."""
    return [
        Target(panel, each["expr"], each.get("legendFormat", ""), each.get("instant", False))
        for panel in panels(board)
        for each in panel["targets"]
    ]


def variables(board: Json) -> dict[str, Json]:
    """The variables by name."""
    return {each["name"]: each for each in board["templating"]["list"]}


def without_macros(expr: str) -> str:
    """PromQL, as far as the macros of Grafana go; variables in strings are valid PromQL."""
    for macro, text in MACROS.items():
        expr = re.sub(re.escape(macro) + r"\b", text, expr)
    return expr


def problems(board: Json) -> list[str]:
    """Everything that is wrong."""
    return [
        *_board(board),
        *_variables(board),
        *(found for panel in panels(board) for found in _panel(panel)),
        *_layout(board),
        *(f"{each.place}: {found}" for each in targets(board) for found in _target(each)),
        *(f"annotation: {found}" for each in board["annotations"]["list"] for found in query(each["expr"])),
    ]


def _board(board: Json) -> Iterator[str]:
    if not re.fullmatch(r"tmux-[a-z-]{1,35}", board.get("uid", "")):
        yield "uid is not a stable tmux-…"
    if board.get("tags") != ["tmux-exporter"]:
        yield "tag is missing"
    if board.get("editable", True):
        yield "editable: what is changed in Grafana is lost with the next file"
    if board.get("schemaVersion", 0) < 36 or board.get("id") is not None:
        yield "not the form that is imported"
    if not board.get("refresh") or not board["time"]["from"].startswith("now-"):
        yield "no refresh or no relative time range"
    for link in board["links"]:
        if not (link["includeVars"] and link["keepTime"]):
            yield f"link {link['title']} loses variables or time"


def _variables(board: Json) -> Iterator[str]:
    known = variables(board)
    source = known.get("datasource", {})
    if (source.get("type"), source.get("query")) != ("datasource", "prometheus"):
        yield "no variable for the data source"
    for name in OF_EVERY_TARGET:
        if known.get(name, {}).get("allValue") != ".+":
            yield f"no variable {name} with an All that matches every value"
    text = str({key: value for key, value in board.items() if key != "templating"})
    queries = " ".join(definition(each) for each in known.values() if each["type"] == "query")
    used = set(_VARIABLE.findall(f"{text} {queries}"))
    for name in sorted(used - {*known}):
        if not name.startswith("__") and not name.isdecimal():
            yield f"variable {name} is used and not there"
    for name, variable in known.items():
        if name not in used:
            yield f"variable {name} is never used"
        if variable["type"] != "query":
            continue
        if not (variable["multi"] and variable["includeAll"]):
            yield f"variable {name} is not for several values and All"
        if variable["refresh"] != 2:
            yield f"variable {name} does not follow the time range"
        if variable["datasource"]["uid"] != "${datasource}":
            yield f"variable {name} asks another data source"
        series, label = label_values(variable)
        if label not in _labels(selected(series)[0].name):
            yield f"variable {name}: no label {label}"
        # A variable offers what is left by those before it, so the first has no matchers.
        yield from (f"variable {name}: {found}" for found in query(series, scoped=False))


def definition(variable: Json) -> str:
    """The query of a variable."""
    return str(variable["query"]["query"])


def label_values(variable: Json) -> tuple[str, str]:
    """Series and label of a variable's query."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", definition(variable))
    assert match, variable["name"]
    return match[1], match[2]


def _panel(panel: Json) -> Iterator[str]:
    place = f"panel {panel.get('id')}"
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    for key in ("title", "description"):
        if not panel.get(key):
            yield f"{place}: no {key}"
    for key in ("unit", "noValue"):
        if not defaults.get(key):
            yield f"{place}: no {key}"
    for each in (panel, *panel["targets"]):
        if each.get("datasource", {}).get("uid") != "${datasource}":
            yield f"{place}: another data source"
    if len({each["refId"] for each in panel["targets"]}) < len(panel["targets"]):
        yield f"{place}: a refId is there twice"
    if panel["type"] in _OVER_TIME and not panel["options"]["legend"]["showLegend"]:
        yield f"{place}: no legend"
    if panel["type"] == "stat":
        calm = defaults["thresholds"]["steps"][0]["color"]
        nothing = [
            each["options"]["result"]
            for each in defaults.get("mappings", ())
            if each["type"] == "special" and each["options"]["match"] == "null+nan"
        ]
        if [each["text"] for each in nothing] != [defaults.get("noValue")] or nothing[0]["color"] == calm:
            yield f"{place}: no value looks like the lowest one"


def _layout(board: Json) -> Iterator[str]:
    every = board["panels"]
    ids = [panel.get("id") for panel in every]
    if len(set(ids)) < len(ids) or not all(isinstance(each, int) and each > 0 for each in ids):
        yield "panel ids are missing or not unique"
    for panel in every:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            yield f"panel {panel['id']}: beyond the right edge"
        if panel["type"] == "table" and at["y"] > LAST_ROW_OF_A_TABLE:
            yield f"panel {panel['id']}: a table below the first screens"
    for one, other in combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] >= b["x"] + b["w"] or b["x"] >= a["x"] + a["w"]
        if not apart and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield f"panels {one['id']} and {other['id']} overlap"


def _target(target: Target) -> Iterator[str]:
    yield from query(target.expr)
    over_time = target.panel["type"] in _OVER_TIME
    if target.instant is over_time:
        yield "instant for a graph, or a range for a single value"
    if over_time and not target.legend:
        yield "no legend"
    try:
        labels = {label for each in selected(without_macros(target.expr)) for label in _labels(each.name)}
    except ValueError:
        return
    for label in re.findall(r"{{(\w+)}}", target.legend):
        if label not in labels:
            yield f"legend: no label {label}"


def query(expr: str, *, scoped: bool = True) -> Iterator[str]:
    """What is wrong with one expression; `scoped` ones must follow the variables job and instance."""
    text = without_macros(expr)
    try:
        found = selected(text)
    except ValueError as error:
        yield f"no PromQL: {error}"
        return
    for name, matchers in found:
        labels = _labels(name)
        if not labels:
            yield f"no built metric {name}"
            continue
        wanted = {
            (label, "=~", f"${label}{'|' if name.startswith('ALERTS') else ''}") for label in OF_EVERY_TARGET
        }
        inner = ", ".join(f'{label}{operator}"{value}"' for label, operator, value in matchers)
        written = f"{name}{{{inner}}}"
        wanted = {each for each in wanted if each[0] in labels}
        if scoped and not wanted <= set(matchers) and written not in OF_ANY_JOB:
            yield f"{name} does not follow job and instance"
        for label, operator, value in matchers:
            yield from _matcher(name, label, operator, value, labels)
    all_labels = {label for name, _ in found for label in _labels(name)}
    yield from (f"no label {label}" for label in sorted(named_labels(text) - all_labels))
    yield from _functions(expr, text)


def _matcher(name: str, label: str, operator: str, value: str, labels: set[str]) -> Iterator[str]:
    if label not in labels:
        yield f"{name} has no label {label}"
        return
    closed = BY_NAME[name].closed.get(label) if name in BY_NAME else None
    values = value.split("|") if operator in ("=~", "!~") else [value]
    if closed is not None:
        yield from (f"{name} has no {label} {each}" for each in values if each not in closed)


def _functions(expr: str, text: str) -> Iterator[str]:
    """Counters only as their increase, and only counters; a rate follows the time range."""
    rated = set()
    for node in nodes(text):
        if isinstance(node, promql.Call) and node.func.name in ("rate", "irate", "increase"):
            (matrix,) = node.args
            rated.add(matrix.vector_selector.name)
            if not _is_counter(matrix.vector_selector.name):
                yield f"{node.func.name} of {matrix.vector_selector.name}, which is no counter"
    for name, _ in selected(text):
        if _is_counter(name) and name not in rated:
            yield f"{name} is a counter and shown as it is"
    for function, window in re.findall(r"\b(i?rate)\([^\[]*\[([^\]]+)\]", expr):
        if window not in ("$__rate_interval", "$__range"):
            yield f"{function} over {window}"


@cache
def recorded() -> dict[str, set[str]]:
    """What the rules record, and at most which labels it has. One reads only what is recorded before it."""
    found: dict[str, set[str]] = {}
    for rule in all_rules(Scope(thresholds=thresholds.load())):
        if "record" in rule:
            made, extra = str(rule["record"]), set(cast("dict[str, str]", rule.get("labels", {})))
            used = [
                found.get(each.name) or _labels_of_built(each.name) for each in selected(str(rule["expr"]))
            ]
            found.setdefault(made, set()).update(*used, extra)
    return found


def _is_counter(name: str) -> bool:
    spec = _spec(name)
    return spec is not None and (spec.kind is MetricType.COUNTER or spec.kind is MetricType.HISTOGRAM)


def _spec(name: str) -> Spec | None:
    """The built family that a series belongs to; a histogram has series only under its parts."""
    family, _, part = name.rpartition("_")
    if part in ("bucket", "sum", "count") and family in BY_NAME:
        spec = BY_NAME[family]
        return spec if spec.kind is MetricType.HISTOGRAM and spec.status is FamilyStatus.BUILT else None
    found = BY_NAME.get(name)
    if found is None or found.kind is MetricType.HISTOGRAM or found.status is not FamilyStatus.BUILT:
        return None
    return found


def _labels(name: str) -> set[str]:
    """The labels that a series has in Prometheus; none where there is no such series."""
    return recorded().get(name) or _labels_of_built(name)


def _labels_of_built(name: str) -> set[str]:
    if name in BEYOND_THE_CATALOGUE:
        return {*BEYOND_THE_CATALOGUE[name], *OF_EVERY_TARGET}
    spec = _spec(name)
    if spec is None:
        return set()
    return {*spec.labels, *OF_EVERY_TARGET, *(("le",) if name.endswith("_bucket") else ())}
