"""Everybody's turn comes in time, and no sooner than needed."""

from collections import Counter

import pytest

from tmux_exporter.sources.processes.fast_reader import RoundRobin


@pytest.mark.parametrize("members", [1, 3, 7, 100, 1000])
@pytest.mark.parametrize("interval", [0.25, 5, 7, 59, 60, 300])
def test_everybody_once_in_the_time(members: int, interval: float) -> None:
    turns = RoundRobin(60)
    turns.add(range(members))
    assert turns.due(0, range(members)) == list(range(members))
    seen: Counter[int] = Counter()
    readings = int(600 / interval)
    counts = []
    for number in range(1, readings + 1):
        due = turns.due(number * interval, range(members))
        counts.append(len(due))
        seen.update(due)
    rounds = 10 if interval <= 60 else readings
    assert set(seen) == set(range(members))
    assert all(rounds - 1 <= times <= rounds + 1 for times in seen.values())
    assert max(counts) - min(counts) <= 1


def test_who_is_gone_is_forgotten_and_who_is_new_waits() -> None:
    turns = RoundRobin(10)
    turns.add([1, 2, 3])
    turns.due(0, {1, 2, 3})
    turns.add([3, 4])
    assert turns.due(5, {1, 3, 4}) == [1]
    assert turns.due(10, {1, 3, 4}) == [3]
    assert turns.due(20, {1, 3, 4}) == [4, 1, 3]


def test_a_storm_of_those_who_come_and_go_leaves_little_behind() -> None:
    turns = RoundRobin(3600)
    for number in range(100):
        turns.add(range(number * 1000, number * 1000 + 1000))
        turns.due(number, range(10))
    assert len(turns._waiting) <= 120
    assert sorted(turns.due(8000, range(10))) == list(range(10))
