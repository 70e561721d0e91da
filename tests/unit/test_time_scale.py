"""One factor for rules, routes and policy: at 1 they are what is shipped, below it they only come sooner."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from alerts import generate
from tests.support.alert_files import ALERTMANAGER, ALERTS, RULES, shipped
from tests.support.main_job import TIME_SCALE
from tmux_exporter import remediator_cli, stack
from tmux_exporter.alerting import thresholds
from tmux_exporter.alerting.scope import Scope
from tmux_exporter.remediator import service
from tmux_exporter.remediator.builtin import ORPHANED_SCHEDULERS


def test_factor_one_gives_the_shipped_bytes() -> None:
    scope = Scope(thresholds=thresholds.load(), time_scale=1.0)
    made = generate.files(scope)
    assert {path: (ALERTS / path).read_text() for path in made} == made
    assert {ALERTS / path for path in made} >= {*RULES, ALERTMANAGER}


def test_what_up_and_the_main_job_run_is_the_same_at_factor_one(tmp_path: Path) -> None:
    contents = (shipped(), yaml.safe_load(ALERTMANAGER.read_text()))
    for scale, same in ((1.0, True), (TIME_SCALE, False)):
        for written, content in zip(stack.write_alerts(tmp_path, scale), contents, strict=True):
            assert (json.loads(written.read_text()) == content) is same


def test_a_remediator_runs_the_shipped_policy_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(service, "serve", lambda *_, time_scale, **__: asked.append(time_scale))
    for flags in ((), ("--time-scale", f"{TIME_SCALE:.6f}")):
        CliRunner().invoke(remediator_cli.cli, ("run", *flags), catch_exceptions=False)
    assert asked == [1.0, pytest.approx(TIME_SCALE, rel=1e-3)]
    shipped = ORPHANED_SCHEDULERS
    assert shipped.scaled(asked[0]).digest == shipped.digest != shipped.scaled(asked[1]).digest
