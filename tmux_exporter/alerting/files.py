"""Rules and Alertmanager's configuration as the text of YAML files, by name."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import yaml

from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import Thresholds
from tmux_exporter.alerting.receivers import SERVICES, example_receivers
from tmux_exporter.alerting.routes import Data, Nights, alertmanager_config
from tmux_exporter.alerting.rules import rule_file, rule_files

_WIDTH = 98
# A key at the margin, or an item of one of the long lists, that is not the first of its list.
_PART = re.compile(
    r"(?<!:)\n(?=\w|  - name: \w+\n    (?:rules|interval):| +- (?:alert|record|matchers|source_matchers):)"
)
_NEW_PART = "\n\n"
_IN_THE_PROJECT = (
    "# In the project of tmux_exporter: by `make docs`, from the numbers in alerts/thresholds.toml."
)
_RULES_HEADER = f"""\
# Made by `tmux-exporter export rules`, which has options for another job, more labels and other runbooks.
{_IN_THE_PROJECT}
#
# Severity, priority and threshold of an alert are labels; there is a runbook for each alert.
"""
_ALERTMANAGER_HEADER = f"""\
# Made by `tmux-exporter export alertmanager`, which has an option for a webhook.
{_IN_THE_PROJECT}
#
# The receivers send nothing yet: give each of them what it needs (webhook_configs, email_configs,
# slack_configs, pagerduty_configs; https://prometheus.io/docs/alerting/latest/configuration/).
#   pager     P1 and P2: whoever is on call, at any hour
#   chat      P3: within the hour
#   digest    P4: once a day
#   watchdog  a dead man's switch outside of this machine: it must tell when this alert stops coming
#   default   whatever other rules send here
"""
_RECEIVERS_HEADER = f"""\
# Made by `tmux-exporter export alertmanager`.
{_IN_THE_PROJECT}
#
# The same routes with receivers filled in: PagerDuty, Slack, e-mail and a dead man's switch. Every secret is
# in a file of its own, never in here. tmux.tmpl, beside this file, has the messages, with links.
"""
_FILLED_HEADER = f"""\
# Made by `tmux-exporter export alertmanager`.
{_IN_THE_PROJECT}
#
# Secrets are in the files that it names; where a word in capitals stands for one, write it there and keep
# this file to yourself. tmux.tmpl, beside this file, has the messages.
"""
_SERVICE_HEADER = f"""\
# Made by `tmux-exporter export alertmanager`, which with --pager, --chat, --digest fills it in by itself.
{_IN_THE_PROJECT}
#
# A receiver to put in the place of `pager`, `chat` or `digest`. Words in capitals stand for secrets.
"""


def rules(scope: Scope) -> dict[str, str]:
    """A file for each subject: `recording/SUBJECT.yml`, `alerting/SUBJECT.yml`."""
    return {f"{name}.yml": as_yaml(content, _RULES_HEADER) for name, content in rule_files(scope).items()}


def rules_for_others(scope: Scope) -> dict[str, str]:
    """All rules in one file: as a PrometheusRule of the operator, and as a namespace of Mimir."""
    groups = rule_file(scope)
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "tmux-exporter", "labels": {"app.kubernetes.io/name": "tmux-exporter"}},
        "spec": groups,
    }
    return {
        "prometheusrule.yml": as_yaml(manifest, _RULES_HEADER),
        "mimir.yml": as_yaml({"namespace": "tmux_exporter", **groups}, _RULES_HEADER),
    }


def alertmanager(
    thresholds: Thresholds,
    *,
    time_scale: float = 1.0,
    webhook: str | None = None,
    filled: Mapping[str, Data] = MappingProxyType({}),
    nights: Nights | None = None,
) -> dict[str, str]:
    """Alertmanager's configuration, the same with receivers filled in, and a receiver for each service."""
    routes = alertmanager_config(
        thresholds, time_scale=time_scale, webhook=webhook, filled=filled, nights=nights
    )
    example = alertmanager_config(thresholds, time_scale=time_scale, filled=example_receivers())
    header = _FILLED_HEADER if filled else _ALERTMANAGER_HEADER
    return {
        "alertmanager.yml": as_yaml(routes, header),
        "receivers.example.yml": as_yaml(example, _RECEIVERS_HEADER),
        **{
            f"receivers/{name}.yml": as_yaml({"receivers": [{"name": "pager"} | service]}, _SERVICE_HEADER)
            for name, service in SERVICES.items()
        },
    }


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, lists indented, short lists on one line, long texts folded."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - its name
        return super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > _WIDTH - 8 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[object]) -> yaml.SequenceNode:
    short = all(isinstance(item, str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def as_yaml(data: object, header: str) -> str:
    """The data below a comment, with an empty line between its parts."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)
    return f"{header}\n{_PART.sub(_NEW_PART, text)}"
