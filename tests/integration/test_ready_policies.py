"""The policies of deploy/policies, as they are but for thresholds: each of their steps is taken for real.

Real tmux, real processes and the waits of the files; only the clock is moved on.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.alert_faults.programs import AGENT
from tests.support.remediator.leaking_tool import MIB, tool
from tests.support.remediator.left_behind import leave, start_in_pane
from tests.support.remediator.policies import read
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, alive, counted, running_fleet
from tests.support.remediator.shipped_policies import DOUBLE
from tests.support.remediator.stage import DEAF_ORPHAN, make_programs
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_PLAN
from tmux_exporter.commands.views.ready_policies import ready_policies
from tmux_exporter.facts.remediation import Action, ActionOutcome, CulpritKind, Reclaimed
from tmux_exporter.remediator.loop import Remediator
from tmux_exporter.remediator.policies.policy import Policy, PolicySet
from tmux_exporter.remediator.record import plan
from tmux_exporter.sampling.state_file import boot_id

pytestmark = pytest.mark.long

FOLDER = Path(__file__).parents[2] / "deploy" / "policies"
HOUR = 3600.0
DRIVEN = {
    "agent-memory", "dead-panes", "detached-history", "duplicate-schedulers", "idle-agents", "left-servers",
    "open-files", "orphaned-schedulers", "runaway-leaks",
}  # fmt: skip
"""Each has a test of its own below, which is called as it is."""


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with running_fleet() as made:
        make_programs(made.scene.base)
        yield made
        made.reset()


class Driven:
    """One of the files, with some of its words changed, and a remediator that enforces it."""

    def __init__(self, fleet: Fleet, name: str, changes: dict[str, str] | None = None) -> None:
        text = (FOLDER / f"{name}.yml").read_text()
        for shipped, lowered in (changes or {}).items():
            assert text.count(shipped) == 1, f"{name} has no such words any more: {shipped}"
            text = text.replace(shipped, lowered)
        (found,) = read(fleet.home, text).policies
        self.fleet = fleet
        self.policy: Policy = replace(found, servers=(FLEET, OTHER))
        self.remediator: Remediator = fleet.remediator(enforce=True, policy=self.policy)
        self.remediator.cycle()

    def live(self, seconds: float, *, step: float = 300.0) -> None:
        self.fleet.live(self.remediator, seconds, step=step)

    @property
    def came(self) -> dict[tuple[Action, ActionOutcome], int]:
        return dict(counted(self.remediator).actions)

    def check(self, *more: tuple[Action, ActionOutcome]) -> None:
        """Each step had its effect, a stop none before a kill; what a late look refused was done later."""
        done = {action for action, outcome in self.came if outcome is ActionOutcome.DONE}
        assert {rung.action for rung in self.policy.ladder} == done, self.came
        others = {each for each in self.came if each[1] is not ActionOutcome.DONE}
        assert others - {(Action.STOP, ActionOutcome.REFUSED)} == set(more)

    def apply(self) -> list[tuple[bool, str]]:
        """What a person makes of the plan that it has kept."""
        self.remediator.close()
        content = (self.fleet.state / REMEDIATOR_PLAN).read_bytes()
        found = plan.read(
            content, plan.digest(content), PolicySet(policies=(self.policy,)),
            wall=self.fleet.clock.time(), boot=boot_id("/proc"), uid=os.getuid(),
        )  # fmt: skip
        applier = self.fleet.remediator(enforce=True, policy=self.policy)
        return [applier.apply(order) for order in found.orders]


def speaking(fleet: Fleet, name: str, *, status: str, **role: int) -> str:
    """The command of an agent that says of itself what it does, as Claude Code does."""
    (fleet.scene.base / "claude").write_text(AGENT)
    (fleet.scene.base / name).write_text(json.dumps({"says": {"status": status}, **role}))
    return f"HOME={fleet.home} {sys.executable} -SP $B/claude $B/{name}"


SURVIVED = (Action.STOP, ActionOutcome.SURVIVED)


def test_each_of_them_is_driven_here() -> None:
    assert {each.name for each in ready_policies()} == DRIVEN
    assert {f"test_{name.replace('-', '_')}" for name in DRIVEN} <= globals().keys()


def test_orphaned_schedulers(fleet: Fleet) -> None:
    pids = [*fleet.orphan(), fleet.schedule(DEAF_ORPHAN.format(target="gone:0"), "deaf")]
    armed = fleet.schedule(DOUBLE, "armed")
    driven = Driven(fleet, "orphaned-schedulers")
    driven.live(1500)
    assert not any(alive(each) for each in pids) and alive(armed)
    driven.check(SURVIVED)
    assert fleet.fired() == ""


def test_agent_memory(fleet: Fleet) -> None:
    agent, leaking = tool(fleet, "leaks")
    other, deaf = tool(fleet, "deaf", deaf=True)
    innocent = fleet.schedule("$B/bin/claude -c 'sleep 20000; :'", "innocent")
    bounds = {
        "above: 4GiB, clear_below: 3.5GiB": "above: 48MiB, clear_below: 40MiB",
        "memory_high: 4GiB": "memory_high: 64MiB",
    }
    driven = Driven(fleet, "agent-memory", bounds)
    driven.live(600)
    assert driven.came[Action.THROTTLE, ActionOutcome.DONE] == 2
    assert alive(agent, other, innocent, *leaking, *deaf)
    driven.live(1500)
    assert alive(agent, other, innocent)
    assert not any(alive(each) for each in (*leaking, *deaf))
    driven.check(SURVIVED)
    status = counted(driven.remediator)
    assert status.culprits[Action.THROTTLE, CulpritKind.DESCENDANT] == 2
    assert status.culprits[Action.KILL, CulpritKind.DESCENDANT] == 1
    assert status.reclaimed[Reclaimed.MEMORY] >= 160 * MIB


def test_left_servers(fleet: Fleet) -> None:
    (fleet.scene.base / "mcp-server.py").write_text(
        "import signal, sys, time\n"
        "if len(sys.argv) > 1:\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "time.sleep(20000)\n"
    )
    command = f"{sys.executable} $B/mcp-server.py"
    started = [start_in_pane(fleet, "left", command), start_in_pane(fleet, "deaf", f"{command} deaf")]
    used, _ = start_in_pane(fleet, "used", command)
    driven = Driven(fleet, "left-servers")
    leave(fleet, driven.remediator, *(pane for _, pane in started))
    driven.live(4 * HOUR)
    assert alive(*(pid for pid, _ in started)), "they have been left for two hours, and are told of"
    driven.live(HOUR)
    assert not any(alive(pid) for pid, _ in started) and alive(used)
    driven.check(SURVIVED)


def test_runaway_leaks(fleet: Fleet) -> None:
    (fleet.scene.base / "busy.sh").write_text("while :; do :; done\n")
    (fleet.scene.base / "deaf-busy.sh").write_text("trap '' TERM\nwhile :; do :; done\n")
    (fleet.scene.base / "calm.sh").write_text("sleep 20000; :\n")
    *started, (calm, pane) = (
        start_in_pane(fleet, name, f"$B/bin/claude $B/{name}.sh") for name in ("busy", "deaf-busy", "calm")
    )
    # The clock runs faster than the processes do; each window of five minutes has enough samples.
    rates = {"above: 54s/min, clear_below: 18s/min": "above: 6ms/min, clear_below: 3ms/min"}
    driven = Driven(fleet, "runaway-leaks", rates)
    leave(fleet, driven.remediator, pane, *(pane for _, pane in started))
    driven.live(HOUR + 900, step=55)
    assert alive(*(pid for pid, _ in started))
    driven.live(HOUR, step=55)
    assert not any(alive(pid) for pid, _ in started) and alive(calm)
    driven.check(SURVIVED)


def test_open_files(fleet: Fleet) -> None:
    agent = fleet.schedule(f"ulimit -Sn 64; {speaking(fleet, 'opens', status='idle', files=54)}", "opens")
    wait_for(lambda: len(os.listdir(f"/proc/{agent}/fd")) > 52, "it has opened many")
    driven = Driven(fleet, "open-files")
    driven.live(900)
    assert resource.prlimit(agent, resource.RLIMIT_NOFILE)[0] == 256
    driven.check()


def test_dead_panes(fleet: Fleet) -> None:
    fleet.tmux("set-option", "-g", "remain-on-exit", "on")
    dead, last = (
        fleet.tmux("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main:", "seq 1 500"),
        fleet.tmux("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", "lonely", "true"),
    )
    driven = Driven(fleet, "dead-panes")
    driven.live(30 * HOUR, step=1800)
    panes = fleet.tmux("list-panes", "-a", "-F", "#{pane_id}").split()
    assert dead not in panes and last in panes, "the last one of a session stays"
    driven.check((Action.CLOSE_DEAD_PANE, ActionOutcome.REFUSED))
    saved = [each.read_text() for each in (fleet.state / "history").iterdir()]
    assert any("\n499\n500\n" in each for each in saved)
    assert counted(driven.remediator).reclaimed[Reclaimed.HISTORY] > 0


def test_detached_history(fleet: Fleet) -> None:
    fleet.tmux("set-option", "-g", "history-limit", "50000")
    pane = fleet.tmux("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", "long", "seq 1 20000; exec cat")
    wait_for(lambda: "20000" in fleet.tmux("capture-pane", "-p", "-t", pane), "it has printed all")
    driven = Driven(fleet, "detached-history", {"history_bytes: 64MiB": "history_bytes: 64KiB"})
    driven.live(3 * HOUR)
    driven.check()
    assert int(fleet.tmux("display-message", "-p", "-t", pane, "#{history_bytes}")) < 65536
    assert fleet.tmux("show-options", "-v", "-t", pane, "history-limit") == "20000"
    (saved,) = (fleet.state / "history").iterdir()
    assert saved.read_text().startswith("1\n2\n3\n")
    assert counted(driven.remediator).reclaimed[Reclaimed.HISTORY] > 64 * 1024


def test_duplicate_schedulers(fleet: Fleet) -> None:
    double = fleet.schedule(DOUBLE, "double")
    fleet.sleep_of(double)
    newer = fleet.schedule(DOUBLE, "newer")
    driven = Driven(fleet, "duplicate-schedulers")
    driven.live(1500)
    assert alive(double, newer) and driven.came[Action.WARN, ActionOutcome.DONE] == 1
    assert driven.apply() == [(True, "stop done")]
    assert not alive(double) and alive(newer) and fleet.fired() == ""


def test_idle_agents(fleet: Fleet) -> None:
    idle, busy = (fleet.schedule(speaking(fleet, each, status=each), each) for each in ("idle", "busy"))
    wait_for(lambda: len(list(fleet.home.glob(".claude/sessions/*.json"))) == 2, "both say what they do")
    driven = Driven(fleet, "idle-agents")
    driven.live(7.9 * HOUR, step=711)
    assert driven.came == {}
    driven.live(HOUR)
    assert alive(idle, busy) and driven.came[Action.WARN, ActionOutcome.DONE] == 1
    assert driven.apply() == [(True, "stop done")]
    assert not alive(idle) and alive(busy)
