"""The templates for Zabbix hold together: what a trigger names is there, numbers are those of the alerts."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.zabbix import VERSIONS, templates

NUMBERS = thresholds.load()
EXPORTS = {name: json.loads(text)["zabbix_export"] for name, text in templates(NUMBERS).items()}


def below(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of an export."""
    if isinstance(data, dict):
        yield data
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from below(each)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_template_holds_together(version: str) -> None:
    export = EXPORTS[f"{version}.json"]
    assert export["version"] == version
    found = [uuid.UUID(each["uuid"]) for each in below(export) if "uuid" in each]
    assert len(set(found)) == len(found) and {each.version for each in found} == {4}
    keys = {each["key"] for each in below(export) if "key" in each}
    (template,) = export["templates"]
    macros = {each["macro"]: each["value"] for each in template["macros"]}
    triggers = [each for each in below(export) if "priority" in each and "expression" in each]
    assert len(triggers) == 36
    for each in triggers:
        text = each["expression"]
        named = re.findall(r"/tmux agents/([\w.]+(?:\[[^]]*])?)", text)
        assert named and set(named) <= keys, text
        assert set(re.findall(r"\{\$[^}]+}", text)) <= macros.keys(), text
        assert not re.search(r"[<{](?![$#])[a-z]", text), text
        for other in each.get("dependencies", ()):
            assert other in [{key: one[key] for key in ("name", "expression")} for one in triggers]
    assert macros["{$TMUX.AGENT_MEMORY.WARNING}"] == str(NUMBERS.number("agent_memory", "warning"))
    assert macros["{$TMUX.AGENT_MEMORY.CRITICAL.FOR}"] == f"{NUMBERS.hold('agent_memory', 'P2'):g}s"


def test_both_versions_say_the_same() -> None:
    old, new = (EXPORTS[f"{version}.json"]["templates"][0] for version in VERSIONS)
    dropped = ("delay", "trends")

    def plain(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: plain(each) for key, each in data.items() if key not in dropped}
        return [plain(each) for each in data] if isinstance(data, list) else data

    assert plain(old) == plain(new)
