"""What agents spend is read of our own user's agents with a source only, and loaded for the first of them."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.literals.facts import answering, pane, pane_key, process, table, tmux_server, tmux_view
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import AgentSpending
from tmux_exporter.sampling.stages.spending import Labels, Problems, SpendingStage

SERVER = tmux_server(100)
CLAUDE = process(200, 100, start=700)


class Watch:
    """Notes of whom it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[ProcessId], int]] = []

    def observe(
        self, snapshot: Snapshot, agents: Sequence[Agent], earlier: int
    ) -> Mapping[Labels, AgentSpending]:
        assert snapshot.table.uid == 1000
        self.asked.append(([each.process for each in agents], earlier))
        return {}

    @property
    def problems(self) -> Problems:
        return {}


def agent(program: str = "claude") -> Agent:
    return Agent(
        name="lead", pane=pane_key(SERVER, "%0"), process=CLAUDE.id, program=program, version="", role="",
        reason="", members=frozenset({CLAUDE.id}), programs=(CLAUDE.id,),
    )  # fmt: skip


def snapshot(*agents: Agent, uid: int = 1000) -> Snapshot:
    return Snapshot(
        table=replace(table(SERVER, replace(CLAUDE, uid=uid)), uid=1000),
        view=tmux_view(answering(SERVER, pane("%0", 200))),
        owners={},
        agents=agents,
        schedulers=(),
        session_labels={},
    )


def opened(*samples: Snapshot, wanted: bool = True) -> list[Watch]:
    """The watches that a stage opened for these samples."""
    watches: list[Watch] = []

    def open_watch() -> Watch:
        watches.append(Watch())
        return watches[-1]

    stage = SpendingStage(open_watch)
    for each in samples:
        stage.observe(each, wanted=wanted)
    return watches


def test_the_first_agent_with_a_source_opens_the_watch_and_it_stays() -> None:
    (watch,) = opened(snapshot(), snapshot(agent()), snapshot())
    assert watch.asked == [([CLAUDE.id], 700), ([], 700)]


@pytest.mark.parametrize(
    "sample", [snapshot(), snapshot(agent("amp")), snapshot(agent(), uid=1001), snapshot(agent(), uid=0)]
)
def test_no_other_agent_opens_it(sample: Snapshot) -> None:
    assert opened(sample) == []


def test_nothing_is_opened_where_it_is_not_wanted() -> None:
    assert opened(snapshot(agent()), wanted=False) == []


def test_an_exporter_without_such_agents_loads_nothing_of_it() -> None:
    code = "import sys, tmux_exporter.commands.serve, tmux_exporter.web.app\nprint(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "tmux_exporter.sampling.stages.spending" in loaded
    assert not [each for each in loaded if "sources.spending" in each or "analysis.spending" in each]
    assert "tmux_exporter.sampling.stages.spending_watch" not in loaded
