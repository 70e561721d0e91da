"""A throttle of a whole pane: the order of its steps, and what ends it; systemd is a record of its orders."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.listings import process, table
from tests.support.literals.report import agent, pane
from tests.support.remediator.orders import HARMLESS, single_order
from tests.support.remediator.orphans import seen
from tmux_exporter.commands.views.audit import load
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.cgroups import ThrottleMeans
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import ActionOutcome, Method, Refusal
from tmux_exporter.remediator.act import lease_scope, running_leases, throttle
from tmux_exporter.remediator.act.attempt import Attempt, Result, Tools
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.act.throttle import Throttles
from tmux_exporter.remediator.decide.vetoes import Case, Moment
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import OptIn, Policy, Throttle
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.remediator.record.replay import decide
from tmux_exporter.sources.host import cgroups

MIB = 2**20
UID = os.getuid()
SCOPE = "tmux-spawn-1.scope"
PATH = ("user.slice", f"user-{UID}.slice", f"user@{UID}.service", SCOPE)
BOUNDED = Throttle(lease=60.0, memory_high=500 * MIB, whole_pane=True)


class Machine:
    """A pane whose shell and agent are this process and its parent, and the files of its scope."""

    def __init__(self, base: Path, patch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.asked: list[str] = []
        self.fails_at = ""
        self.clock = ManualClock(monotonic=1000.0)
        self.audit = Audit(base / "audit.jsonl", uid=UID, clock=self.clock)
        self.agent, self.shell = process_of(os.getpid()), process_of(os.getppid())
        self.inside = {self.agent, self.shell}
        self.state = AgentState.WORKING
        self.allow: tuple[OptIn, ...] = ()
        self.scope = base.joinpath("cgroup", *PATH)
        self.scope.mkdir(parents=True)
        for name, content in (
            ("cgroup.procs", f"{self.agent.pid}\n{self.shell.pid}\n"),
            ("memory.current", f"{100 * MIB}\n"),
            ("memory.high", "max\n"),
            ("memory.events", "low 0\nhigh 7\n"),
        ):
            (self.scope / name).write_text(content)
        root = str(base / "cgroup")
        readers = {
            throttle: ("members_at", "place_at", "used_at"),
            running_leases: ("members_at", "place_at", "events_at"),
        }
        for module, names in readers.items():
            for name in names:
                patch.setattr(module, name, partial(getattr(cgroups, name), cgroup_root=root))
        patch.setattr(throttle, "read_place", lambda _: cgroups.place_at(PATH, root))
        patch.setattr(throttle, "read_means", lambda _: ThrottleMeans(problem=""))
        patch.setattr(shutil, "which", lambda *_, **__: "/usr/bin/systemctl")
        patch.setattr(lease_scope, "_run", self._systemd)
        self.throttles = Throttles(base, self._tools(), self._judge, boot="this")

    def _systemd(self, command: Sequence[str], _: int) -> None:
        words = " ".join(command)
        on_record = (self.base / "audit.jsonl").exists() and SCOPE in (self.base / "audit.jsonl").read_text()
        self.asked.append(f"{command[0]} {'on record' if on_record else 'unknown'}")
        if self.fails_at and self.fails_at in words:
            raise OSError("systemd said no")
        if "set-property" in command:
            self.bound_to(words.rpartition("MemoryHigh=")[2])

    def bound_to(self, value: str) -> None:
        (self.scope / "memory.high").write_text(f"{value}\n")

    def _tools(self) -> Tools:
        def processes(_: object) -> object:
            made = [replace(process(each.pid, 1, ["x"], exe="/bin/x"), id=each) for each in self.inside]
            return table(*made, process(1, 0, ["init"], exe="/sbin/init"))

        return Tools(
            processes=processes, around=lambda ends, _: dict.fromkeys(ends, HARMLESS),  # type: ignore[arg-type]
            look=lambda: pytest.fail("judged already"), renew=lambda: None, own=frozenset,
            audit=self.audit, clock=self.clock, uid=process(5, 1, ["x"], exe="/bin/x").uid,
        )  # fmt: skip

    def _judge(self, attempt: Attempt) -> Result | None:
        assert OptIn.PANE_SHELL in attempt.order.policy.allow, "a pane is not closed by it"
        made = agent("default", "work", "coder", "%3", program="claude")
        one = replace(made, process=self.agent, state=self.state)
        report = seen(agents=(one,), panes=(replace(pane("default", "work", "%3"), pid=self.shell.pid),))
        moment = Moment(wall=0.0, monotonic=0.0)
        attempt.case = Case(
            subject=one, report=report, policy=attempt.order.policy, moment=moment, own=frozenset()
        )
        return None

    @property
    def policy(self) -> Policy:
        return replace(ORPHANED_SCHEDULERS, allow=self.allow)

    def take(
        self, bounds: Throttle = BOUNDED, root: ProcessId | None = None
    ) -> tuple[ActionOutcome, Refusal | None]:
        order = single_order(self.policy, Method.AGENT_PROCESS, root or self.agent)
        result = self.throttles.take(replace(order, stages=()), bounds, lambda _: None)
        ((_, outcome),) = result.actions
        return outcome, result.refusal


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


DONE, REFUSED, FAILED = ActionOutcome.DONE, ActionOutcome.REFUSED, ActionOutcome.FAILED


def test_what_puts_its_bounds_back_is_there_and_on_record_before_they_are_set(machine: Machine) -> None:
    assert machine.take() == (DONE, None)
    assert machine.asked == ["systemd-run on record", "systemctl on record"]
    assert (machine.scope / "memory.high").read_text() == f"{500 * MIB}\n"
    (lease,) = machine.throttles.leases.running
    assert (lease.unit, lease.path) == (SCOPE, PATH)
    assert lease.processes == tuple(sorted(machine.inside))
    leases = machine.throttles.leases
    assert leases.follow() == {machine.policy.name: 0}, "what was counted before is not its own"
    (machine.scope / "memory.events").write_text("low 0\nhigh 9\n")
    assert leases.follow() == {machine.policy.name: 2}
    machine.clock.advance(61.0)
    machine.throttles.leases.follow()
    assert [each.unit for each in machine.throttles.leases.running] == [SCOPE], "its bounds hold still"
    machine.bound_to("max")
    machine.throttles.leases.follow()
    assert not machine.throttles.leases.running


def test_the_audit_says_that_it_is_of_a_whole_pane(machine: Machine) -> None:
    machine.take()
    view = load(machine.base / "audit.jsonl")
    assert f"of its whole pane ({SCOPE})" in view.as_table()
    (record,) = [each for each in view.records if each["kind"] == "throttle"]
    with pytest.raises(ValueError, match="no scope of one"):
        decide({**record, "unit": "tmux-remediator-1-1-1.scope"})


def test_a_pane_has_one_lease_at_a_time(machine: Machine) -> None:
    assert machine.take() == (DONE, None)
    asked = len(machine.asked)
    other = machine.take(replace(BOUNDED, memory_high=300 * MIB), machine.shell)
    assert other == (REFUSED, Refusal.BUDGET), "of another agent in the pane"
    assert len(machine.asked) == asked, "the bounds from before are not those of a lease"


def test_where_another_timer_of_the_pane_runs_nothing_is_set_and_nothing_ended(machine: Machine) -> None:
    machine.fails_at = "systemd-run"
    assert machine.take() == (FAILED, None)
    assert machine.asked == ["systemd-run on record"]
    assert (machine.scope / "memory.high").read_text() == "max\n"


def test_bounds_that_cannot_be_set_are_put_back_at_once(machine: Machine) -> None:
    machine.fails_at = "--runtime tmux-spawn-1.scope MemoryHigh=5"
    assert machine.take() == (FAILED, None)
    assert len(machine.asked) == 4, "timer, bounds, its end, no timer any more"
    assert not machine.throttles.leases.running


@pytest.mark.parametrize("trouble", ["elsewhere", "waits", "moved", "lower", "stranger"])
def test_a_pane_is_left_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    expected = Refusal.UNAVAILABLE
    if trouble == "elsewhere":
        place = cgroups.place_at((*PATH[:-1], "session-3.scope"), str(machine.base / "cgroup"))
        monkeypatch.setattr(throttle, "read_place", lambda _: place)
    elif trouble == "waits":
        machine.state, expected = AgentState.WAITING, Refusal.STATE
    elif trouble == "moved":
        (machine.scope / "cgroup.procs").write_text(f"{machine.shell.pid}\n")
        expected = Refusal.CHANGED
    elif trouble == "lower":
        machine.bound_to(str(64 * MIB))
    else:
        monkeypatch.setattr(throttle, "first_spared", lambda *_, **__: (ProcessId(9, 9), "is_of_pane"))
        expected = Refusal.EVIDENCE
    assert machine.take() == (REFUSED, expected)
    assert machine.asked == []
