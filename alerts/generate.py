"""Write the rules and Alertmanager's configuration as YAML, from thresholds.toml.

`python -m alerts.generate` writes what is shipped here. For another job label, for runbooks that you serve
somewhere, or with receivers that post to a URL:

    python -m alerts.generate --job agents --runbooks https://wiki.example.org/tmux --output /tmp/alerts
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from alerts.cases import SUBJECTS
from alerts.mechanical import STEP, tests
from tmux_exporter.alerting import thresholds
from tmux_exporter.alerting.receivers import example_receivers
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.alerting.rules import rule_file, rule_files
from tmux_exporter.alerting.scope import RUNBOOKS, Scope

HERE = Path(__file__).parent
ALERTMANAGER = Path("alertmanager", "alertmanager.yml")
RECEIVERS = Path("alertmanager", "receivers.example.yml")
MANIFEST = Path("other", "prometheusrule.yml")
MIMIR = Path("other", "mimir.yml")

_WIDTH = 98
# A key at the margin, or an item of one of the long lists, that is not the first of its list.
_PART = re.compile(
    r"(?<!:)\n(?=\w|  - name: \w+\n    (?:rules|interval):| +- (?:alert|record|matchers|source_matchers):)"
)
_NEW_PART = "\n\n"
_MADE_BY = (
    "# Made by alerts/generate.py from alerts/thresholds.toml: change the numbers there and run `make docs`."
)
_RULES_HEADER = f"""\
{_MADE_BY}
#
# Severity, priority and threshold of an alert are labels; docs/runbooks/ has a page for each alert.
# Another value of the label job, or another place for the runbooks: python -m alerts.generate --help
"""
_TESTS_HEADER = """\
# Made by alerts/generate.py from alerts/cases/: each alert just within and just outside of its number.
"""
_ALERTMANAGER_HEADER = f"""\
{_MADE_BY}
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
{_MADE_BY}
#
# The same routes with receivers filled in: PagerDuty, Slack, e-mail and a dead man's switch. Every secret is
# in a file of its own, never in here. tmux.tmpl has the messages, with links to board and runbook.
"""


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


def files(scope: Scope, webhook: str | None) -> dict[Path, str]:
    """The text of each file, by its path below the output folder."""
    routes = alertmanager_config(scope.thresholds, time_scale=scope.time_scale, webhook=webhook)
    rules = {
        Path("rules", f"{name}.yml"): as_yaml(content, _RULES_HEADER)
        for name, content in rule_files(scope).items()
    }
    filled = alertmanager_config(scope.thresholds, time_scale=scope.time_scale, filled=example_receivers())
    groups = rule_file(scope)
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "tmux-exporter", "labels": {"app.kubernetes.io/name": "tmux-exporter"}},
        "spec": groups,
    }
    return {
        **rules,
        ALERTMANAGER: as_yaml(routes, _ALERTMANAGER_HEADER),
        RECEIVERS: as_yaml(filled, _RECEIVERS_HEADER),
        MANIFEST: as_yaml(manifest, _RULES_HEADER),
        MIMIR: as_yaml({"namespace": "tmux_exporter", **groups}, _RULES_HEADER),
    }


def test_files() -> dict[Path, str]:
    """The mechanical tests of the rules as they are shipped, by path."""
    groups = [str(group["name"]) for group in rule_file(Scope(thresholds=thresholds.load()))["groups"]]
    found = {}
    for subject, cases in SUBJECTS.items():
        recorded = [
            name for name in groups if name.endswith("_recording") and not name.startswith("tmux_slo")
        ]
        content = {
            "rule_files": [
                *(f"../../rules/recording/{_subject(name)}.yml" for name in recorded),
                f"../../rules/alerting/{subject}.yml",
            ],
            "group_eval_order": [*recorded, f"tmux_{subject}_alerting"],
            "evaluation_interval": f"{STEP}s",
            "tests": tests(cases()),
        }
        found[Path("tests", "mechanical", f"{subject}.yml")] = as_yaml(content, _TESTS_HEADER)
    return found


def _subject(group: str) -> str:
    return group.removeprefix("tmux_").removesuffix("_recording")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write rules and Alertmanager's configuration.")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into (this one)")
    parser.add_argument(
        "--job", default="tmux", help="value of the label job of the exporter's targets (tmux)"
    )
    parser.add_argument("--runbooks", default=RUNBOOKS, help=f"what runbook links begin with ({RUNBOOKS})")
    parser.add_argument("--webhook", help="URL to which every receiver posts (none)")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="factor for all durations, for tests (1)"
    )
    given = parser.parse_args(arguments)
    scope = Scope(
        thresholds=thresholds.load(), time_scale=given.time_scale, job=given.job, runbooks=given.runbooks
    )
    made = files(scope, given.webhook) | (test_files() if given.output == HERE else {})
    for path, text in made.items():
        target = given.output / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
