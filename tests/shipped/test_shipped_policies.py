"""The shipped policies, unmodified but for times and thresholds: each of their steps has an outcome."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import is_gone
from tests.support.remediator.policies import SHIPPED, write
from tests.support.remediator.process import RemediatorProcess, command
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, alive, running_fleet
from tests.support.remediator.shipped_policies import plant, quickened
from tests.support.remediator.stage import make_programs
from tmux_exporter.facts.remediation import Action, Mode, PolicyStatus, Refusal
from tmux_exporter.remediator.policies.load import load
from tmux_exporter.remediator.policies.policy import Policy
from tmux_exporter.remediator.record.plan import digest

Applied = Mapping[str, Sequence[str]]
"""What came of a plan, in words, by policy."""

ENDS = ("orphan", "deaf_orphan")
"""By themselves, of all that is planted."""

APPLIED = {
    "schedulers-without-server": ["stop done"],
    "duplicate-schedulers": ["stop done"],
    "agent-memory": ["stop done", "stop survived, kill done"],
}
"""What a person lets be ended."""


@pytest.mark.long
def test_every_step_of_every_shipped_policy_has_an_outcome() -> None:
    """Told first, then enforced, then applied; what stays beyond a limit all the time stops nothing of it."""
    if not in_namespace(_driven):
        _driven()


def _driven() -> None:
    with running_fleet() as fleet:
        make_programs(fleet.scene.base)
        path = write(fleet.home, quickened())
        policies = load(str(path), os.getuid()).policies
        assert [each.name for each in policies] == [
            each.name for each in load(str(SHIPPED), os.getuid()).policies
        ]
        pids = plant(fleet)
        with running(fleet, path) as remediator:
            remediator.wait(
                lambda: _would(remediator, "orphaned-schedulers") == len(ENDS), "it would end them"
            )
            cycle = remediator.cycles()
            remediator.wait(lambda: remediator.cycles() > cycle + 3.0, "it goes on")
        assert alive(*pids.values())
        with running(fleet, path, "--enforce") as remediator:
            remediator.wait(lambda: all(is_gone(pids[name]) for name in ENDS), "the orphans have ended")
            remediator.wait(lambda: not _untold(policies, remediator, APPLIED), "every step has an outcome")
            remediator.wait(lambda: set(APPLIED) == _planned(remediator), "the rest waits for a person")
            assert {name for name, pid in pids.items() if not alive(pid)} == set(ENDS)
            told = remediator.policies()
        applied = _apply(fleet, path)
        assert applied == APPLIED
        assert [_untold((each,), remediator, applied, told) for each in policies] == [[]] * len(policies)
        ended = {*ENDS, "lost", "double", "big", "deaf_big"}
        assert {name for name, pid in pids.items() if not alive(pid)} == ended
        assert fleet.fired() == ""


@contextmanager
def running(fleet: Fleet, path: Path, *flags: str) -> Iterator[RemediatorProcess]:
    """A remediator with these policies, which ends with 0 and not before it is asked to."""
    flags = ("--interval", "250ms", "--policy", str(path), *_scope(), *flags)
    remediator = RemediatorProcess(fleet.environ, fleet.home / "log", *flags)
    try:
        yield remediator
    finally:
        status = remediator.end()
    assert status == 0, remediator.text()


def _scope() -> Sequence[str]:
    """Inside a namespace there is nobody else."""
    return () if os.getpid() == 1 else ("--server", FLEET, "--server", OTHER)


def _would(remediator: RemediatorProcess, policy: str) -> int:
    status = remediator.policies().get(policy)
    if status is None:
        return 0
    return sum(count for (action, _), count in status.actions.items() if action is Action.STOP)


def _planned(remediator: RemediatorProcess) -> set[str]:
    if not remediator.plan.exists():
        return set()
    return {each["policy"] for each in json.loads(remediator.plan.read_bytes())["orders"]}


def _apply(fleet: Fleet, path: Path) -> Applied:
    plan = fleet.state / "remediator-plan.json"
    flags = ("--sha256", digest(plan.read_bytes()), "--policy", str(path), *_scope())
    done = command(fleet.environ, "apply", str(plan), *flags, "--json")
    assert done.returncode == 0, done.stderr
    applied: dict[str, list[str]] = {}
    for each in json.loads(done.stdout)["results"]:
        applied.setdefault(each["policy"], []).append(each["outcome"].partition(":")[0])
    return {name: sorted(words) for name, words in applied.items()}


def _untold(
    policies: Sequence[Policy],
    remediator: RemediatorProcess,
    applied: Applied,
    told: Mapping[str, PolicyStatus] | None = None,
) -> list[tuple[str, Action]]:
    """The steps that had no outcome; where a person is needed and never asked, that is one."""
    found = remediator.policies() if told is None else told
    missing = []
    for policy in policies:
        status = found.get(policy.name)
        seen = {action for action, _ in status.actions} if status else set()
        words = " ".join(applied.get(policy.name, ()))
        asked = policy.mode is Mode.OBSERVE and status is not None and Refusal.APPROVAL in status.refusals
        missing += [
            (policy.name, rung.action)
            for rung in policy.ladder
            if rung.action not in seen and rung.action not in words and not asked
        ]
    return missing
