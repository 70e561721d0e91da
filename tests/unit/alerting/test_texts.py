"""What messages say beside descriptions: bounds, culprits by query, commands that are safe to paste."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.alerts.files import run
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.text import KEYS, Text, most, word
from tmux_exporter.alerting.texts import TEXTS

SCOPE = Scope(thresholds=thresholds.load())
ALERTS = rules.alerts(SCOPE)

CLOSED = {"job", "instance", "host", "server", "session", "agent", "mountpoint"}
"""Labels that a command or a list of culprits may name; a mountpoint stays in the command."""

HOSTILE = (
    "a'b",
    "it's $(touch planted) `touch planted`; touch planted",
    '"; touch planted #',
    "\\",
    "-rf ~",
    "line\\nbreak",
    "ünïcode {{ $labels.job }}",
)


def says(tmp_path: Path, annotation: str, series: Mapping[str, str], wanted: str) -> tuple[int, str]:
    """promtool's verdict on what an annotation becomes for an alert on the first of some series."""
    rule = {"alert": "A", "expr": next(iter(series)), "annotations": {"said": annotation}}
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', next(iter(series))))
    expected = {
        "exp_labels": {name: json.loads(f'"{value}"') for name, value in labels.items()},
        "exp_annotations": {"said": wanted},
    }
    test = {
        "rule_files": ["rules.yml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"alertname": "A", "eval_time": "5m", "exp_alerts": [expected]}],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test))
    return run("promtool", "test", "rules", tmp_path / "test.yml")


def test_each_row_is_that_of_an_alert() -> None:
    assert TEXTS.keys() == {str(rule["alert"]) for rule in ALERTS}


@pytest.mark.parametrize(
    "rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['for']}" if "for" in rule else "x"
)
def test_a_text_names_nothing_but_hosts_sessions_and_agents(rule: Mapping[str, object]) -> None:
    annotations = rule["annotations"]
    assert isinstance(annotations, dict)
    texts = " ".join(str(annotations.get(key, "")) for key in KEYS)
    assert {*re.findall(r"\$?[Ll]abels\.(\w+)", texts)} <= CLOSED
    if rule["alert"] != "Watchdog":
        assert annotations["command"] and annotations["resolved"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_from_outside_is_one_word_of_the_command(tmp_path: Path, name: str) -> None:
    session = json.loads(f'"{name}"') if name.startswith("line") else name
    quoted = "'" + session.replace("\n", "?").replace("'", "'\\''") + "'"
    series = f"x{{session={json.dumps(session, ensure_ascii=False)}}}"
    status, output = says(tmp_path, word("$labels.session"), {series: "1x10"}, quoted)
    assert status == 0, output
    shown = subprocess.run(
        ["sh", "-c", f"printf %s {quoted}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout == session.replace("\n", "?")
    assert not (tmp_path / "planted").exists()


def test_a_usual_name_is_not_quoted(tmp_path: Path) -> None:
    text = f"explain {word('printf `session:%s` $labels.session')}"
    status, output = says(tmp_path, text, {'x{session="web-1.2"}': "1x10"}, "explain session:web-1.2")
    assert status == 0, output


def test_the_three_largest_of_the_same_host_are_named(tmp_path: Path) -> None:
    text = most("m{}", "session", "{{ .Value | humanize1024 }}B")
    at = 'job="tmux", instance="a:1"'
    sizes = {f'm{{{at}, session="s{number}"}}': f"{number * 1024}x10" for number in range(1, 5)}
    other = {'m{job="tmux", instance="b:1", session="elsewhere"}': "999999x10"}
    status, output = says(
        tmp_path, text, {f"x{{{at}}}": "1x10", **sizes, **other}, "s4 4kiB, s3 3kiB, s2 2kiB"
    )
    assert status == 0, output
    status, output = says(tmp_path, text, {f"x{{{at}}}": "1x10", **other}, "none seen")
    assert status == 0, output


def test_a_bound_is_that_of_the_thresholds() -> None:
    tables = {"t": {"worst": 0.955, "seconds": 90, "over": "15m", "bytes": 3 * 2**20, "count": 4}}
    scope = Scope(thresholds=thresholds.Thresholds(tables=tables))

    def bound(text: str, hold: float = 0.0) -> str:
        return Text("c", "r", "v", text).annotations(scope, "t", "worst", hold)["value"]

    assert bound("more than $level%", 300) == "v (bound: more than 95.5% for 5m)"
    assert bound("$seconds~s in $over, $bytes~B, $count") == "v (bound: 1m30s in 15m, 3MiB, 4)"
    assert "value" not in Text("c", "r").annotations(scope, "t", "", 60)
