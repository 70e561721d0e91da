"""One act on an agent or on a leaked process: what ends, what is left, and when nothing is signalled."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.started import end_process, is_gone
from tests.support.remediator.orders import KILL, STOP, pair_order, single_order
from tests.support.remediator.remediation import AS_SHIPPED, FLEET, Fleet, alive, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.analysis.agents.find import AgentFinder
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.act import live_view, terminate
from tmux_exporter.remediator.act.attempt import Result, Tools
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.act.terminate import end
from tmux_exporter.remediator.decide import last_checks, vetoes
from tmux_exporter.remediator.decide.order import Order, Stage
from tmux_exporter.remediator.decide.vetoes import Case, Moment
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import OptIn
from tmux_exporter.remediator.record.replay import differences
from tmux_exporter.sources.processes.full_reader import ProcReader

P = replace(ORPHANED_SCHEDULERS, warmup=0.0)

DONE = ((Action.STOP, ActionOutcome.DONE),)
SURVIVED = ((Action.STOP, ActionOutcome.SURVIVED),)


@pytest.fixture(scope="module")
def shared() -> Iterator[Fleet]:
    with running_fleet() as made:
        for name, program in (("claude", "bash"), ("helper", "sleep")):
            shutil.copy(shutil.which(program) or "", made.scene.base / "bin" / name)
        yield made


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    yield shared
    shared.reset()


def agent(fleet: Fleet, script: str = "sleep 20000; :") -> int:
    """A played claude below the shell of a pane, with a child."""
    pid = fleet.schedule(f"$B/bin/claude -c '{script}'", "agent")
    wait_for(lambda: fleet.children(pid), "it has a child")
    return pid


def identity(pid: int) -> ProcessId:
    return ProcessId(pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))


def agent_order(pid: int, *stages: Stage) -> Order:
    return single_order(P, Method.AGENT_PROCESS, identity(pid), *stages, server=FLEET)


def leak_order(fleet: Fleet, pid: int, *stages: Stage, named: str | None = None) -> Order:
    """To end a leaked process as a policy names it that was made from the report."""
    report, _ = LiveView(fleet.config(), fleet.clock, os.environ).look()
    (leak,) = [each for each in report.leaks if each.process.pid == pid]
    sha = leak.argv_sha256 if named is None else named
    return single_order(P, Method.LEAKED_PROCESS, leak.process, *stages, server=FLEET, argv_sha256=sha)


def carry_out(order: Order, tools: Tools) -> Result:
    """The act, for a policy that is for whatever the last look shows."""
    return end(order, tools, lambda _: None)


def refused(result: Result, reason: Refusal, action: Action = Action.STOP) -> bool:
    return (result.actions, result.refusal) == (((action, ActionOutcome.REFUSED),), reason)


def records(fleet: Fleet) -> list[dict[str, object]]:
    """What an act has recorded; every decision in it follows from its record."""
    lines = fleet.act_audit.read_text().splitlines() if fleet.act_audit.exists() else []
    found = [json.loads(line) for line in lines]
    assert list(differences(found)) == []
    return found


def leaked(fleet: Fleet, command: str = "$B/bin/helper 20000") -> int:
    """A process whose pane is gone."""
    return fleet.scene.pid(fleet.leave_behind(command))


def test_an_agent_is_ended_and_neither_its_shell_nor_its_pane(fleet: Fleet) -> None:
    pid = agent(fleet)
    panes = fleet.panes().keys()
    (child,) = fleet.children(pid)
    order = agent_order(pid, STOP, KILL)
    result = carry_out(order, fleet.tools())
    # Its pane's own process never waits for it: a zombie has ended.
    assert (result.actions, result.ended) == (DONE, True)
    assert not alive(pid)
    assert fleet.panes().keys() == panes
    assert result.left == (identity(child),) and "live on" in result.detail
    intent, outcome = records(fleet)
    assert (intent["kind"], outcome["kind"], outcome["left"]) == (
        "intent",
        "outcome",
        [list(identity(child))],
    )
    assert (intent["method"], intent["processes"]) == ("agent_process", [list(order.target.processes[0])])
    assert "sleep 20000" not in fleet.act_audit.read_text()
    end_process(child)


def slow_before_tmux(fleet: Fleet, patch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """The processes are read for longer than a listing may be old."""
    read = ProcReader.read

    def slowly(reader: ProcReader) -> ProcessTable:
        fleet.clock.advance(2 * terminate.LOOK_AGE)
        meanwhile()
        return read(reader)

    patch.setattr(ProcReader, "read", slowly)


def slow_after_tmux(fleet: Fleet, patch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """What tmux has answered is thought about for longer than it may be old."""

    find = AgentFinder.find

    def slowly(*args: Any, **more: Any) -> Any:
        fleet.clock.advance(2 * terminate.LOOK_AGE)
        meanwhile()
        return find(*args, **more)

    patch.setattr(AgentFinder, "find", slowly)


Slow = Callable[[Fleet, pytest.MonkeyPatch, Callable[[], object]], None]


def slow_tools(fleet: Fleet, slow: Slow, meanwhile: Callable[[], object] = lambda: None) -> Tools:
    """The same tools, with a look of a slow machine."""
    tools = fleet.tools()

    def look() -> tuple[Report, Moment]:
        with pytest.MonkeyPatch.context() as patch:
            slow(fleet, patch, meanwhile)
            report, moment = tools.look()
        assert moment.wall - report.timestamp > terminate.LOOK_AGE
        return report, moment

    return replace(tools, look=look)


@pytest.mark.parametrize("slow", [slow_before_tmux, slow_after_tmux])
def test_on_a_slow_machine_an_agent_is_ended(fleet: Fleet, slow: Slow) -> None:
    assert carry_out(agent_order(agent(fleet)), slow_tools(fleet, slow)).actions == DONE
    assert [each["kind"] for each in records(fleet)] == ["intent", "outcome"]


@pytest.mark.parametrize("slow", [slow_before_tmux, slow_after_tmux])
def test_a_scheduler_on_a_slow_machine_is_ended_unless_tmux_changed(fleet: Fleet, slow: Slow) -> None:
    shell, sleep = fleet.orphan()
    order = pair_order(P, fleet.scheduler(shell))
    numbers = count()

    def make_a_session() -> None:
        fleet.tmux("new-session", "-d", "-s", f"more{next(numbers)}", "cat")

    if slow is slow_after_tmux:
        assert refused(carry_out(order, slow_tools(fleet, slow, make_a_session)), Refusal.STALE)
        assert next(numbers) == terminate.LOOKS
        assert alive(shell, sleep)
    assert carry_out(order, slow_tools(fleet, slow)).ended
    assert fleet.fired() == ""


BUSY = 15
"""Threads that want a CPU, all the time."""

TRIES, ENOUGH = 20, 19


def running() -> int:
    """How many threads of the machine run or wait for a CPU now."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_agent_is_ended_on_a_busy_machine(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminate, "LOOK_AGE", AS_SHIPPED.look_age)
    monkeypatch.setattr(terminate, "EVIDENCE_AGE", AS_SHIPPED.evidence_age)
    monkeypatch.setattr(live_view, "LOOK_TIMEOUT", AS_SHIPPED.look_timeout)
    missing = range(max(0, BUSY - running()))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in missing]
    try:
        wait_for(lambda: running() >= BUSY, "the machine is busy", 60)
        results = [carry_out(agent_order(agent(fleet), STOP), fleet.tools()) for _ in range(TRIES)]
    finally:
        for each in busy:
            each.kill()
            each.wait()
    left_alone = [f"{each.refusal}: {each.detail}" for each in results if each.actions != DONE]
    assert len(left_alone) <= TRIES - ENOUGH, left_alone


def test_a_deaf_agent_survives_a_stop_and_only_then_may_be_killed(fleet: Fleet) -> None:
    pid = agent(fleet, 'trap "" TERM; sleep 20000; sleep 20000')
    tools = fleet.tools()
    assert refused(carry_out(agent_order(pid, KILL), tools), Refusal.NOT_STOPPED, Action.KILL)
    assert carry_out(agent_order(pid, STOP), tools).actions == SURVIVED
    assert alive(pid)
    assert carry_out(agent_order(pid, KILL), tools).actions == ((Action.KILL, ActionOutcome.DONE),)
    assert not alive(pid)
    assert tools.survived == {}
    assert [each["kind"] for each in records(fleet)] == ["refusal", *["intent", "outcome"] * 2]
    assert carry_out(agent_order(pid, STOP), tools).actions == ((Action.STOP, ActionOutcome.VANISHED),)


@pytest.mark.parametrize(("longest", "outcome"), [(0.1, ActionOutcome.SURVIVED), (60.0, ActionOutcome.DONE)])
def test_a_signal_waits_as_its_stage_or_the_loop_allow(
    fleet: Fleet, longest: float, outcome: ActionOutcome
) -> None:
    pid = agent(fleet, 'trap "sleep 1; exit" TERM; while :; do sleep 0.1; done')
    order = agent_order(pid, replace(STOP, seconds=60.0))
    result = carry_out(order, replace(fleet.tools(), longest_wait=longest))
    assert result.actions == ((Action.STOP, outcome),)
    end_process(pid)


def test_what_one_remediator_has_stopped_another_may_not_kill(fleet: Fleet) -> None:
    pid = agent(fleet, 'trap "" TERM; sleep 20000; sleep 20000')
    assert carry_out(agent_order(pid, STOP), fleet.tools()).actions == SURVIVED
    assert refused(carry_out(agent_order(pid, KILL), fleet.tools()), Refusal.NOT_STOPPED, Action.KILL)
    assert alive(pid)


HELD = (
    "import os, sys\n"
    "os.mkfifo(sys.argv[1])\n"
    "held = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]\n"
    "os.posix_spawn('/bin/true', ['true'], {}, file_actions=held)\n"
)
"""Waits for a child of vfork, in state D, that waits for somebody to open its pipe."""


def test_what_the_kernel_holds_is_told_and_left(fleet: Fleet) -> None:
    (fleet.scene.base / "held.py").write_text(HELD)
    (fleet.scene.base / "held").mkdir()
    os.symlink(os.path.realpath(sys.executable), fleet.scene.base / "held" / "claude")
    pid = fleet.schedule("$B/held/claude $B/held.py $B/held/fifo", "held")
    # A read from disk holds it as well, before it has that child.
    (child,) = wait_for(lambda: fleet.children(pid), "it has a child")
    wait_for(
        lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "D", "it is held", 20
    )
    try:
        result = carry_out(agent_order(pid, STOP), fleet.tools())
        assert (result.actions, result.detail) == (SURVIVED, "the kernel holds it (state D)")
    finally:
        os.kill(pid, signal.SIGKILL)
        end_process(child)


@pytest.mark.parametrize("allow", [(), (OptIn.ATTACHED_SESSION,)])
def test_an_agent_in_an_attached_session_is_left_alone(fleet: Fleet, allow: tuple[OptIn, ...]) -> None:
    pid = agent(fleet)
    client = subprocess.Popen(
        ["tmux", "-S", str(fleet.sockets / FLEET), "-C", "attach", "-t", "main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: fleet.tmux("list-clients"), "it is attached")
        result = carry_out(replace(agent_order(pid), policy=replace(P, allow=allow)), fleet.tools())
        assert refused(result, Refusal.ATTACHED_SESSION) if not allow else result.actions == DONE
        assert alive(pid) is not bool(allow)
    finally:
        client.communicate()


def test_an_agent_that_is_a_pane_process_is_left_alone(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = fleet.in_pane(f"{fleet.scene.base}/bin/claude -c 'sleep 20000; :'")
    wait_for(lambda: fleet.children(pid), "it has a child")
    assert refused(carry_out(agent_order(pid), fleet.tools()), Refusal.PANE_SHELL)
    assert alive(pid)
    kept = tuple(each for each in vetoes.VETOES if each.allows is not vetoes.is_no_pane)
    monkeypatch.setattr(vetoes, "VETOES", kept)
    assert carry_out(agent_order(pid), fleet.tools()).actions == DONE


def test_an_agent_above_another_agent_is_left_alone(fleet: Fleet) -> None:
    shutil.copy(shutil.which("sleep") or "", fleet.scene.base / "bin" / "codex")
    pid = agent(fleet, "$0/codex 20000; :' \"$B/bin\" '")
    assert refused(carry_out(agent_order(pid), fleet.tools()), Refusal.LIVE_DESCENDANT)
    assert alive(pid, *fleet.children(pid))


def test_a_leaked_process_is_ended_by_the_hash_that_names_it(fleet: Fleet) -> None:
    pid, other = leaked(fleet), leaked(fleet)
    result = carry_out(leak_order(fleet, pid, STOP, KILL), fleet.tools())
    assert (result.actions, result.left) == (DONE, ())
    assert is_gone(pid) and alive(other)
    assert [each["kind"] for each in records(fleet)] == ["intent", "outcome"]
    end_process(other)


def test_a_leaked_process_not_named_is_left_alone(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = leaked(fleet)
    for named in ("", "0" * 64):
        assert refused(carry_out(leak_order(fleet, pid, named=named), fleet.tools()), Refusal.EVIDENCE)
    assert alive(pid)
    (refusal,) = records(fleet)
    assert (refusal["kind"], refusal["refusal"]) == ("refusal", "evidence")
    kept = tuple(each for each in last_checks.LAST_CHECKS if each.holds is not last_checks.is_what_was_meant)
    monkeypatch.setattr(last_checks, "LAST_CHECKS", kept)
    assert carry_out(leak_order(fleet, pid, named=""), fleet.tools()).actions == DONE


SOCKETS = (
    "import os, socket, sys\n"
    "kind = sys.argv[2]\n"
    "if kind == 'unix':\n"
    "    s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + '.socket'); s.listen()\n"
    "elif kind == 'tcp':\n"
    "    s = socket.create_server(('127.0.0.1', 0))\n"
    "elif kind == 'udp':\n"
    "    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))\n"
    "else:\n"
    "    s = socket.socketpair()\n"
    "open(sys.argv[1], 'w').close()\n"
    "sys.stdin.read()\n"
)


@pytest.mark.parametrize("kind", ["unix", "tcp", "udp", "none"])
def test_a_socket_at_which_others_reach_a_process_is_seen(fleet: Fleet, kind: str) -> None:
    ready = fleet.scene.base / kind
    process = subprocess.Popen([sys.executable, "-c", SOCKETS, str(ready), kind], stdin=subprocess.PIPE)
    try:
        wait_for(ready.exists, "it has its socket", 20)
        seen = identity(process.pid)
        around = LiveView(fleet.config(), fleet.clock, os.environ).around([seen])
    finally:
        process.communicate()
    assert around[seen].reachable is (kind != "none")


def test_a_leaked_process_that_others_reach_is_left_alone(fleet: Fleet) -> None:
    ready = fleet.scene.base / "ready"
    (fleet.scene.base / "listen.py").write_text(
        "import socket, sys, time\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "open(sys.argv[1], 'w').close()\n"
        "time.sleep(20000)\n"
    )
    pid = leaked(fleet, f"{sys.executable} $B/listen.py $B/ready")
    wait_for(ready.exists, "it listens", 20)
    order = leak_order(fleet, pid)
    assert refused(carry_out(order, fleet.tools()), Refusal.LISTENING_SOCKET)
    assert alive(pid)
    allowed = replace(order, policy=replace(order.policy, allow=(OptIn.LISTENING_SOCKET,)))
    assert carry_out(allowed, fleet.tools()).actions == DONE


def test_what_the_policy_does_not_match_any_more_is_left_alone(fleet: Fleet) -> None:
    pid = agent(fleet)
    asked: list[Case] = []

    def nothing(case: Case) -> Refusal:
        asked.append(case)
        return Refusal.CHANGED

    assert refused(end(agent_order(pid), fleet.tools(), nothing), Refusal.CHANGED)
    assert [case.pids for case in asked] == [{pid}]
    assert alive(pid)
