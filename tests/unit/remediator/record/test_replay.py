"""Every decision can be derived again from what the audit holds of it, and a changed record shows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.remediator.orders import KILL, STOP
from tests.support.remediator.orphans import WALL, orphan, seen
from tests.unit.remediator.decide.test_last_checks import CASES as EVIDENCE
from tests.unit.remediator.decide.test_last_checks import SHELL, SLEEP, agent, leaked, order
from tests.unit.remediator.decide.test_last_checks import evidence as of_pair
from tests.unit.remediator.decide.test_vetoes import AGENT, DECOYS, LEAK, OTHERS, SEEN, SERVERLESS, case, hung
from tmux_exporter.facts.remediation import Action, Method, Refusal
from tmux_exporter.remediator.decide.last_checks import ProcessEvidence, failed_check
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.vetoes import Case, Subject, refusal
from tmux_exporter.remediator.record.audit_fields import of_order
from tmux_exporter.remediator.record.replay import decide, differences

ORDER = order(Method.SCHEDULER_PAIR, SHELL, SLEEP)
SOUND = case(orphan(), seen(orphan()))
BESIDE = ((), (hung("/tmp/tmux-1000/beside"),), (hung("/tmp/tmux-1000/work"),), (hung("/x", pid=None),))
"""What may hang beside a scheduler without a server."""

SCHEDULERS = [
    case(report.schedulers[0], report)
    for reports in DECOYS.values()
    for report in reports
    if report.schedulers
]


def record(
    kind: str,
    reason: Refusal | None = None,
    *,
    evidence: ProcessEvidence | None,
    look: Case | None,
    ordered: Order = ORDER,
    before: Action | None = None,
) -> dict[str, Any]:
    """A record as it is read back from the file."""
    words = of_order(ordered, before, evidence, look)
    told: dict[str, Any] = json.loads(
        json.dumps({"seq": 7, "kind": kind, **words, "refusal": reason}, allow_nan=False)
    )
    return told


@pytest.mark.parametrize(("guard", "found"), EVIDENCE)
def test_proc_is_judged_again_alike(guard: Callable[[ProcessEvidence], bool], found: ProcessEvidence) -> None:
    failed = failed_check(found)
    assert failed is not None and failed.holds is guard
    assert decide(record("refusal", failed.refusal, evidence=found, look=None)) is failed.refusal


@pytest.mark.parametrize(
    "looked",
    [
        *SCHEDULERS,
        *(each for cases in OTHERS.values() for each in cases),
        *(case(SERVERLESS, seen(SERVERLESS, servers=servers)) for servers in BESIDE),
    ],
)
def test_what_a_report_showed_is_judged_again_as_it_was(looked: Case) -> None:
    told = record("refusal", refusal(looked), evidence=of_pair(), look=looked)
    assert decide(told) is refusal(looked)
    assert list(differences([told])) == []


def without_its_times(look: dict[str, Any]) -> dict[str, Any]:
    """A look as it was recorded before looks were told by their times."""
    servers = [{k: v for k, v in each.items() if k != "listing_taken_at"} for each in look["servers"]]
    subject = {**look["subject"], "judged_at": None} if "state" in look["subject"] else look["subject"]
    return {**look, "servers": servers, "subject": subject}


@pytest.mark.parametrize(("taken", "reason"), [(WALL - 29.0, None), (WALL - 31.0, Refusal.STALE)])
@pytest.mark.parametrize("subject", [AGENT, LEAK, SERVERLESS])
def test_old_records_are_judged_by_their_sample(
    subject: Subject, taken: float, reason: Refusal | None
) -> None:
    looked = case(subject, replace(SEEN, timestamp=taken))
    told = record("refusal", reason, evidence=of_pair(), look=looked)
    told["look"] = without_its_times(told["look"])
    assert decide(told) is reason


@pytest.mark.parametrize(
    ("evidence", "look"),
    [(of_pair(), SOUND), (agent(), case(AGENT, SEEN)), (leaked(), case(LEAK, SEEN, below=(510,)))],
)
def test_an_act_follows_from_its_record(evidence: ProcessEvidence, look: Case) -> None:
    assert list(differences([record("intent", evidence=evidence, look=look)])) == []


def test_what_is_no_decision_is_passed_over() -> None:
    assert list(differences([{"seq": 1, "kind": "start"}, {"seq": 2, "kind": "outcome", "of": 1}])) == []


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": None}, {"look": None}, {"stages": [["kill", "KILL", 5.0]]}, {"before": "kill"},
        {"before": "sideways"}, {"stages": "x"}, {"look": {"subject": {}}},
    ],
)  # fmt: skip
def test_an_act_that_does_not_follow_is_told(change: Mapping[str, object]) -> None:
    (words,) = differences([{**record("intent", evidence=of_pair(), look=SOUND), **change}])
    assert words.startswith("record 7: ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("evidence", "complete"), False), (("evidence", "uid"), 4711), (("evidence", "is_pure"), False),
        (("evidence", "children"), []), (("look", "complete"), False), (("look", "monotonic"), 1e6),
        (("look", "subject", "state"), "firing"), (("look", "subject", "aimed"), ["other"]),
        (("look", "terms", "warmup"), 1e9),
    ],
)  # fmt: skip
def test_each_changed_fact_shows(path: tuple[str, ...], value: object) -> None:
    told = record("intent", evidence=of_pair(), look=SOUND)
    assert list(differences([told])) == []
    place = told
    for name in path[:-1]:
        place = place[name]
    assert path[-1] in place
    place[path[-1]] = value
    (words,) = differences([told])
    assert words.startswith("record 7: says end it; its evidence says ")


def test_a_refusal_for_what_no_record_can_hold_is_taken_at_its_word() -> None:
    for reason in (Refusal.CHANGED, Refusal.HELD, Refusal.PROTECTED):
        assert list(differences([record("refusal", reason, evidence=of_pair(), look=SOUND)])) == []
    # But one that the record speaks against is not.
    wrong = record("refusal", Refusal.BLIND, evidence=of_pair(), look=SOUND)
    assert list(differences([wrong])) == ["record 7: says blind; its evidence says end it"]


def test_the_order_of_the_signals_is_judged_too() -> None:
    killing = replace(ORDER, stages=(KILL,))
    assert decide(record("intent", evidence=of_pair(), look=SOUND, ordered=killing)) is Refusal.NOT_STOPPED
    again = record("intent", evidence=of_pair(), look=SOUND, ordered=killing, before=Action.STOP)
    assert decide(again) is None
    assert (
        decide(record("intent", evidence=of_pair(), look=SOUND, ordered=replace(ORDER, stages=(STOP,))))
        is None
    )


def test_no_word_of_a_command_line_is_in_a_record() -> None:
    text = json.dumps(record("intent", evidence=of_pair(), look=SOUND))
    for word in ("secret text", "send-keys", "gone:0", "bash", "no target"):
        assert word not in text
