"""A limit of an agent ends the tool that holds the figure, with its workers; agent and innocents live."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.processes.started import end_process
from tests.support.remediator.leaking_tool import MIB, tool
from tests.support.remediator.policies import write
from tests.support.remediator.process import RemediatorProcess, command
from tests.support.remediator.remediation import Fleet, alive, counted, running_fleet
from tests.support.remediator.stage import make_programs
from tests.support.wait import wait_for
from tmux_exporter.base.log import fields_of
from tmux_exporter.commands.views.audit import load
from tmux_exporter.facts.remediation import (
    Action,
    ActionOutcome,
    CulpritKind,
    Method,
    Mode,
    Reclaimed,
    Refusal,
    TargetKind,
)
from tmux_exporter.remediator.policies.policy import (
    Condition,
    LadderStep,
    Policy,
    SnapshotPart,
    TargetMatch,
    When,
    Whom,
)
from tmux_exporter.remediator.record.replay import differences

POLICY = Policy(
    name="agent-memory",
    mode=Mode.ENFORCE,
    match=TargetMatch(kind=TargetKind.AGENT),
    when=When(
        conditions=(Condition(metric="tmux_agent_memory_bytes", above=48.0 * MIB, clear_below=40.0 * MIB),)
    ),
    whom=Whom.CULPRIT,
    ladder=(
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.SNAPSHOT, parts=(SnapshotPart.STATUS,)),
        LadderStep(action=Action.STOP, after=60.0, method=Method.AGENT_PROCESS, grace=0.3),
        LadderStep(action=Action.KILL),
    ),
    max_match_ratio=1.0,
)


@pytest.fixture
def fleet(caplog: pytest.LogCaptureFixture) -> Iterator[Fleet]:
    caplog.set_level(logging.INFO, "tmux_exporter.remediator")
    with running_fleet() as made:
        make_programs(made.scene.base)
        yield made
        made.reset()


def test_only_the_leaking_tool_ends_with_its_worker(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    agent, leaking = tool(fleet, "leaky")
    innocent = fleet.schedule("$B/bin/claude -c 'sleep 20000; :'", "innocent")
    wait_for(lambda: fleet.children(innocent), "it has a child")
    bystanders = [agent, innocent, *fleet.children(innocent), fleet.sleep_of(agent)]
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    fleet.live(remediator, 5, step=5)
    fleet.live(remediator, 900)
    assert alive(*bystanders)
    assert not any(alive(each) for each in leaking)
    assert counted(remediator).actions == {
        (Action.WARN, ActionOutcome.DONE): 1,
        (Action.SNAPSHOT, ActionOutcome.DONE): 1,
        (Action.STOP, ActionOutcome.DONE): 1,
    }
    assert counted(remediator).culprits == {(Action.STOP, CulpritKind.DESCENDANT): 1}
    # Both of them had written to all of it.
    assert 80 * MIB <= counted(remediator).reclaimed[Reclaimed.MEMORY] < 160 * MIB
    (intent,) = [each for each in fleet.records() if each["kind"] == "intent"]
    (outcome,) = [each for each in fleet.records() if each.get("of") == intent["seq"]]
    culprit = intent["culprit"][0]
    assert culprit in leaking and [each[0] for each in intent["processes"]] == [agent]
    assert {each["process"][0] for each in intent["evidence"]["members"]} == set(leaking)
    assert outcome["left"] == []
    ((metric, value, bound, held, over),) = intent["reasons"]
    assert (metric, bound, over) == ("tmux_agent_memory_bytes", 48 * MIB, None)
    (row,) = [each for each in load(fleet.audit).as_table().splitlines() if " intent " in each]
    assert "memory " in row and ", above 48MiB; it holds " in row and f"; held by pid {culprit} " in row
    assert 80 * MIB <= held <= value and intent["held"] >= POLICY.hold
    assert list(differences(json.loads(line) for line in fleet.audit.read_bytes().splitlines())) == []
    told = {each.getMessage(): fields_of(each) for each in caplog.records if "policy" in fields_of(each)}
    assert f"an agent: memory above its bound, held by pid {culprit}" in told
    ended = told["ended a process of an agent"]
    assert (ended["process"], ended["culprit"]) == (agent, culprit)
    assert str(ended["culprit_name"]).startswith("python3") and str(ended["culprit_holds"]).endswith("MiB")
    (snapshot,) = (fleet.state / "snapshots").iterdir()
    assert json.loads(snapshot.read_bytes())["process"][0] == culprit


@pytest.mark.long
def test_two_tools_that_hold_half_of_it_each_are_told_of_and_live(fleet: Fleet) -> None:
    agent, leaking = tool(fleet, "two", count=2)
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    fleet.live(remediator, 1200)
    assert alive(agent, *leaking)
    status = counted(remediator)
    assert status.actions == {(Action.WARN, ActionOutcome.DONE): 1, (Action.SNAPSHOT, ActionOutcome.DONE): 1}
    assert status.refusals[Refusal.NO_CULPRIT] == 1
    end_process(agent)
    for each in leaking:
        end_process(each)


@pytest.mark.long
def test_a_policy_for_the_tree_ends_the_agent_with_what_it_has_started(fleet: Fleet) -> None:
    agent, leaking = tool(fleet, "whole", count=2)
    sleep = fleet.sleep_of(agent)
    fleet.live(fleet.remediator(enforce=True, policy=replace(POLICY, whom=Whom.TREE)), 900)
    assert not any(alive(each) for each in (agent, sleep, *leaking))


SHIPPED = Path(__file__).parents[2] / "deploy" / "policies" / "agent-memory.yml"


def test_explain_names_the_figure_its_bound_and_the_culprit(fleet: Fleet, tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace("above: 4GiB, clear_below: 3.5GiB", "above: 48MiB, clear_below: 40MiB")
    agent, leaking = tool(fleet, "told")
    path = str(write(tmp_path, text))
    flags = ("--policy", path, "--interval", "100ms")
    running = RemediatorProcess(fleet.environ, fleet.home / "log", *flags)
    running.wait(lambda: [each.matches for each in running.policies().values()] == [1], "it is seen to match")
    matched_by = time.time()
    assert running.end() == 0
    done = command(fleet.environ, "explain", str(agent), *flags, "--json")
    assert done.returncode == 0, done
    (row,) = json.loads(done.stdout)["matches"]
    assert row["figures"].startswith("tmux_agent_memory_bytes ") and row["figures"].endswith(", above 48MiB")
    assert int(row["culprit"]) in leaking and row["culprit_name"].startswith("python3")
    assert row["culprit_holds"].endswith("MiB")
    since = datetime.strptime(row["since"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert since <= matched_by, "since when the remediator has seen it, not this command"
