"""Write the shipped rules and Alertmanager's configuration, and the mechanical tests of the rules.

`make docs` runs it. With another job, more labels or other links: `tmux-exporter export rules`.
"""

from pathlib import Path

from alerts.cases import SUBJECTS
from alerts.mechanical import STEP, tests
from tmux_exporter.alerting import files as alert_files
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.files import as_yaml
from tmux_exporter.alerting.rules import rule_files

HERE = Path(__file__).parent
_TESTS_HEADER = """\
# Made by alerts/generate.py from alerts/cases/: each alert just within and just outside of its number.
"""


def files(scope: Scope) -> dict[Path, str]:
    """The text of each file, by its path below this folder."""
    return {
        **{Path("rules", name): text for name, text in alert_files.rules(scope).items()},
        **{Path("other", name): text for name, text in alert_files.rules_for_others(scope).items()},
        **{
            Path("alertmanager", name): text
            for name, text in alert_files.alertmanager(scope.thresholds, time_scale=scope.time_scale).items()
        },
    }


def test_files() -> dict[Path, str]:
    """The mechanical tests of the rules as they are shipped, by path."""
    of_files = {
        name: [str(group["name"]) for group in content["groups"]]
        for name, content in rule_files(Scope(thresholds=thresholds.load())).items()
    }
    recording = [
        name
        for name in of_files
        if name.startswith("recording/") and name not in ("recording/slo", "recording/slo_days")
    ]
    found = {}
    for subject, cases in SUBJECTS.items():
        read = [*recording, f"alerting/{subject}"]
        content = {
            "rule_files": [f"../../rules/{name}.yml" for name in read],
            "group_eval_order": [group for name in read for group in of_files[name]],
            "evaluation_interval": f"{STEP}s",
            "tests": tests(cases()),
        }
        found[Path("tests", "mechanical", f"{subject}.yml")] = as_yaml(content, _TESTS_HEADER)
    return found


def main() -> None:
    """Write the files."""
    for path, text in (files(Scope(thresholds=thresholds.load())) | test_files()).items():
        target = HERE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
