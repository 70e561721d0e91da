"""The calm hosts of `alerts/tests/hosts_calm.yml` would notice a number that is too low for them."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.alerts.files import ALERTS, rules_of, run
from tmux_exporter.alerting.base import thresholds

CALM = ALERTS / "tests" / "hosts_calm.yml"


@pytest.mark.long
@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("host_cpu", "warning", 0.78),
        ("host_memory", "warning", 0.73),
        ("host_disk_busy", "ratio", 0.45),
        ("host_disk_full", "ratio", 0.89),
        ("host_network_busy", "assumed_bytes_per_second", 100_000_000),
        ("host_limit", "warning", 0.74),
    ],
)
def test_a_number_too_low_for_a_calm_host_shows(tmp_path: Path, table: str, key: str, value: float) -> None:
    tables = {name: dict(values) for name, values in thresholds.load().tables.items()}
    tables[table][key] = value
    suite = yaml.load(CALM.read_text(), yaml.CSafeLoader)
    groups = [each for each in rules_of(tables)["groups"] if each["name"] in suite["group_eval_order"]]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": groups}))
    test = tmp_path / "calm.json"
    test.write_text(json.dumps(suite | {"rule_files": ["rules.json"]}))
    status, output = run("promtool", "test", "rules", test)
    assert status == 1
    assert "TmuxHost" in output
