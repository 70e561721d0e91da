"""The alert files of the project, and the programs that judge them."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.alerts.promql import selected
from tests.support.processes.run_text import run_text
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import Thresholds, load
from tmux_exporter.alerting.rules import rule_file

REPOSITORY = Path(__file__).parents[3]
ALERTS = REPOSITORY / "alerts"
RULES = sorted((ALERTS / "rules").glob("*/*.yml"))
ALERTMANAGER = ALERTS / "alertmanager" / "alertmanager.yml"
TESTS = sorted((ALERTS / "tests").glob("**/*.yml"))
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
GROUPS = [str(group["name"]) for group in rule_file(Scope(thresholds=load()))["groups"]]
"""In the order in which they are to be evaluated: what is recorded before what reads it."""


class _AsPromtool(yaml.CSafeLoader):
    """Reads `0x40` as promtool does: forty times a 0, not 64."""


_AsPromtool.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:int"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_AsPromtool.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")
)


def suite_of(path: Path) -> dict[str, Any]:
    """A file of tests, to be written as JSON."""
    found: dict[str, Any] = yaml.load(path.read_text(), _AsPromtool)
    return found


_LABEL = re.compile(r'(\w+)="([^"]*)"')


@cache
def shipped() -> dict[str, list[dict[str, Any]]]:
    """All rules as they are shipped, in the order in which they are made."""
    groups = [group for path in RULES for group in yaml.load(path.read_text(), yaml.CSafeLoader)["groups"]]
    order = {name: place for place, name in enumerate(GROUPS)}
    return {"groups": sorted(groups, key=lambda group: order[group["name"]])}


def run(*arguments: str | Path) -> tuple[int, str]:
    """A program's exit status and all that it wrote."""
    done = run_text(arguments, timeout=100)
    return done.returncode, done.stdout + done.stderr


def survivors(folder: Path, mutants: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The mutants of the rules, by name, that no test of the project notices.

    Each mutant is run with the tests of what it changes, and of what reads that, until one fails; small files
    of tests first.
    """
    left: dict[str, list[Path]] = {}
    for number, (name, mutant) in enumerate(mutants.items()):
        rules = folder / f"rules{number}.json"
        names = _write_rules(rules, mutant)
        left[name] = []
        for path, suite in _suites():
            if tests := [case for case in suite["tests"] if names & _tested(case)]:
                test = folder / f"test{number}-{path.parent.name}-{path.stem}.json"
                test.write_text(json.dumps(suite | {"rule_files": [rules.name], "tests": tests}))
                left[name].append(test)
    while asked := [files[0] for files in left.values() if files]:
        passed = _passed(asked)
        # Without a file left it has passed them all.
        left = {name: files[1:] for name, files in left.items() if not files or files[0] in passed}
    return {*left}


@cache
def _suites() -> list[tuple[Path, dict[str, Any]]]:
    small_first = sorted(TESTS, key=lambda path: path.stat().st_size)
    return [(path, suite_of(path)) for path in small_first]


def _passed(files: list[Path]) -> set[Path]:
    """Those of these files whose tests all pass."""
    done = run_text(["promtool", "test", "rules", *files], timeout=850)
    assert len(re.findall(r"^Unit Testing:", done.stdout, re.MULTILINE)) == len(files), done.stderr
    return {
        Path(each) for each in re.findall(r"^Unit Testing:  (\S+)\n  SUCCESS$", done.stdout, re.MULTILINE)
    }


def _write_rules(path: Path, mutant: Mapping[str, Any]) -> set[str]:
    """Write the rules that differ from what is shipped, what reads them, and what those read.

    Returns the names of those that differ or read what does.
    """
    before = [rule for group in shipped()["groups"] for rule in group["rules"]]
    after = [rule for group in mutant["groups"] for rule in group["rules"]]
    names = {_name(new) for old, new in zip(before, after, strict=True) if new != old}
    # What is recorded stands before what reads it: one pass finds all readers, one back all that they read.
    for rule in after:
        if names & _reads(rule):
            names.add(_name(rule))
    kept = set(names)
    for rule in reversed(after):
        if _name(rule) in kept:
            kept |= _reads(rule)
    groups = [
        group | {"rules": rules}
        for group in mutant["groups"]
        if (rules := [rule for rule in group["rules"] if _name(rule) in kept])
    ]
    path.write_text(json.dumps({"groups": groups}))
    return names


@cache
def _selected_names(expression: str) -> frozenset[str]:
    return frozenset(each.name for each in selected(expression))


def _reads(rule: Mapping[str, Any]) -> frozenset[str]:
    return _selected_names(rule["expr"])


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def _tested(case: dict[str, Any]) -> set[str]:
    alerts = {each["alertname"] for each in case.get("alert_rule_test", ())}
    exprs = [each["expr"] for each in case.get("promql_expr_test", ())]
    alerts.update(name for expr in exprs for name in re.findall(r'alertname="(\w+)"', expr))
    return alerts.union(*(_selected_names(expr) for expr in exprs))


@cache
def told() -> dict[tuple[str, str], dict[str, str]]:
    """The labels of each alert at each level (empty where it has one), as some test of the rules tells it."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in TESTS:
        for test in yaml.load(path.read_text(), yaml.CSafeLoader)["tests"]:
            for case in test.get("alert_rule_test", ()):
                for alert in case.get("exp_alerts", ()):
                    labels = alert["exp_labels"]
                    found[case["alertname"], labels.get("threshold", "")] = labels
            for case in test.get("promql_expr_test", ()):
                for sample in case.get("exp_samples", ()):
                    labels = dict(_LABEL.findall(sample["labels"]))
                    if labels.pop("alertstate", "") == "firing" and (name := labels.pop("alertname", "")):
                        found[name, labels.get("threshold", "")] = labels
    return found


def rules_of(tables: Mapping[str, Mapping[str, object]], **scope: Any) -> dict[str, list[dict[str, Any]]]:
    """The rules that these thresholds make."""
    made: dict[str, list[dict[str, Any]]] = rule_file(Scope(thresholds=Thresholds(tables=tables), **scope))
    return made
