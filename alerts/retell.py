"""Fill in what tests of promtool expect of the texts of messages: value, culprits, command, resolved.

`python -m alerts.retell [FILE…]`, after a text or a number has changed: it writes what the rules say now into
these or all tests, so read the difference. It touches neither labels nor descriptions nor times.
"""

import json
import re
import subprocess
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from alerts import generate
from alerts.cases import SUBJECTS
from alerts.mechanical import TOLD, labels_of, texts_of_cases, told_key
from tmux_exporter.alerting.base.text import KEYS

HERE = Path(__file__).parent
_FAILED = re.compile(r"alertname: (\w+), time: \w+, \n(.*?)\n            \]\n", re.DOTALL)
_PAIRS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ALERT = re.compile(r"Labels:\{(.*)\}\n\s+Annotations:\{(.*)\}")

Annotations = dict[str, str]
Told = dict[str, Annotations]
"""The texts by `_key`."""


def _told(paths: list[Path]) -> Told:
    """What the rules say where tests expect something else."""
    if not paths:
        return {}
    done = subprocess.run(("promtool", "test", "rules", *paths), capture_output=True, text=True, check=False)
    found: Told = {}
    for alert, answer in _FAILED.findall(done.stdout + done.stderr):
        _, _, got = answer.partition("got:[")
        for labels, annotations in _ALERT.findall(got):
            said = {key: json.loads(f'"{value}"') for key, value in _PAIRS.findall(annotations)}
            texts = {key: said[key] for key in KEYS if key in said}
            found[_key(alert, dict(_PAIRS.findall(labels)), said["description"])] = texts
    return found


def _key(alert: str, labels: Annotations, description: str) -> str:
    return json.dumps([alert, {**labels, "alertname": alert}, description], sort_keys=True)


def _rewrite(path: Path, told: Told) -> None:
    """Write the texts into a file by hand, whose other lines stay as they are."""
    lines = path.read_text().splitlines(keepends=True)
    content = yaml.load(path.read_text(), _Placed)  # noqa: S506 - it is a safe loader
    changed: dict[int, str] = {}
    for case in (case for test in content["tests"] for case in test.get("alert_rule_test", ())):
        for each in case.get("exp_alerts", ()):
            labels = {name: str(value) for name, value in each["exp_labels"].items() if name != _LINES}
            annotations = each["exp_annotations"]
            places = annotations[_LINES]
            texts = told.get(_key(case["alertname"], labels, annotations["description"]))
            if texts is None:
                continue
            for key in KEYS:
                changed |= dict.fromkeys(range(*places.get(key, (0, 0))), "")
            first, _ = places["runbook_url"]
            indent = lines[first][: -len(lines[first].lstrip(" "))]
            added = [f"{indent}{key}: {json.dumps(said)}\n" for key, said in texts.items()]
            changed[first] = "".join((lines[first], *added))
    path.write_text("".join(changed.get(number, line) for number, line in enumerate(lines)))


_LINES = ""


class _Placed(yaml.SafeLoader):
    """Reads each mapping with the lines of its values, from the first up to the one behind the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Hashable, Any]:
        lines = {key.value: (key.start_mark.line, value.end_mark.line + 1) for key, value in node.value}
        return {**super().construct_mapping(node, deep), _LINES: lines}


def main() -> None:
    """Retell all tests."""
    generate.main()
    paths = [Path(each).resolve() for each in sys.argv[1:]] or sorted((HERE / "tests").glob("**/*.yml"))
    told = _told([path for path in paths if path.parent.name == "mechanical"])
    table = texts_of_cases()
    cases = {told_key(case): case for make in SUBJECTS.values() for case in make()}
    for key, case in cases.items():
        texts = told.get(_key(case.alert, labels_of(case), case.says), table.get(key))
        if texts is not None:
            table[key] = texts
    TOLD.write_text(json.dumps({key: table[key] for key in cases if key in table}, indent=1) + "\n")
    texts_of_cases.cache_clear()
    generate.main()
    for path in paths:
        if path.parent.name != "mechanical" and "exp_annotations" in path.read_text():
            _rewrite(path, _told([path]))


if __name__ == "__main__":
    main()
