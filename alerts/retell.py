"""Fill in what tests of promtool expect of the texts of messages: value, culprits, command, resolved.

`python -m alerts.retell [FILE…]`, after a text or a number has changed: it writes what the rules say now, into
all tests or into these, so read the difference. It touches neither labels nor descriptions nor times.
"""

import json
import re
import subprocess
import sys
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
    text = path.read_text()
    lines: list[str | None] = [*text.splitlines(keepends=True)]
    for test in _items(yaml.compose(text), "tests"):
        for case in _items(test, "alert_rule_test"):
            alert = _value(case, "alertname").value
            for each in _items(case, "exp_alerts"):
                labels = {name.value: value.value for name, value in _value(each, "exp_labels").value}
                node = _value(each, "exp_annotations")
                texts = told.get(_key(alert, labels, _value(node, "description").value))
                if texts is None:
                    continue
                runbook = _value(node, "runbook_url")
                for name, value in node.value:
                    if name.value in KEYS:
                        lines[name.start_mark.line : value.end_mark.line + 1] = [None] * (
                            value.end_mark.line + 1 - name.start_mark.line
                        )
                indent = " " * node.start_mark.column
                line = lines[runbook.start_mark.line] or ""
                new = [f"{indent}{key}: {json.dumps(said)}\n" for key, said in texts.items()]
                lines[runbook.start_mark.line] = "".join((line, *new))
    path.write_text("".join(line for line in lines if line))


def _items(node: Any, key: str) -> list[Any]:
    found = _value(node, key)
    return [] if found is None else list(found.value)


def _value(node: Any, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


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
