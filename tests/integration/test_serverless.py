"""Schedulers whose tmux server was killed are ended as that server's, whatever else hangs."""

import logging
import os
import signal
from dataclasses import replace

import pytest

from tests.support.processes.started import end_process, is_gone
from tests.support.remediator.policies import asking, write
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, alive
from tests.support.wait import wait_for
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator import service
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.remediator.record.plan import digest

ASKING = asking("serverless", "serverless")


@pytest.fixture
def pair(fleet: Fleet) -> tuple[int, int]:
    """A shell and its sleep, whose server is gone; the other one hangs."""
    found = fleet.orphan()
    end_process(fleet.server.pid)
    wait_for(lambda: fleet.scheduler(found[0]).state is SchedulerState.SERVERLESS, "it has no server", 20)
    os.kill(fleet.other.pid, signal.SIGSTOP)
    return found


def policies(fleet: Fleet, *servers: str) -> PolicySet:
    path = fleet.home / "policies.yml"
    return service.read_policies(
        str(path if path.exists() else write(fleet.home, ASKING)), os.getuid(), servers
    )


def plan(fleet: Fleet, policies: PolicySet, said: list[str]) -> tuple[list[int], bytes]:
    config = replace(fleet.config(), sampling=replace(fleet.config().sampling, interval=0.5))
    made, _ = service.make_plan(config, fleet.environ, policies, said.append)
    return [order.target.processes[0].pid for order in made.orders], made.render()


def test_one_is_ended_as_of_its_server_while_another_hangs(fleet: Fleet, pair: tuple[int, int]) -> None:
    said: list[str] = []
    pids, content = plan(fleet, policies(fleet, FLEET), said)
    assert pids == [pair[0]]
    assert not any("left out" in each for each in said)
    ((order, ended, words),) = service.apply_plan(
        fleet.config(), fleet.environ, policies(fleet, FLEET), content, digest(content)
    )
    assert (order.target.processes[0].pid, ended, words) == (pair[0], True, "stop done")
    assert all(map(is_gone, pair)) and alive(fleet.other.pid)
    assert fleet.fired() == ""


def test_one_elsewhere_is_left_out(
    fleet: Fleet, pair: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    pids, _ = plan(fleet, policies(fleet, OTHER), said)
    assert pids == []
    (words,) = [each for each in said if each.startswith("left out: ")]
    assert f"pid {pair[0]}" in words and f"made for {FLEET}" in words
    (policy,) = policies(fleet).policies
    remediator = fleet.remediator(enforce=True, policy=policy, servers=(OTHER,))
    with caplog.at_level(logging.WARNING):
        fleet.live(remediator, 900)
    assert [each.getMessage() for each in caplog.records if "left out" in each.getMessage()] == [words]
    assert alive(*pair)


def test_one_at_whose_socket_a_server_hangs_is_left_alone(fleet: Fleet) -> None:
    shell, sleep = fleet.orphan()
    end_process(fleet.server.pid)
    os.kill(fleet.scene.start(FLEET).pid, signal.SIGSTOP)
    assert fleet.scheduler(shell).state is SchedulerState.UNKNOWN
    assert plan(fleet, policies(fleet, FLEET), [])[0] == []
    assert alive(shell, sleep)
