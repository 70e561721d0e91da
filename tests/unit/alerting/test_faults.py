"""How each alert was made to fire: all are told of, each once, and the rules then are ours, only quicker."""

from collections import Counter
from typing import Any

import pytest

from tests.support.alert_faults.numbers import LOWERED, SCALE, lowered
from tests.support.alert_faults.tables import MADE_UP, PLANTED, RECORDED, page
from tests.support.alerts.files import ALERTS
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope, duration
from tmux_exporter.alerting.base.thresholds import Thresholds
from tmux_exporter.config.parsers import parse_duration

NUMBERS = thresholds.load().tables


def alerts_of(tables: Any, time_scale: float = 1.0) -> list[dict[str, Any]]:
    return rules.alerts(Scope(thresholds=Thresholds(tables=tables), time_scale=time_scale))


OURS = alerts_of(NUMBERS)


def test_every_alert_is_in_exactly_one_table() -> None:
    told = Counter([*{each.alert for each in PLANTED}, *RECORDED, *MADE_UP])
    assert told == Counter({each["alert"] for each in OURS})


def test_every_level_of_an_alert_is_planted() -> None:
    planted = {(each.alert, level) for each in PLANTED for level in each.levels or ("",)}
    levels = {(each["alert"], each["labels"].get("threshold", "")) for each in OURS}
    assert planted == {each for each in levels if each[0] not in MADE_UP.keys() | RECORDED.keys()}


def test_the_page_is_that_of_the_tables() -> None:
    assert (ALERTS / "proof.md").read_text() == page(), "run `make docs`"


@pytest.mark.parametrize("table", LOWERED)
def test_a_changed_number_is_told_of_where_its_alert_is(table: str) -> None:
    changed = alerts_of(lowered(NUMBERS, {table: LOWERED[table]}))
    moved = {each["alert"] for each, other in zip(OURS, changed, strict=True) if each != other}
    assert moved
    assert {each.alert for each in PLANTED if each.number} >= moved


def test_whatever_says_that_a_number_was_changed_has_one() -> None:
    changed = alerts_of(lowered(NUMBERS, LOWERED))
    moved = {each["alert"] for each, other in zip(OURS, changed, strict=True) if each != other}
    assert {each.alert for each in PLANTED if each.number} == moved


def test_all_patience_is_divided_by_the_same() -> None:
    for each, quick in zip(OURS, alerts_of(NUMBERS, SCALE), strict=True):
        assert without_times(each) == without_times(quick)
        if patience := each.get("for"):
            assert quick["for"] == duration(seconds(patience), SCALE)


def without_times(rule: dict[str, Any]) -> dict[str, Any]:
    """What a message says of a bound has a duration, too."""
    notes = {name: text for name, text in rule["annotations"].items() if name not in ("value", "resolved")}
    return {**rule, "for": "", "expr": "", "annotations": notes}


def seconds(text: str) -> float:
    return 0.0 if text == "0s" else parse_duration(text)


def test_a_number_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(KeyError):
        lowered(NUMBERS, {"host_cpu": {"waning": 0.5}})
