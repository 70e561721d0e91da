"""All rules, by subject, as the content of rule files of Prometheus."""

from collections.abc import Callable, Mapping

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

ALERTING: Mapping[str, tuple[Alert, ...]] = {
    "exporter": exporter.ALERTS,
    "servers": servers.ALERTS,
    "usage": usage.ALERTS,
    "agents": agents.ALERTS,
    "leaks": leaks.ALERTS,
    "schedulers": schedulers.ALERTS,
    "operations": operations.ALERTS,
    "hosts": hosts.ALERTS,
    "remediator": remediator.ALERTS,
    "slo": slo.ALERTS,
}
"""Alerts by subject; they read what is recorded."""

Content = dict[str, list[dict[str, object]]]
"""The content of one rule file, ready for JSON or YAML."""


def rule_files(scope: Scope) -> dict[str, Content]:
    """The rules as files of one group each, by `recording/SUBJECT` or `alerting/SUBJECT`."""
    recording = {f"recording/{subject}": _recording(scope, subject) for subject in RECORDING}
    alerting = {f"alerting/{subject}": _alerting(scope, subject) for subject in ALERTING}
    return {name: {"groups": [group]} for name, group in (recording | alerting).items()}


def _recording(scope: Scope, subject: str) -> dict[str, object]:
    slowly = {"interval": scope.promql("$slo.interval")} if subject == "slo_days" else {}
    return {"name": f"tmux_{subject}_recording", **slowly, "rules": list(RECORDING[subject](scope))}


def _alerting(scope: Scope, subject: str) -> dict[str, object]:
    return {"name": f"tmux_{subject}_alerting", "rules": _alerts(scope, subject)}


def _alerts(scope: Scope, subject: str) -> list[Rule]:
    first = [exporter.watchdog(scope)] if subject == "exporter" else []
    return [*first, *(rule for alert in ALERTING[subject] for rule in alert.rules(scope, TEXTS[alert.name]))]


def rule_file(scope: Scope) -> Content:
    """All rules as one file."""
    return {"groups": [group for content in rule_files(scope).values() for group in content["groups"]]}


def all_rules(scope: Scope) -> list[Rule]:
    """All rules, what is recorded before what reads it."""
    return [rule for make in RECORDING.values() for rule in make(scope)] + alerts(scope)


def alerts(scope: Scope) -> list[Rule]:
    """All alerting rules; one name may have several levels."""
    return [rule for subject in ALERTING for rule in _alerts(scope, subject)]


def recorded(scope: Scope) -> list[str]:
    """The names of all recorded series."""
    return list(dict.fromkeys(str(rule["record"]) for rule in all_rules(scope) if "record" in rule))
