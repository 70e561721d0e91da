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
from tmux_exporter.alerting.base.scope import Rule, Scope
from tmux_exporter.alerting.recording import groups as recorded_groups
from tmux_exporter.alerting.recording import hosts as recorded_hosts
from tmux_exporter.alerting.recording import operations as recorded_operations
from tmux_exporter.alerting.recording import servers as recorded_servers
from tmux_exporter.alerting.recording import slo as recorded_slo

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

ALERTING: Mapping[str, Made] = {
    "exporter": exporter.rules,
    "servers": servers.rules,
    "usage": usage.rules,
    "agents": agents.rules,
    "leaks": leaks.rules,
    "schedulers": schedulers.rules,
    "operations": operations.rules,
    "hosts": hosts.rules,
    "remediator": remediator.rules,
    "slo": slo.rules,
}
"""Alerts by subject; they read what is recorded."""

Content = dict[str, list[dict[str, object]]]
"""The content of one rule file, ready for JSON or YAML."""


def rule_files(scope: Scope) -> dict[str, Content]:
    """The rules as files of one group each, by `recording/SUBJECT` or `alerting/SUBJECT`."""
    return {
        f"{kind}/{subject}": {"groups": [_group(scope, f"tmux_{subject}_{kind}", make)]}
        for kind, table in (("recording", RECORDING), ("alerting", ALERTING))
        for subject, make in table.items()
    }


def _group(scope: Scope, name: str, make: Made) -> dict[str, object]:
    slowly = {"interval": scope.range("slo", "interval")} if make is recorded_slo.rules_of_days else {}
    return {"name": name, **slowly, "rules": list(make(scope))}


def rule_file(scope: Scope) -> Content:
    """All rules as one file."""
    return {"groups": [group for content in rule_files(scope).values() for group in content["groups"]]}


def all_rules(scope: Scope) -> list[Rule]:
    """All rules, what is recorded before what reads it."""
    return [rule for make in (*RECORDING.values(), *ALERTING.values()) for rule in make(scope)]


def alerts(scope: Scope) -> list[Rule]:
    """All alerting rules; one name may be there at several levels."""
    return [rule for rule in all_rules(scope) if "alert" in rule]


def recorded(scope: Scope) -> list[str]:
    """The names of all recorded series."""
    return list(dict.fromkeys(str(rule["record"]) for rule in all_rules(scope) if "record" in rule))
