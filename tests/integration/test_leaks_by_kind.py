"""Leaked servers that a policy describes by kind, program and age: who ends, and who is spared and why."""

import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pytest

from tests.support.processes.started import end_process
from tests.support.remediator.left_behind import close_pane, leave, start_in_pane
from tests.support.remediator.remediation import Fleet, alive, counted, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Mode, Refusal, TargetKind
from tmux_exporter.remediator.decide.last_checks import ProcessContext
from tmux_exporter.remediator.policies.policy import LadderStep, NamePattern, OptIn, Policy, TargetMatch
from tmux_exporter.remediator.record.replay import differences

SERVER = """\
import socket, sys, time
if len(sys.argv) > 2:
    listening = socket.create_server(("127.0.0.1", 0))
    open(sys.argv[2], "w").write(str(listening.getsockname()[1]))
    if len(sys.argv) > 3:
        # Its client is its own child: that is no use of it.
        import os
        if os.fork() == 0:
            inside = socket.create_connection(listening.getsockname())
            time.sleep(20000)
    accepted, _ = listening.accept()
    open(sys.argv[2] + ".accepted", "w").close()
open(sys.argv[1], "w").write("there")
time.sleep(20000)
"""
POLICY = Policy(
    name="left-servers",
    mode=Mode.ENFORCE,
    match=TargetMatch(
        kind=TargetKind.LEAKED_PROCESS,
        leak_kinds=(LeakKind.MCP_SERVER, LeakKind.DEV_SERVER),
        leak_programs=(NamePattern("python3*", glob=True),),
        age=3600.0,
    ),
    allow=(OptIn.LISTENING_SOCKET,),
    ladder=(LadderStep(action=Action.WARN), LadderStep(action=Action.STOP, method=Method.LEAKED_PROCESS)),
    max_match_ratio=1.0,
    per_cycle=5,
)
HOUR = 3600


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with running_fleet() as made:
        (made.scene.base / "mcp-server.py").write_text(SERVER)
        yield made
        made.reset()


def start(fleet: Fleet, name: str, more: str = "") -> tuple[int, str]:
    """A server below the shell of a pane; its pid and that pane."""
    return start_in_pane(fleet, name, f"{sys.executable} $B/mcp-server.py $B/{name}.there {more}")


def there(fleet: Fleet, name: str) -> None:
    wait_for((fleet.scene.base / name).exists, f"{name} is there")


def port_of(fleet: Fleet, name: str) -> int:
    file = fleet.scene.base / f"{name}.port"
    return int(wait_for(lambda: file.read_text() if file.exists() else "", "it listens"))


def test_a_server_that_was_left_ends_once_it_is_old_and_quiet(fleet: Fleet) -> None:
    pid, pane = start(fleet, "left")
    there(fleet, "left.there")
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    leave(fleet, remediator, pane)
    fleet.live(remediator, HOUR - 400)
    assert alive(pid) and counted(remediator).actions == {}
    fleet.live(remediator, 1800)
    assert not alive(pid)
    assert counted(remediator).actions[Action.STOP, ActionOutcome.DONE] == 1
    records = fleet.records()
    assert [each["kind"] for each in records] == ["intent", "outcome"]
    evidence = records[0]["evidence"]
    assert (evidence["by_hash"], evidence["is_described"], evidence["is_connected"]) == (False, True, False)
    assert list(differences(records)) == []


@pytest.mark.long
def test_who_is_connected_to_is_spared_until_ten_minutes_after(fleet: Fleet) -> None:
    pid, pane = start(fleet, "used", "$B/used.port")
    port = port_of(fleet, "used")
    user = socket.create_connection(("127.0.0.1", port))
    there(fleet, "used.port.accepted")
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    leave(fleet, remediator, pane)
    fleet.live(remediator, 3 * HOUR)
    assert alive(pid)
    assert counted(remediator).refusals[Refusal.IN_USE] == 1
    user.close()
    # It keeps its own end open, so that this is half closed and no longer established.
    fleet.live(remediator, 540, step=180)
    assert alive(pid)
    fleet.live(remediator, 900, step=180)
    assert not alive(pid)


def test_the_last_look_sees_who_has_just_connected(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the samples have shown is a minute old at most; at the signal it is read again."""
    pid, pane = start(fleet, "late", "$B/late.port")
    port = port_of(fleet, "late")
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    leave(fleet, remediator, pane)
    around = remediator._tools.around
    users = []

    def connect_first(
        targets: Iterable[ProcessId], beside: Iterable[ProcessId]
    ) -> Mapping[ProcessId, ProcessContext]:
        users.append(socket.create_connection(("127.0.0.1", port)))
        there(fleet, "late.port.accepted")
        return around(targets, beside)

    monkeypatch.setattr(remediator, "_tools", replace(remediator._tools, around=connect_first))
    fleet.live(remediator, 2 * HOUR)
    assert alive(pid) and users
    assert counted(remediator).actions[Action.STOP, ActionOutcome.REFUSED] >= 1
    assert counted(remediator).refusals[Refusal.IN_USE] >= 1
    for each in users:
        each.close()


def test_a_connection_of_its_own_child_is_no_use(fleet: Fleet) -> None:
    pid, pane = start(fleet, "own", "$B/own.port inside")
    there(fleet, "own.port.accepted")
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    leave(fleet, remediator, pane)
    children = fleet.children(pid)
    fleet.live(remediator, 2 * HOUR)
    assert not alive(pid)
    for each in children:
        end_process(each)


def test_who_only_says_by_its_environment_where_it_came_from_is_spared(fleet: Fleet) -> None:
    """No sample has seen it in its pane: anything may carry that environment."""
    pid, pane = start(fleet, "unseen")
    there(fleet, "unseen.there")
    close_pane(fleet, pane)
    remediator = fleet.remediator(enforce=True, policy=POLICY)
    fleet.live(remediator, 3 * HOUR)
    assert alive(pid)
    assert counted(remediator).refusals[Refusal.UNPROVEN] == 1


@pytest.mark.long
def test_a_policy_for_what_does_not_listen_spares_what_does(fleet: Fleet) -> None:
    quiet, pane = start(fleet, "quiet")
    there(fleet, "quiet.there")
    listens, other = start(fleet, "listens", "$B/listens.port")
    there(fleet, "listens.port")
    policy = replace(POLICY, match=replace(POLICY.match, listening=False))
    remediator = fleet.remediator(enforce=True, policy=policy)
    leave(fleet, remediator, pane, other)
    fleet.live(remediator, 2 * HOUR)
    assert (alive(quiet), alive(listens)) == (False, True)


def test_a_remediator_that_was_started_again_knows_what_the_one_before_it_has_seen(fleet: Fleet) -> None:
    """Its pane, and since when it has waited."""
    pid, pane = start(fleet, "again")
    there(fleet, "again.there")
    policy = replace(POLICY, hold=HOUR)
    first = fleet.remediator(enforce=True, policy=policy)
    leave(fleet, first, pane)
    fleet.live(first, 2 * HOUR - 600)
    first.close()
    second = fleet.remediator(enforce=True, policy=policy)
    fleet.live(second, 1800, step=60)
    assert not alive(pid)
    assert counted(second).actions[Action.STOP, ActionOutcome.DONE] == 1
