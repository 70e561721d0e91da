"""The boards as they are committed: made from the code, free of what Grafana's linter and ours refuse."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.__main__ import JSON
from dashboards.boards import BOARDS
from dashboards.frame import as_json
from tests.support.boards.lint import LAST_ROW_OF_A_TABLE, Json, panels, problems, query, targets, variables
from tests.support.literals.planned import PLANNED
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import RUNBOOKS

REPOSITORY = Path(__file__).parents[3]
NUMBERS = thresholds.load()
FILES = {name: JSON / f"{name}.json" for name in BOARDS}
SHIPPED: dict[str, Json] = {name: json.loads(path.read_text()) for name, path in FILES.items()}


@pytest.mark.parametrize("name", BOARDS)
def test_the_committed_board_is_made_from_the_code(name: str) -> None:
    assert as_json(BOARDS[name]()) == FILES[name].read_text(), "run `make boards`"


def test_every_committed_board_has_its_code() -> None:
    assert sorted(JSON.glob("*.json")) == sorted(FILES.values())


def test_uids_are_those_that_links_and_bookmarks_know() -> None:
    assert {name: board["uid"] for name, board in SHIPPED.items()} == {
        "fleet": "tmux-fleet",
        "wall": "tmux-wall",
        "session": "tmux-session",
        "agent": "tmux-agent",
        "leaks": "tmux-leaks",
        "spending": "tmux-spending",
        "slo": "tmux-slo",
        "servers": "tmux-servers",
    }


@pytest.mark.parametrize("name", BOARDS)
def test_the_linter_has_nothing_to_complain_of(name: str) -> None:
    assert problems(SHIPPED[name]) == []


# The linter, seen red: what is planted into the fleet board, and what must be said of it.


def in_panel(kind: str, change: Callable[[Json], Any]) -> Callable[[Json], Any]:
    """A change of the first panel of a kind."""
    return lambda board: change(next(panel for panel in panels(board) if panel["type"] == kind))


def in_variable(name: str, **values: object) -> Callable[[Json], Any]:
    return lambda board: variables(board)[name].update(values)


def with_expr(expr: str) -> Callable[[Json], Any]:
    """A change of the first query of the first tile."""
    return in_panel("stat", lambda panel: panel["targets"][0].update(expr=expr))


HOST = 'job=~"$job", instance=~"$instance"'
PLANTED: list[tuple[str, Callable[[Json], Any]]] = [
    ("uid is not a stable tmux-…", lambda board: board.update(uid="fleet")),
    ("tag is missing", lambda board: board.update(tags=[])),
    ("editable: what is changed in Grafana is lost", lambda board: board.update(editable=True)),
    ("not the form that is imported", lambda board: board.update(id=7)),
    ("no refresh or no relative time range", lambda board: board["time"].update({"from": "2026-01-01"})),
    ("link tmux boards loses variables or time", lambda board: board["links"][0].update(keepTime=False)),
    ("no variable for the data source", in_variable("datasource", query="loki")),
    ("no variable instance with an All", in_variable("instance", allValue="")),
    ("variable job does not follow the time range", in_variable("job", refresh=1)),
    ("variable job is not for several values and All", in_variable("job", multi=False)),
    ("variable job asks another data source", in_variable("job", datasource={"uid": "prometheus"})),
    ("variable server: no label session",
        in_variable("server", query={"query": "label_values(tmux_up, session)"})),
    ("variable pane is never used",
        lambda board: board["templating"]["list"].append({"name": "pane", "type": "custom"})),
    ("variable pane is used and not there", in_panel("stat", lambda panel: panel.update(title="$pane"))),
    ("panel 1: no title", in_panel("stat", lambda panel: panel.update(title=""))),
    ("panel 1: no description", in_panel("stat", lambda panel: panel.pop("description"))),
    ("panel 1: no unit", in_panel("stat", lambda panel: panel["fieldConfig"]["defaults"].pop("unit"))),
    ("panel 1: no noValue", in_panel("stat", lambda panel: panel["fieldConfig"]["defaults"].pop("noValue"))),
    ("panel 1: another data source", in_panel("stat", lambda panel: panel["datasource"].update(uid="x"))),
    ("panel 1: another data source",
        in_panel("stat", lambda panel: panel["targets"][0]["datasource"].update(uid="x"))),
    ("panel 21: a refId is there twice", lambda board: by_id(board, 21)["targets"][0].update(refId="B")),
    ("panel 22: no legend",
        in_panel("timeseries", lambda panel: panel["options"]["legend"].update(showLegend=False))),
    ("panel 22: no legend",
        in_panel("timeseries", lambda panel: panel["targets"][0].update(legendFormat=""))),
    ("panel 22: legend: no label agent",
        in_panel("timeseries", lambda panel: panel["targets"][0].update(legendFormat="{{agent}}"))),
    ("panel 1: no value looks like the lowest one",
        in_panel("stat", lambda panel: panel["fieldConfig"]["defaults"].pop("mappings"))),
    ("panel ids are missing or not unique", in_panel("stat", lambda panel: panel.update(id=2))),
    ("panel 1: beyond the right edge", in_panel("stat", lambda panel: panel["gridPos"].update(y=900, w=25))),
    ("panel 41: a table below the first screens",
        lambda board: by_id(board, 41)["gridPos"].update(y=LAST_ROW_OF_A_TABLE + 1)),
    ("panels 1 and 8 overlap", in_panel("stat", lambda panel: panel["gridPos"].update(w=7))),
    ("panel 1: instant for a graph",
        in_panel("stat", lambda panel: panel["targets"][0].update(instant=False))),
    ("panel 1: no PromQL", with_expr("sum(")),
    ("panel 1: instance:tmux_slo_budget_left:ratio has no label window",
        with_expr(f'instance:tmux_slo_budget_left:ratio{{{HOST}, window="1"}}')),
    ("panel 1: instance:tmux_slo_budget_left:ratio does not follow job and instance",
        with_expr('instance:tmux_slo_budget_left:ratio{job=~"$job"}')),
    ("panel 1: job:tmux_slo_objective:ratio does not follow job and instance",
        with_expr('job:tmux_slo_objective:ratio{slo="errors"}')),
    (f"panel 1: no built metric {PLANNED.name}", with_expr(f"{PLANNED.name}{{{HOST}}}")),
    ("panel 1: no built metric tmux_no_such_thing", with_expr(f"tmux_no_such_thing{{{HOST}}}")),
    ("panel 1: no built metric tmux_up_count", with_expr(f"tmux_up_count{{{HOST}}}")),
    ("panel 1: tmux_up does not follow job and instance", with_expr('tmux_up{job=~"$job"}')),
    ("panel 1: tmux_up does not follow job and instance",
        with_expr('tmux_up{job="tmux", instance=~"$instance"}')),
    ("panel 1: ALERTS does not follow job and instance", with_expr('ALERTS{alertname="TmuxExporterDown"}')),
    ("panel 1: tmux_up has no label session", with_expr(f'tmux_up{{{HOST}, session="a"}}')),
    ("panel 1: tmux_schedulers has no state lost",
        with_expr(f'tmux_schedulers{{{HOST}, state=~"armed|lost"}}')),
    ("panel 1: no label agent", with_expr(f"sum by (agent) (tmux_up{{{HOST}}})")),
    ("panel 1: tmux_session_cpu_seconds_total is a counter",
        with_expr(f"sum(tmux_session_cpu_seconds_total{{{HOST}}})")),
    ("panel 1: rate of tmux_up, which is no counter",
        with_expr(f"rate(tmux_up{{{HOST}}}[$__rate_interval])")),
    ("panel 1: rate over 5m", with_expr(f"rate(tmux_session_cpu_seconds_total{{{HOST}}}[5m])")),
    ("annotation: no PromQL", lambda board: board["annotations"]["list"][0].update(expr="((")),
]  # fmt: skip


def by_id(board: Json, number: int) -> Json:
    return next(panel for panel in panels(board) if panel["id"] == number)


@pytest.mark.parametrize(
    ("said", "plant"), PLANTED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_planted_is_named(said: str, plant: Callable[[Json], Any]) -> None:
    board = copy.deepcopy(SHIPPED["fleet"])
    plant(board)
    assert any(found.startswith(said) for found in problems(board)), problems(board)


def test_a_state_timeline_is_a_graph() -> None:
    for said, change in (
        ("panel 11: no legend", lambda panel: panel["options"]["legend"].update(showLegend=False)),
        ("panel 11: no legend", lambda panel: panel["targets"][0].update(legendFormat="")),
        ("panel 11: instant for a graph", lambda panel: panel["targets"][0].update(instant=True)),
    ):
        board = copy.deepcopy(SHIPPED["agent"])
        in_panel("state-timeline", change)(board)
        assert [found.split(",")[0] for found in problems(board)] == [said]


def test_what_is_recorded_for_the_whole_job_has_no_instance() -> None:
    assert list(query('job:tmux_slo_objective:ratio{job=~"$job"}')) == []


def test_a_histogram_is_read_by_its_parts() -> None:
    parts = ("_bucket", "_sum", "_count")
    name = "tmux_server_query_duration_seconds"
    for part in parts:
        assert list(query(f"rate({name}{part}{{{HOST}}}[$__rate_interval])")) == []
    assert list(query(f"rate({name}{{{HOST}}}[$__rate_interval])")) != []


# What a reader relies on.


def test_colours_change_where_the_alerts_do() -> None:
    (of_limit,) = [
        each
        for each in by_id(SHIPPED["fleet"], 31)["fieldConfig"]["overrides"]
        if each["matcher"]["options"] == "Of limit"
    ]
    steps = next(each["value"]["steps"] for each in of_limit["properties"] if each["id"] == "thresholds")
    numbers = [NUMBERS.number("agent_memory", level) for level in ("warning", "critical", "emergency")]
    assert [step.get("value") for step in steps] == [None, *numbers]
    assert f"> {numbers[0]:g}" in by_id(SHIPPED["fleet"], 3)["targets"][0]["expr"]
    late = NUMBERS.number("exporter_stale", "intervals")
    assert (
        f"> {late:g} * tmux_exporter_sample_interval_seconds"
        in by_id(SHIPPED["fleet"], 6)["targets"][0]["expr"]
    )
    assert f"{late:g} * max(" in by_id(SHIPPED["servers"], 32)["targets"][1]["expr"]


@pytest.mark.parametrize("name", BOARDS)
def test_a_click_keeps_the_time_range_and_the_other_variables(name: str) -> None:
    board = SHIPPED[name]
    uids = {each["uid"] for each in SHIPPED.values()}
    links = [
        (panel, link)
        for panel in panels(board)
        for each in panel["fieldConfig"]["overrides"]
        for part in each["properties"]
        if part["id"] == "links"
        for link in part["value"]
    ]
    assert links
    for panel, link in links:
        if link["url"].startswith(RUNBOOKS):
            assert link["url"] == f"{RUNBOOKS}/${{__value.raw}}.md"
            continue
        path, _, rest = link["url"].partition("?")
        assert path.removeprefix("/d/") in uids
        time, *parts = rest.split("&")
        assert time == "${__url_time_range}"
        for variable in variables(board):
            kept = f"${{{variable}:queryparam}}"
            chosen = [part for part in parts if part.startswith(f"var-{variable}=")]
            assert (kept in parts) is not bool(chosen), variable
        columns = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        assert {part.split('"')[1] for part in parts if "__data.fields" in part} <= columns


@pytest.mark.parametrize("name", BOARDS)
def test_graphs_of_many_things_show_only_the_largest(name: str) -> None:
    for each in targets(SHIPPED[name]):
        if each.panel["type"] == "timeseries" and any(
            label in each.legend for label in ("{{session}}", "{{server}}", "{{agent}}", "{{instance}}")
        ):
            (count,) = re.findall(r"\nand topk\((\d+), .*@ end\(\)", each.expr)
            assert int(count) <= each.panel["gridPos"]["w"] / 2, each.place


def test_the_files_are_what_make_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards import __main__ as command

    monkeypatch.setattr(command, "JSON", tmp_path / "json")
    command.main()
    assert {path.name: path.read_text() for path in (tmp_path / "json").iterdir()} == {
        path.name: path.read_text() for path in FILES.values()
    }


def test_provisioning_finds_what_the_documentation_copies() -> None:
    folder = REPOSITORY / "deploy" / "grafana"
    (provider,) = yaml.safe_load((folder / "dashboards" / "tmux-exporter.yml").read_text())["providers"]
    (source,) = yaml.safe_load((folder / "datasources" / "tmux-exporter.yml").read_text())["datasources"]
    page = (REPOSITORY / "docs" / "dashboards.md").read_text()
    assert f"cp boards/*.json {provider['options']['path']}/" in page
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert source["type"] == variables(SHIPPED["fleet"])["datasource"]["query"]
