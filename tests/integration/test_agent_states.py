"""The state of agents among real processes: which source tells it, and what happens where one does not."""

from collections.abc import Callable
from pathlib import Path

import libtmux
import pytest

from tests.support.played_agent import PlayedAgents
from tmux_exporter.agent_facts import AgentLife, AgentState, StateSource, WaitingReason
from tmux_exporter.analysis.explain import explain


@pytest.fixture
def agents(tmux_server: Callable[[str], libtmux.Server], socket_dir: Path) -> PlayedAgents:
    return PlayedAgents(socket_dir.parent, tmux_server("default"))


def told(life: AgentLife) -> tuple[AgentState, StateSource]:
    return life.status.state, life.status.source


def facts(agents: PlayedAgents, name: str) -> dict[str, list[str]]:
    assert agents.snapshot is not None
    found: dict[str, list[str]] = {}
    for label, value in explain(f"default/{name}", agents.snapshot).facts:
        found.setdefault(label, []).append(value)
    return found


def test_a_session_file_tells_every_state_within_one_sample(agents: PlayedAgents) -> None:
    pid = agents.start("one")
    agents.session_file(pid)
    life = agents.life("one")
    assert (*told(life), life.version) == (AgentState.IDLE, StateSource.AGENT_FILE, "2.1.197")
    agents.session_file(pid, status="busy")
    assert told(agents.look()["one"]) == (AgentState.WORKING, StateSource.AGENT_FILE)
    asked_at = life.status.since + 0.25
    agents.session_file(
        pid, status="waiting", waitingFor="permission prompt", statusUpdatedAt=int(asked_at * 1000)
    )
    status = agents.look()["one"].status
    assert (status.state, status.reason) == (AgentState.WAITING, WaitingReason.PERMISSION)
    assert abs(status.since - asked_at) < 1.0
    agents.session_file(pid, status="idle")
    assert told(agents.look()["one"]) == (AgentState.IDLE, StateSource.AGENT_FILE)


def test_a_file_that_is_not_to_be_believed_gives_way_and_explain_says_so(agents: PlayedAgents) -> None:
    pid = agents.start("one")
    agents.session_file(pid, status="busy")
    assert told(agents.life("one")) == (AgentState.WORKING, StateSource.AGENT_FILE)
    agents.session_file(pid, procStart="1")
    agents.look()
    life = agents.look()["one"]
    assert life.status.source is StateSource.WINDOW_ACTIVITY
    said = facts(agents, "one")
    assert "agent_file: its session file is that of another process" in said["not decisive"]
    assert said["told by"][0].startswith("window_activity: ")
