"""Counters of agents: restarts, time per state, recovery time, and CPU time per state."""

from dataclasses import replace

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import answering, pane, table, tmux_view
from tests.support.literals.lives import SERVER, agent, shell
from tests.support.literals.scripted import Processes, Servers, sampler_of
from tmux_exporter.analysis.agents.counters import AgentCounts
from tmux_exporter.analysis.label_expiry import KEPT_SECONDS
from tmux_exporter.facts.agents import AgentState, AgentStatus, StateSource, TrackedAgent

LABELS = ("default", "$0", "lead")
UP = answering(SERVER, pane("%0", 200))


def tracked(
    state: AgentState, *, restarted: bool = False, recovered: float | None = None, since: float = 0.0
) -> TrackedAgent:
    status = AgentStatus(state=state, since=since, source=StateSource.PROCESS, why="")
    return TrackedAgent(
        server="default", session="$0", name="lead", up=True, status=status, restarted=restarted,
        recovered_seconds=recovered,
    )  # fmt: skip


def seconds(counts: AgentCounts) -> dict[str, float]:
    return {str(state): value for state, value in counts.seconds(LABELS).items() if value}


def test_time_goes_to_the_state_at_the_second_of_two_samples_and_starts_at_0() -> None:
    counts = AgentCounts()
    counts.observe([tracked(AgentState.WORKING)], [UP], at=100.0, now=100.0)
    assert counts.seconds(LABELS) == dict.fromkeys(AgentState, 0.0)
    counts.observe([tracked(AgentState.WORKING)], [UP], at=105.0, now=105.0)
    counts.observe([tracked(AgentState.WAITING)], [UP], at=110.0, now=110.0)
    counts.observe([tracked(AgentState.WAITING)], [UP], at=109.0, now=109.0)
    assert seconds(counts) == {"working": 5.0, "waiting": 5.0}


def test_at_the_slow_tick_a_state_begins_when_its_source_says_so() -> None:
    counts = AgentCounts()
    for state, since, at in (
        (AgentState.WORKING, 900.0, 1000.0),
        (AgentState.WAITING, 1003.0, 1015.0),
        (AgentState.WAITING, 1003.0, 1030.0),
        # Since when it is idle nobody tells: from this sample on.
        (AgentState.IDLE, 1045.0, 1045.0),
        # A clock that was set tells nothing.
        (AgentState.WORKING, 5000.0, 1060.0),
    ):
        counts.observe([tracked(state, since=since)], [UP], at=at, now=at)
    assert seconds(counts) == {"working": 3.0 + 15.0, "waiting": 12.0 + 15.0, "idle": 15.0}
    assert sum(seconds(counts).values()) == 60.0


def test_a_restart_counts_from_the_second_sample_on_and_recovery_per_server() -> None:
    counts = AgentCounts()
    counts.observe([tracked(AgentState.WORKING, restarted=True, recovered=3.0)], [UP], at=100.0, now=100.0)
    assert (counts.restarts(LABELS), counts.recovery()["default"].count) == (0, 0)
    counts.observe([tracked(AgentState.WORKING, restarted=True, recovered=3.0)], [UP], at=105.0, now=105.0)
    recovery = counts.recovery()["default"]
    assert (counts.restarts(LABELS), recovery.count, recovery.sum) == (1, 1, 3.0)
    assert recovery.counts[:3] == (0, 0, 1)
    assert counts.outages()["default"].count == 0, "nobody declared it, and it had not crashed"


@pytest.mark.parametrize(("declared", "had_crashed"), [(True, False), (False, True)])
def test_an_outage_is_that_of_an_agent_that_was_declared_or_had_crashed(
    *, declared: bool, had_crashed: bool
) -> None:
    counts = AgentCounts()
    counts.observe([tracked(AgentState.WORKING)], [UP], at=100.0, now=100.0)
    back = tracked(AgentState.WORKING, restarted=True, recovered=3.0)
    back = replace(back, declared=declared, had_crashed=had_crashed)
    counts.observe([back], [UP], at=105.0, now=105.0)
    counts.observe([tracked(AgentState.WORKING)], [UP], at=110.0, now=110.0)
    assert [counts.outages()["default"].count, counts.recovery()["default"].count] == [1, 1]


def test_counts_go_on_where_their_labels_come_back_and_end_when_those_are_gone_for_long() -> None:
    def after(away: float) -> tuple[int, dict[str, float]]:
        counts = AgentCounts()
        for restarted in (False, True):
            counts.observe([tracked(AgentState.WORKING, restarted=restarted)], [UP], at=100.0, now=100.0)
        counts.observe([], [UP], at=105.0, now=105.0)
        counts.observe([], [UP], at=105.0 + away, now=105.0 + away)
        for at in (110.0, 115.0):
            counts.observe([tracked(AgentState.WORKING)], [UP], at=at + away, now=at + away)
        return counts.restarts(LABELS), seconds(counts)

    assert after(KEPT_SECONDS - 1) == (1, {"working": 5.0})
    assert after(KEPT_SECONDS) == (0, {"working": 5.0})


def test_cpu_by_state_of_a_whole_sample() -> None:
    view = tmux_view(UP)
    at_work = [table(SERVER, shell(front=False), replace(agent(300), cpu_ticks=used)) for used in (500, 650)]
    tables = [at_work[0], at_work[0], at_work[1], *(table(SERVER, shell()) for _ in range(2))]
    clock = ManualClock()
    sampler = sampler_of(Processes(*tables), Servers(*[view] * 4), clock=clock)
    reports = [sampler.sample() for _ in range(4)]
    assert [each.agents[0].up for each in reports] == [True, True, True, False]
    assert [sum(each.agents[0].state_cpu_seconds_total.values()) for each in reports] == [0.0, 1.5, 1.5, 1.5]
    last = reports[-1].agents[0]
    assert (last.pid, last.state, last.usage.processes) == (None, AgentState.EXITED, 0)
    assert last.usage.cpu_seconds_total == 1.5
    assert (last.pane, last.window, last.program) == ("%0", "0", "claude")
    assert reports[-1].agent_recovery["default"].count == 0
