"""What agents spend is read of our own user's agents with a source only, and loaded for the first of them."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.literals.facts import pane_key, process, table, tmux_server
from tmux_exporter.facts.agents import Agent, TrackedAgent
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.spending import AccountQuota, SpendingCounters, UsageLimit
from tmux_exporter.sampling.stages.spending import Problems, SpendingStage

SERVER = tmux_server(100)
CLAUDE = process(200, 100, start=700)


class Watch:
    """Notes of whom it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[ProcessId], int]] = []
        self.problems: Problems = {}

    def follow(self, table: ProcessTable, agents: Sequence[Agent], earlier: int) -> None:
        assert table.uid == 1000
        self.asked.append(([each.process for each in agents], earlier))

    def limits(self) -> Mapping[ProcessId, UsageLimit]:
        return {}

    def quotas(self) -> tuple[AccountQuota, ...]:
        return ()

    def count(self, agents: Sequence[TrackedAgent], at: float) -> SpendingCounters:
        assert not agents, at
        return SpendingCounters()


def agent(program: str = "claude") -> Agent:
    return Agent(
        name="lead", pane=pane_key(SERVER, "%0"), process=CLAUDE.id, program=program, version="", role="",
        reason="", members=frozenset({CLAUDE.id}), programs=(CLAUDE.id,),
    )  # fmt: skip


Look = tuple[ProcessTable, tuple[Agent, ...]]


def look(*agents: Agent, uid: int = 1000) -> Look:
    return replace(table(SERVER, replace(CLAUDE, uid=uid)), uid=1000), agents


def opened(*samples: Look, wanted: bool = True) -> list[Watch]:
    """The watches that a stage opened for these samples."""
    watches: list[Watch] = []

    def open_watch() -> Watch:
        watches.append(Watch())
        return watches[-1]

    stage = SpendingStage(open_watch)
    for each in samples:
        stage.look(*each, wanted=wanted)
    return watches


def test_the_first_agent_with_a_source_opens_the_watch_and_it_stays() -> None:
    (watch,) = opened(look(), look(agent()), look())
    assert watch.asked == [([CLAUDE.id], 700), ([], 700)]


@pytest.mark.parametrize(
    "sample", [look(), look(agent("amp")), look(agent(), uid=1001), look(agent(), uid=0)]
)
def test_no_other_agent_opens_it(sample: Look) -> None:
    assert opened(sample) == []


def test_nothing_is_opened_where_it_is_not_wanted() -> None:
    assert opened(look(agent()), wanted=False) == []


def test_an_exporter_without_such_agents_loads_nothing_of_it() -> None:
    code = "import sys, tmux_exporter.commands.serve, tmux_exporter.web.app\nprint(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "tmux_exporter.sampling.stages.spending" in loaded
    assert not [each for each in loaded if "sources.spending" in each or "analysis.spending" in each]
    assert "tmux_exporter.sampling.stages.spending_watch" not in loaded
