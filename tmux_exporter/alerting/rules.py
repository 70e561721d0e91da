"""All rules, by subject, as the content of rule files of Prometheus."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from tmux_exporter.alerting import (
    agents,
    exporter,
    hosts,
    leaks,
    operations,
    remediator,
    schedulers,
    servers,
    slo,
    spending,
    usage,
)
from tmux_exporter.alerting.base.alert import Alert
from tmux_exporter.alerting.base.scope import Rule, Scope
from tmux_exporter.alerting.recording import groups as recorded_groups
from tmux_exporter.alerting.recording import hosts as recorded_hosts
from tmux_exporter.alerting.recording import operations as recorded_operations
from tmux_exporter.alerting.recording import servers as recorded_servers
from tmux_exporter.alerting.recording import slo as recorded_slo
from tmux_exporter.alerting.texts import TEXTS

Made = Callable[[Scope], tuple[Rule, ...]]

RECORDING: Mapping[str, Made] = {
    "hosts": recorded_hosts.rules,
    "groups": recorded_groups.rules,
    "servers": recorded_servers.rules,
    "operations": recorded_operations.rules,
    "slo": recorded_slo.rules,
    "slo_days": recorded_slo.rules_of_days,
}
"""Recording rules by subject. One reads only what is recorded before it."""

SLOWLY: Mapping[str, Made] = {
    "hosts": recorded_hosts.slow_rules,
    "groups": recorded_groups.slow_rules,
    "servers": recorded_servers.slow_rules,
}
"""Recording rules of these subjects that only alerts of the third and fourth priority read."""

ALERTING: Mapping[str, tuple[Alert, ...]] = {
    "exporter": exporter.ALERTS,
    "servers": servers.ALERTS,
    "usage": usage.ALERTS,
    "agents": agents.ALERTS,
    "spending": spending.ALERTS,
    "leaks": leaks.ALERTS,
    "schedulers": schedulers.ALERTS,
    "operations": operations.ALERTS,
    "hosts": hosts.ALERTS,
    "remediator": remediator.ALERTS,
    "slo": slo.ALERTS,
}
"""Alerts by subject; they read what is recorded."""

BEFORE: Mapping[str, Made] = {"usage": usage.recorded, "agents": agents.recorded, "slo": slo.recorded}
"""What alerts of these subjects share, recorded in their own group: none of them is told later for it."""

Content = dict[str, list[dict[str, object]]]
"""The content of one rule file, ready for JSON or YAML."""


def rule_files(scope: Scope) -> dict[str, Content]:
    """The rules as files, by `recording/SUBJECT` or `alerting/SUBJECT`; a group for each interval."""
    recording = {f"recording/{subject}": _recording(scope, subject) for subject in RECORDING}
    alerting = {f"alerting/{subject}": _alerting(scope, subject) for subject in ALERTING}
    return {name: {"groups": groups} for name, groups in (recording | alerting).items()}


def _recording(scope: Scope, subject: str) -> list[dict[str, object]]:
    interval = scope.promql("$slo.interval") if subject == "slo_days" else ""
    groups = [_group(f"tmux_{subject}_recording", interval, RECORDING[subject](scope))]
    if subject in SLOWLY:
        slowly = scope.promql("$P3.interval")
        groups.append(_group(f"tmux_{subject}_slow_recording", slowly, SLOWLY[subject](scope)))
    return groups


def _alerting(scope: Scope, subject: str) -> list[dict[str, object]]:
    by_interval: dict[str, list[Rule]] = {"": [*BEFORE[subject](scope)]} if subject in BEFORE else {}
    for name, rules in _alerts(scope, subject):
        by_interval.setdefault(_interval(scope, subject, name), []).extend(rules)
    return [
        _group(f"tmux_{subject}{'_slow' if interval else ''}_alerting", interval, rules)
        for interval, rules in sorted(by_interval.items())
    ]


def _group(name: str, interval: str, rules: Sequence[Rule]) -> dict[str, object]:
    return {"name": name, **({"interval": interval} if interval else {}), "rules": [*rules]}


def _interval(scope: Scope, subject: str, name: str) -> str:
    """How often an alert is evaluated: as its most urgent level; empty where that has no interval."""
    numbers = scope.thresholds
    levels = [
        numbers.priority(each.table, level)
        for each in ALERTING[subject]
        for level in each.levels
        if each.name == name
    ]
    first = min(levels, default="")
    return scope.promql(f"${first}.interval") if "interval" in numbers.tables.get(first, {}) else ""


def _alerts(scope: Scope, subject: str) -> Iterator[tuple[str, Sequence[Rule]]]:
    """The rules of each row, by the name of its alert."""
    if subject == "exporter":
        yield "", [exporter.watchdog(scope)]
    for alert in ALERTING[subject]:
        yield alert.name, alert.rules(scope, TEXTS[alert.name])


def rule_file(scope: Scope) -> Content:
    """All rules as one file."""
    return {"groups": [group for content in rule_files(scope).values() for group in content["groups"]]}


def all_rules(scope: Scope) -> list[Rule]:
    """All rules, what is recorded before what reads it."""
    return [rule for group in rule_file(scope)["groups"] for rule in cast("list[Rule]", group["rules"])]


def alerts(scope: Scope) -> list[Rule]:
    """All alerting rules; one name may have several levels."""
    return [rule for subject in ALERTING for _, rules in _alerts(scope, subject) for rule in rules]


def recorded(scope: Scope) -> list[str]:
    """The names of all recorded series."""
    return list(dict.fromkeys(str(rule["record"]) for rule in all_rules(scope) if "record" in rule))
