import gzip
import json
import tracemalloc
from dataclasses import replace
from typing import Any

from tests.support.literals.report import NOW, example_report, large_report
from tmux_exporter.commands.history import POINTS, STEP_SECONDS, History
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.report import Report


def at(
    seconds: float, *, cpu: float = 1.0, state: AgentState = AgentState.WORKING, up: bool = True
) -> Report:
    report = example_report()
    lead = report.agents[0]
    usage = replace(lead.usage, cpu_seconds_total=cpu, memory_bytes=5 * 1024 * 1024)
    agent = replace(lead, usage=usage, state=state, up=up)
    return replace(report, timestamp=NOW + seconds, agents=(agent,), sessions=report.sessions[:1])


def told(history: History) -> Any:
    return json.loads(gzip.decompress(history.gzipped()))


def test_a_point_is_kept_each_15_s_of_counters_bytes_and_states() -> None:
    history = History()
    for second in range(0, 46, 5):
        history.take(
            at(second, cpu=second / 10, state=AgentState.IDLE if second < 30 else AgentState.WORKING)
        )
    found = told(history)
    assert found["timestamps"] == [NOW, NOW + 15, NOW + 30, NOW + 45]
    (agent,) = found["agents"]
    assert (agent["server"], agent["session"], agent["agent"]) == ("default", "work", "lead")
    assert agent["cpu_seconds_total"] == [0.0, 1.5, 3.0, 4.5]
    assert agent["memory_bytes"] == [5 * 1024 * 1024] * 4
    assert agent["states"] == [["idle", 2], ["working", 2]]
    assert [each["session"] for each in found["sessions"]] == ["work"]


def test_what_is_not_there_is_not_known_and_is_forgotten_after_the_hour() -> None:
    history = History()
    history.take(at(0))
    history.take(at(15, up=False, state=AgentState.EXITED))
    history.take(replace(at(30), agents=()))
    (agent,) = told(history)["agents"]
    assert agent["cpu_seconds_total"] == [1.0, None, None]
    assert agent["states"] == [["working", 1], ["exited", 1], [None, 1]]
    for point in range(3, POINTS + 2):
        history.take(replace(at(STEP_SECONDS * point), agents=()))
    found = told(history)
    assert found["agents"] == []
    assert len(found["timestamps"]) == POINTS
    assert found["timestamps"][0] == NOW + 2 * STEP_SECONDS


def test_it_begins_anew_where_the_clock_went_back() -> None:
    history = History()
    history.take(at(100))
    history.take(at(0))
    assert told(history)["timestamps"] == [NOW]


def test_200_agents_cost_at_most_2_mib() -> None:
    """In 200 sessions, which is more than a fleet has."""
    report = large_report(200)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        history = History()
        for point in range(3):
            history.take(replace(report, timestamp=NOW + point * STEP_SECONDS))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held <= 2 * 1024 * 1024
