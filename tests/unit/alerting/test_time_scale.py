"""One factor for rules, routes and policy: at 1 they are what is shipped, below it they only come sooner."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from alerts import generate
from tests.support.alerts.files import ALERTMANAGER, ALERTS, RULES, run, shipped
from tests.support.scenes.main_job import TIME_SCALE
from tmux_exporter.alerting import time_scale
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.cli import remediator
from tmux_exporter.commands.demo import launch
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.remediator import service
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS


def test_factor_one_gives_the_shipped_bytes() -> None:
    made = generate.files(Scope(thresholds=thresholds.load(), time_scale=1.0))
    assert {path: (ALERTS / path).read_text() for path in made} == made
    assert {ALERTS / path for path in made} >= {*RULES, ALERTMANAGER}


UNSCALED = {
    # Played faster: as much of it falls into the shorter window as in earnest into the true one.
    **dict.fromkeys(("step", "more_than"), "a count or an amount that the fleet itself makes faster"),
    **dict.fromkeys(
        ("per_second", "least", "bytes", "left", "factor", "objective", "intervals"), "no time is in it"
    ),
    **dict.fromkeys(
        ("ratio", "used", "idle_ratio", "cores", "assumed_bytes_per_second", "memory", "io"),
        "a part, or a speed",
    ),
    **dict.fromkeys(("behind", "ahead"), "what clocks do is real"),
    **dict.fromkeys(LEVELS, "a part of a limit, or of all operations"),
}
OF_ONE_THING = {("server_slow", "seconds"), ("agent_recovery", "seconds")}
"""How long one question takes; and a bound of a histogram, which cannot be moved."""


def test_of_every_number_it_is_said_whether_it_follows_the_time() -> None:
    numbers = {
        (table, key)
        for table, values in thresholds.load().tables.items()
        for key, value in values.items()
        if not isinstance(value, str)
    }
    by_time = time_scale.AMOUNTS | time_scale.FREQUENCIES | OF_ONE_THING
    assert by_time <= numbers
    assert {each for each in numbers - by_time if each[1] not in UNSCALED} == set()


def test_of_every_duration_it_is_said_whether_it_is_a_window() -> None:
    held = {"for", "respond_within", "group_wait", "group_interval", "repeat_interval", "interval"}
    words = {"severity", "receiver", "priority", *LEVELS}
    texts = {
        key
        for values in thresholds.load().tables.values()
        for key, value in values.items()
        if isinstance(value, str)
    }
    assert texts - held - words == time_scale.WINDOWS


DEMO = "tmux_agent_{}{{job='tmux',instance='a',server='demo',session='s',agent='{}'{}}}"


@pytest.mark.parametrize("follow", [True, False])
def test_an_agent_of_the_demo_that_draws_while_it_waits_does_not_hang(tmp_path: Path, follow: bool) -> None:
    rules, _ = prometheus.write_alerts(tmp_path, launch.TIME_SCALE, launch.numbers() if follow else None)
    groups = [str(group["name"]) for group in json.loads(rules.read_text())["groups"]]
    use = {"draws": "0+0.005x60", "hangs": "1+0x60"}
    series = [
        each
        for name, values in use.items()
        for each in (
            {"series": DEMO.format("cpu_seconds_total", name, ""), "values": values},
            {"series": DEMO.format("state", name, ",state='working'"), "values": "1+0x60"},
        )
    ]
    down = {"series": "up{job='tmux',instance='a',always_on='yes'}", "values": "1x30 0 0 0 1x27"}
    fired = {
        "expr": "group by (alertname, agent) (count_over_time(ALERTS{alertstate='firing'}[2m]))",
        "eval_time": "60s",
        "exp_samples": [
            {"labels": "{alertname='Watchdog'}", "value": 1},
            {"labels": "{alertname='TmuxAgentStuck',agent='hangs'}", "value": 1},
        ],
    }
    document = {
        "rule_files": [rules.name],
        "group_eval_order": groups,
        "evaluation_interval": "1s",
        "tests": [{"interval": "1s", "input_series": [*series, down], "promql_expr_test": [fired]}],
    }
    (tmp_path / "test.json").write_text(json.dumps(document))
    status, output = run("promtool", "test", "rules", tmp_path / "test.json")
    assert (status == 0) is follow, output
    if not follow:
        assert "draws" in output
        assert "TmuxExporterDown" in output


def test_what_up_and_the_main_job_run_is_the_same_at_factor_one(tmp_path: Path) -> None:
    contents = (shipped(), yaml.safe_load(ALERTMANAGER.read_text()))
    for scale, same in ((1.0, True), (TIME_SCALE, False)):
        for written, content in zip(prometheus.write_alerts(tmp_path, scale), contents, strict=True):
            assert (json.loads(written.read_text()) == content) is same


def test_a_remediator_runs_the_shipped_policy_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(service, "serve", lambda *_, time_scale, **__: asked.append(time_scale))
    for flags in ((), ("--time-scale", f"{TIME_SCALE:.6f}")):
        CliRunner().invoke(remediator.cli, ("run", *flags), catch_exceptions=False)
    assert asked == [1.0, pytest.approx(TIME_SCALE, rel=1e-3)]
    shipped = ORPHANED_SCHEDULERS
    assert shipped.scaled(asked[0]).digest == shipped.digest != shipped.scaled(asked[1]).digest
