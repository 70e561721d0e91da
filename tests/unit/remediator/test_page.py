"""`docs/remediator.md` against the code: every word that the remediator can say, every number it goes by."""

import re
from pathlib import Path

from tmux_exporter.base import paths
from tmux_exporter.facts.remediation import ActionOutcome, Refusal
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS

PAGE = (Path(__file__).parents[3] / "docs" / "remediator.md").read_text()
POLICY = ORPHANED_SCHEDULERS


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_refusal_has_its_mend() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", section("Why was it left alone?"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(Refusal)


def test_every_outcome_is_explained() -> None:
    told = section("Why was it left alone?").split("{action,outcome}`:")[1].split(".")[0]
    assert re.findall(r"`(\w+)`", told) == list(ActionOutcome)


def test_its_numbers_are_those_of_the_policy() -> None:
    text = " ".join(section("When one is ended").split())
    assert f"| {POLICY.hold / 60:g} min | every sample" in text
    assert f"| {(POLICY.hold + POLICY.stop_after) / 60:g} min | it is ended" in text
    assert f"{POLICY.grace:g} s later SIGKILL" in text
    assert f"in the first {POLICY.warmup / 60:g} minutes" in text
    assert f"less than {POLICY.remaining:g} s are left" in text
    assert f"{POLICY.per_cycle} times in a cycle and {POLICY.per_hour} times an hour" in text
    share = f"{POLICY.max_match_ratio:.0%}".replace("%", " %")
    few = f"more than {POLICY.max_match_few} and more than {share} of all schedulers"
    assert f"more than {POLICY.max_match} match, or {few}" in text
    assert POLICY.budget_window == 3600


def test_its_files_are_those_of_the_code() -> None:
    for name in (
        paths.REMEDIATOR_AUDIT,
        paths.REMEDIATOR_LOCK,
        paths.REMEDIATOR_OFF,
        paths.REMEDIATOR_STATUS,
    ):
        assert f"| `{name}` (" in section("Files")
