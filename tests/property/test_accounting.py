"""Counters under any history of readings."""

from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.cpu.counters import GroupCounters, Totals
from tmux_exporter.facts.process import ProcessId, ProcessTable

_VALUES = st.integers(0, 10**6)
_GROUPS = ("%0", "%1", "session")

Reading = tuple[ProcessTable, Mapping[ProcessId, frozenset[str]]]


@st.composite
def _readings(draw: st.DrawFn) -> Reading:
    """Some of ten processes, with any figures, in any groups."""
    processes = [
        process(
            pid,
            start=draw(st.integers(1, 2)),
            cpu_ticks=draw(_VALUES),
            read_bytes=draw(st.none() | _VALUES),
            written_bytes=draw(st.none() | _VALUES),
        )
        for pid in draw(st.sets(st.integers(1, 10)))
    ]
    groups = {each.id: draw(st.frozensets(st.sampled_from(_GROUPS))) for each in processes}
    return table(*processes, complete=draw(st.integers(0, 4)) > 0), groups


@st.composite
def _lives(draw: st.DrawFn) -> list[Reading]:
    """Processes that live some readings long in one pane of one session, with figures that only grow."""
    readings: list[list[tuple[ProcessId, int, str]]] = [[] for _ in range(draw(st.integers(2, 8)))]
    for pid in range(1, draw(st.integers(2, 12))):
        born = draw(st.integers(0, len(readings) - 1))
        died = draw(st.integers(born, len(readings)))
        pane = draw(st.sampled_from(["%0", "%1", "%2"]))
        ticks = draw(st.integers(0, 10**9))
        for reading in readings[born:died]:
            ticks += draw(st.integers(0, 500))
            reading.append((ProcessId(pid, 1000 * born + pid), ticks, pane))
    return [
        (
            table(*(process(id_.pid, start=id_.start_ticks, cpu_ticks=ticks) for id_, ticks, _ in reading)),
            {id_: frozenset({pane, "session"}) for id_, _, pane in reading},
        )
        for reading in readings
    ]


def _all(accounts: GroupCounters[str]) -> list[Totals]:
    return [accounts.totals(group) for group in _GROUPS]


@given(st.lists(_readings(), max_size=8))
def test_counters_start_at_0_and_never_fall(history: list[Reading]) -> None:
    accounts = GroupCounters[str]()
    seen = [_all(accounts)]
    for reading in history:
        accounts.observe(*reading)
        seen.append(_all(accounts))
    assert seen[0] == seen[min(1, len(history))] == [Totals()] * len(_GROUPS)
    for before, after in pairwise(seen):
        for old, new in zip(before, after, strict=True):
            assert new.cpu_seconds >= old.cpu_seconds
            assert new.read_bytes >= old.read_bytes
            assert new.written_bytes >= old.written_bytes


@given(_lives())
def test_the_panes_of_a_session_add_up_to_it(history: list[Reading]) -> None:
    accounts = GroupCounters[str]()
    for reading in history:
        accounts.observe(*reading)
    ticks = [round(accounts.totals(group).cpu_seconds * 100) for group in ("%0", "%1", "%2", "session")]
    assert sum(ticks[:3]) == ticks[3]


@given(_lives())
def test_nothing_seen_is_lost_and_nothing_counts_twice(history: list[Reading]) -> None:
    accounts = GroupCounters[str]()
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, reading in enumerate(history):
        accounts.observe(*reading)
        for pid, each in reading[0].processes.items():
            first.setdefault(pid, each.cpu_ticks if number == 0 else 0)
            last[pid] = each.cpu_ticks
    used = sum(last[pid] - first[pid] for pid in last)
    assert round(accounts.totals("session").cpu_seconds * 100) == used
