"""The alert files of the project, and the programs that judge them."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tmux_exporter.alerting.rules import rule_file
from tmux_exporter.alerting.scope import Scope
from tmux_exporter.alerting.thresholds import Thresholds

REPOSITORY = Path(__file__).parents[2]
ALERTS = REPOSITORY / "alerts"
RULES = ALERTS / "rules" / "tmux_exporter.rules.yml"
ALERTMANAGER = ALERTS / "alertmanager" / "alertmanager.yml"
TESTS = sorted((ALERTS / "tests").glob("*.yml"))
RUNBOOKS = REPOSITORY / "docs" / "runbooks"


def run(*arguments: str | Path) -> tuple[int, str]:
    """A program's exit status and all that it wrote."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def survivors(folder: Path, mutants: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The mutants of the rules, by name, that no test of the project notices.

    Each mutant is run with the tests of those alerts that it changes.
    """
    files = {}
    for number, (name, mutant) in enumerate(mutants.items()):
        rules = folder / f"rules{number}.yml"
        test = folder / f"test{number}.yml"
        names = _write_rules(rules, mutant)
        tests = [case for path in TESTS for case in _cases(path) if names & _tested(case)]
        content = {"rule_files": [rules.name], "evaluation_interval": "15s", "tests": tests}
        test.write_text(json.dumps(content))
        files[str(test)] = name
    done = subprocess.run(
        ["promtool", "test", "rules", *files], capture_output=True, text=True, timeout=110, check=False
    )
    passed = re.findall(r"^Unit Testing:  (\S+)\n  SUCCESS$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^Unit Testing:", done.stdout, re.MULTILINE)) == len(files), done.stderr
    return {files[path] for path in passed}


def _write_rules(path: Path, mutant: Mapping[str, Any]) -> set[str]:
    """Write the groups in which something differs from what is shipped, without the alerts that are the same.

    Returns the names of what differs; where something recorded does, of all alerts of its group.
    """
    shipped = yaml.safe_load(RULES.read_text())
    kept = []
    names: set[str] = set()
    for before, after in zip(shipped["groups"], mutant["groups"], strict=True):
        pairs = zip(before["rules"], after["rules"], strict=True)
        differ = {_name(new) for old, new in pairs if new != old}
        if differ & {rule.get("record") for rule in after["rules"]}:
            differ = {_name(rule) for rule in after["rules"]}
        rules = [rule for rule in after["rules"] if "record" in rule or _name(rule) in differ]
        kept += [{"name": after["name"], "rules": rules}] if differ else []
        names |= differ
    path.write_text(json.dumps({"groups": kept}))
    return names


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def _cases(path: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = yaml.safe_load(path.read_text())["tests"]
    return cases


def _tested(case: dict[str, Any]) -> set[str]:
    alerts = {each["alertname"] for each in case.get("alert_rule_test", ())}
    return alerts | {each["expr"] for each in case.get("promql_expr_test", ())}


def rules_of(tables: Mapping[str, Mapping[str, object]], **scope: Any) -> dict[str, list[dict[str, Any]]]:
    """The rules that these thresholds make."""
    made: dict[str, list[dict[str, Any]]] = rule_file(Scope(thresholds=Thresholds(tables=tables), **scope))
    return made
