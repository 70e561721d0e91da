"""The loop of the remediator on an agent and on a leaked process: what is decided, done, counted and told."""

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest

from tests.support.processes.started import end_process
from tests.support.remediator.remediation import FLEET, Fleet, alive, counted, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.base.log import fields_of
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Mode, TargetKind
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.policies.policy import (
    Condition,
    LadderStep,
    Policy,
    TargetMatch,
    Throttle,
    When,
)

LADDER = (
    LadderStep(action=Action.WARN),
    LadderStep(action=Action.SNAPSHOT),
    LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=3600.0, pause=True)),
)


def policy(match: TargetMatch, metric: str, method: Method) -> Policy:
    """One that follows a figure which every process has, and ends what has it."""
    return Policy(
        name="planted",
        mode=Mode.ENFORCE,
        match=match,
        when=When(conditions=(Condition(metric=metric, above=1.0, clear_below=1.0),)),
        ladder=(
            *LADDER,
            LadderStep(action=Action.STOP, after=300.0, method=method),
            LadderStep(action=Action.KILL),
        ),
        max_match_ratio=1.0,
    )


AGENT = policy(TargetMatch(kind=TargetKind.AGENT), "tmux_agent_memory_bytes", Method.AGENT_PROCESS)


@pytest.fixture
def fleet(caplog: pytest.LogCaptureFixture) -> Iterator[Fleet]:
    caplog.set_level(logging.INFO, "tmux_exporter.remediator")
    with running_fleet() as made:
        for name, program in (("claude", "bash"), ("helper", "sleep")):
            shutil.copy(shutil.which(program) or "", made.scene.base / "bin" / name)
        yield made
        made.reset()


def agent(fleet: Fleet) -> int:
    """A played claude below the shell of a pane, with a child."""
    pid = fleet.schedule("$B/bin/claude -c 'sleep 20000; :'", "agent")
    wait_for(lambda: fleet.children(pid), "it has a child")
    return pid


def leaked(fleet: Fleet) -> tuple[int, Policy]:
    """A process whose pane is gone, and a policy that names its command line."""
    pid = fleet.scene.pid(fleet.leave_behind("$B/bin/helper 20000"))
    report, _ = LiveView(fleet.config(), fleet.clock, os.environ).look()
    (leak,) = [each for each in report.leaks if each.process.pid == pid]
    match = TargetMatch(kind=TargetKind.LEAKED_PROCESS, argv_sha256=(leak.argv_sha256,), opted_in=True)
    return pid, policy(match, "tmux_leaked_memory_bytes", Method.LEAKED_PROCESS)


def told(caplog: pytest.LogCaptureFixture) -> dict[str, Mapping[str, object]]:
    """The fields of each line about something that a policy matches, by its words."""
    return {each.message: fields_of(each) for each in caplog.records if "policy" in fields_of(each)}


def test_an_agent_goes_through_every_reported_step(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    pid = agent(fleet)
    (child,) = fleet.children(pid)
    remediator = fleet.remediator(enforce=True, policy=AGENT)
    fleet.live(remediator, 5, step=5)
    fleet.live(remediator, 1200)
    assert not alive(pid)
    end_process(child)
    assert counted(remediator).actions == {
        (Action.WARN, ActionOutcome.DONE): 1,
        (Action.SNAPSHOT, ActionOutcome.DONE): 1,
        (Action.THROTTLE, ActionOutcome.REFUSED): 1,
        (Action.STOP, ActionOutcome.DONE): 1,
    }
    lines = told(caplog)
    assert list(lines) == [
        "left alone",
        "an agent: memory above its bound",
        "snapshot of an agent: done",
        "throttle of an agent: refused",
        "ended an agent",
    ]
    for fields in lines.values():
        assert (fields["process"], fields["server"], fields["session"]) == (pid, FLEET, "main")
        assert re.fullmatch(r"tmux_agent_memory_bytes [0-9.]+[KM]iB, above 1B", str(fields["figures"]))
    since = [datetime.fromisoformat(str(fields["since"])).timestamp() for fields in lines.values()]
    # Not yet seen twice when it is left alone; then it stays the same, for its policy holds it for 5 min.
    assert since[1:] == [pytest.approx(since[1], abs=1.5)] * 4
    assert fleet.clock.time() - since[1] >= AGENT.hold


def test_an_agent_is_reported_where_no_signal_is_allowed(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    pid = agent(fleet)
    (child,) = fleet.children(pid)
    fleet.live(fleet.remediator(enforce=False, policy=AGENT), 1200)
    assert alive(pid)
    assert told(caplog)["would end an agent"]["process"] == pid
    end_process(pid)
    end_process(child)


def test_a_leaked_process_goes_through_every_step(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    pid, named = leaked(fleet)
    remediator = fleet.remediator(enforce=True, policy=named)
    fleet.live(remediator, 1200)
    assert not alive(pid)
    # What is paused is continued before it is ended: a TERM waits otherwise.
    assert counted(remediator).actions[Action.THROTTLE, ActionOutcome.DONE] == 1
    assert counted(remediator).actions[Action.STOP, ActionOutcome.DONE] == 1
    assert {fields["process"] for fields in told(caplog).values()} == {pid}
    assert list(told(caplog))[-1] == "ended a leaked process"
