"""Days of `alerts/days/`: what is told on them, and that they show what rules read."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.days.__main__ import ALL_DAYS, shipped
from alerts.days.bad import Bad
from alerts.days.firing import Firing
from alerts.days.mutants import MUTANTS
from alerts.days.ordinary import BOUNDS, DAYS, TIMES, Day
from alerts.days.play import (
    BAD,
    Mutant,
    Play,
    Rules,
    by_prometheus,
    by_promtool,
    play_bad,
    play_both,
    play_days,
)
from alerts.days.world import Agent, Doing, Host

RULES = shipped()
KEEPING = shipped(keep_firing=True)
GROUPS = [group for group in RULES.groups if re.fullmatch("tmux_(agents|exporter)_.*alerting", group["name"])]
TOGETHER = {
    name: [day for day in ALL_DAYS if name in (day.together, day.name)]
    for name in dict.fromkeys(day.together or day.name for day in ALL_DAYS)
}
"""Days by what they are played with."""


def test_the_bounds_are_those_that_were_written_down_first() -> None:
    assert BOUNDS == {"P1": 0, "P2": 0, "P3": 3, "P4": 10} and TIMES == 2
    assert len({day.name for day in DAYS}) == len(DAYS) == 19


def test_each_level_of_each_alert_has_a_bad_day() -> None:
    rules = [rule for group in RULES.groups for rule in group["rules"] if "alert" in rule]
    told = {
        (rule["alert"], *(rule["labels"].get(name, "") for name in ("threshold", "priority")))
        for rule in rules
    }
    assert {(bad.alert, bad.level, bad.priority) for bad in BAD} == told - {("Watchdog", "", "")}


def test_each_series_that_a_rule_reads_is_shown_on_a_day() -> None:
    busy = next(day for day in DAYS if day.name.startswith("builds")).hosts()
    shown = {"up", "ALERTS"}
    for host in [*busy, *(bad.plays() for bad in BAD)]:
        shown |= {*host.changes, *host.figures}
        # The second scrape is within the fault.
        shown |= {name for _, page in replace(host, interval=3900).scrapes(4000) for name in page or {}}
    names = {name.partition("{")[0] for name in shown}
    rules = [rule for group in RULES.groups for rule in group["rules"]]
    recorded = {rule.get("record") for rule in rules}
    read = {name for rule in rules for name in re.findall(r"[a-zA-Z_:][\w:]*(?=\{)", rule["expr"])}
    assert read - recorded - names == set()


ASKS = Bad(alert="TmuxAgentWaiting", priority="P3", who={"agent": "one"}, within=600)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([], "told 0 times"),
        ([("TmuxAgentWaiting", "two", 3900, 6400)], "beside"),
        ([("TmuxAgentWaiting", "one", 3900, 6400), ("TmuxAgentStuck", "one", 4000, 6400)], "beside"),
        ([("TmuxAgentWaiting", "one", 4300, 6400)], "told after 700 s"),
        ([("TmuxAgentWaiting", "one", 3500, 6400)], "told after -100 s"),
        ([("TmuxAgentWaiting", "one", 3900, 5000), ("TmuxAgentWaiting", "one", 5100, 6400)], "told 2 times"),
        ([("TmuxAgentWaiting", "one", 3900, 7200)], "900 s longer"),
        ([("TmuxAgentWaiting", "one", 3900, 6400)], ""),
    ],
)
def test_what_is_told_wrongly_on_a_bad_day_is_a_problem(
    told: list[tuple[str, str, int, int]], problem: str
) -> None:
    fired = [firing(name, agent, begins, ends, instance=ASKS.name) for name, agent, begins, ends in told]
    problems = list(ASKS.problems(fired))
    assert bool(problems) == bool(problem) and problem in " ".join(problems)


def firing(name: str, agent: str, begins: int = 0, ends: int = 60, **labels: str) -> Firing:
    return Firing(
        labels={"alertname": name, "priority": "P3", "agent": agent, **labels}, begins=begins, ends=ends
    )


def test_what_breaks_the_bounds_of_an_ordinary_day_is_a_problem() -> None:
    day, quiet = Day(name="a", hosts=list, waits=1), Day(name="b", hosts=list, nobody=True)
    four = [firing("TmuxAgentStuck", str(number)) for number in range(4)]
    waits = firing("TmuxAgentWaiting", "x")
    assert list(day.problems([*four[:3], waits])) == []
    assert list(day.problems(four)) == ["a: 4 P3"]
    assert list(day.problems([*four[:3], waits, firing("TmuxAgentWaiting", "y")])) == ["a: 4 P3"]
    assert list(day.problems([firing("TmuxAgentStuck", "x", priority="P2")])) == ["a: 1 P2"]
    assert list(day.problems([four[0]] * 3)) == ["a: TmuxAgentStuck 3 times"]
    assert list(quiet.problems([waits])) == ["b: 1 P3"]
    assert list(quiet.problems([replace(waits, told=False)])) == []


@pytest.mark.parametrize("play", [by_prometheus, by_promtool])
def test_what_a_host_does_is_told_when_it_begins_and_ends_and_a_lost_scrape_does_not_end_it(
    tmp_path: Path, play: Callable[..., list[Firing]]
) -> None:
    asks = Agent(
        name="asks",
        session="s",
        plan=[(0.0, Doing()), (600.0, Doing(state="waiting")), (2400.0, Doing(state="working", cores=0.2))],
    )
    host = Host(instance="a:1", agents=[asks], interval=60, phase=30, unreachable=((1500, 1600),))
    (told,) = play(tmp_path / "day", [host], Rules(groups=GROUPS, routes=RULES.routes), until=3600)
    assert (told.name, told.priority, told.labels["agent"], told.told) == (
        "TmuxAgentWaiting",
        "P3",
        "asks",
        True,
    )
    assert (told.begins, told.ends) == (1320, 2460)


def test_a_mutant_must_be_of_a_rule() -> None:
    with pytest.raises(ValueError, match="is not in its rule"):
        Mutant(day="", alert="TmuxServerEnded", old="no such guard").of(RULES)
    for mutant in MUTANTS:
        assert mutant.of(RULES) != [
            rule
            for group in RULES.groups
            for rule in group["rules"]
            if rule.get("alert") == mutant.alert and rule["labels"].get("threshold", "") == mutant.level
        ]


# Whole days.


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("days", TOGETHER.values(), ids=TOGETHER)
def test_an_ordinary_day_keeps_its_bounds(tmp_path: Path, days: list[Day]) -> None:
    """With either engine; and each weakened rule breaks them on its day."""
    survivors = [mutant for mutant in MUTANTS if mutant.day in {day.name for day in days}]

    def seen(mutant: Mutant, fired: list[Firing]) -> None:
        (day,) = (each for each in days if each.name == mutant.day)
        if list(day.problems(day.own(fired))):
            survivors.remove(mutant)

    problems = [
        problem
        for day, *both in play_both(tmp_path, days, RULES, KEEPING, mutants=tuple(survivors), seen=seen)
        for fired in both
        for problem in day.problems(fired)
    ]
    assert (problems, survivors) == ([], [])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_bad_day_is_told_to_the_right_person_in_time_and_once(tmp_path: Path) -> None:
    assert list(play_bad(tmp_path, RULES, KEEPING)) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["an empty tmux in the evening", "few operations"])
def test_promtool_tells_the_same_as_prometheus(tmp_path: Path, name: str) -> None:
    def told(play: Play, folder: str) -> list[Firing]:
        day = next(each for each in DAYS if each.name == name)
        ((_, fired),) = play_days(tmp_path / folder, [day], RULES, play)
        return sorted(fired, key=repr)

    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    assert told(by_prometheus, "one") == told(by_promtool, "other")
