"""All rules, by subject, as the content of one rule file of Prometheus."""

from tmux_exporter.alerting import agents, exporter, schedulers, servers
from tmux_exporter.alerting.scope import Rule, Scope

GROUPS = {
    "tmux_exporter": exporter.rules,
    "tmux_servers": servers.rules,
    "tmux_agents": agents.rules,
    "tmux_schedulers": schedulers.rules,
}
"""In the order of the file. A rule reads only recorded series of its own group, which are made before it."""


def rule_file(scope: Scope) -> dict[str, list[dict[str, object]]]:
    """The rule file, ready for JSON or YAML."""
    return {"groups": [{"name": name, "rules": list(rules(scope))} for name, rules in GROUPS.items()]}


def alerts(scope: Scope) -> list[Rule]:
    """All alerting rules; one name may be there at several levels."""
    return [rule for rules in GROUPS.values() for rule in rules(scope) if "alert" in rule]
