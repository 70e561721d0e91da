"""What users put beside job and instance on their targets (team, env, cluster) reaches every alert.

The tests of the rules are played once more: with such labels on each series, and on all that is expected; and
with rules for a regular expression of jobs.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alerts.files import ALERTS, TESTS, rules_of, run, suite_of
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.base.errors import UsageError
from tmux_exporter.commands import export

OWN = {"team": "platform", "env": "prod", "cluster": "a"}
JOBS = "tmux|agents.*"
QUICK = ("servers",)
LATE = ("held", "hosts_calm", "slo_days", "slo_days_burn", "slo_hours", "slo_hours_burn", "exporter_away")
"""These hold hours and days; their rules are in others too."""
NUMBERS = thresholds.load().tables


def labelled(series: str) -> str:
    """The text of a series of some target with the labels; any other as it is."""
    own = "".join(f'{name}="{value}", ' for name, value in OWN.items())
    return series.replace("{", f"{{{own}", 1) if 'instance="' in series else series


def with_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {**labels, **(OWN if "instance" in labels else {})}


def suite_with_labels(suite: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tests of a suite, without what messages say."""
    for test in suite["tests"]:
        for each in test["input_series"]:
            each["series"] = labelled(each["series"])
        for case in test.get("alert_rule_test", ()):
            for alert in case.get("exp_alerts") or ():
                alert["exp_labels"] = with_labels(alert["exp_labels"])
        for case in test.get("promql_expr_test", ()):
            for sample in case.get("exp_samples") or () if " by (" not in case["expr"] else ():
                sample["labels"] = labelled(sample["labels"])
        yield test


def play(folder: Path, path: Path, rules: dict[str, Any]) -> str:
    """What promtool says of a suite with labels, for these rules; empty where all is well."""
    suite = suite_of(path)
    (folder / "rules.json").write_text(json.dumps(rules))
    suite |= {"rule_files": ["rules.json"], "tests": list(suite_with_labels(suite))}
    suite["group_eval_order"] = [group["name"] for group in rules["groups"]]
    (folder / "test.json").write_text(json.dumps(suite))
    status, output = run("promtool", "test", "rules", folder / "test.json")
    return output if status else ""


def read_by(path: Path, rules: dict[str, Any]) -> dict[str, Any]:
    """The groups that a suite loads: an evaluation of the others takes its time too."""
    suite = suite_of(path)
    return {"groups": [each for each in rules["groups"] if each["name"] in suite["group_eval_order"]]}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.long])
        for path in TESTS
        if path.parent.name == "tests" and path.stem not in LATE
    ],
)
def test_labels_of_a_target_and_a_regex_of_jobs_change_no_alert(tmp_path: Path, path: Path) -> None:
    assert play(tmp_path, path, read_by(path, rules_of(NUMBERS, job=JOBS))) == ""


def test_a_rule_that_sums_them_away_is_noticed(tmp_path: Path) -> None:
    path = ALERTS / "tests" / "servers.yml"
    rules = read_by(path, rules_of(NUMBERS))
    planted = json.loads(
        json.dumps(rules).replace("count without (session, agent, state)", "count by (job, instance, server)")
    )
    assert planted != rules
    assert "team" in play(tmp_path, path, planted)


def test_what_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        export.rules(job="tmux|(", runbooks=None, labels=())
    assert 'job="tmux.prod"' in export.rules(job="tmux.prod", runbooks=None, labels=())["alerting/agents.yml"]


def test_each_engine_gets_what_it_reads(tmp_path: Path) -> None:
    plain, since = (
        export.rules(job="tmux", runbooks=None, labels=(), engine=engine) for engine in export.ENGINES
    )
    assert plain["alerting/agents.yml"] == (ALERTS / "rules/alerting/agents.yml").read_text()
    assert "keep_firing_for" not in "".join(plain.values())
    groups = yaml.safe_load(since["other/mimir.yml"])["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    never = {name for name, rule in alerts.items() if "keep_firing_for" not in rule}
    assert never == {"Watchdog", "TmuxExporterDown", "TmuxExporterAway"}
    for name, text in since.items():
        if not name.startswith("other/"):
            (tmp_path / name.replace("/", "-")).write_text(text)
    status, output = run("promtool", "check", "rules", *sorted(tmp_path.iterdir()))
    assert status == 0, output
