"""A lease whose scope keeps its bounds beyond its end stays in force, and is told of as long as it is."""

from functools import partial
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import LeaseMeans
from tmux_exporter.remediator.act import running_leases
from tmux_exporter.remediator.act.running_leases import RunningLeases
from tmux_exporter.remediator.record.leases import Lease, LeaseFile
from tmux_exporter.sources.host import cgroups

LEASE = Lease(
    policy="held",
    means=LeaseMeans.SCOPE,
    target=ProcessId(4711, 1),
    processes=(ProcessId(4711, 1),),
    until=600.0,
    unit="tmux-remediator-4711-1-0.scope",
    path=("user.slice", "tmux-remediator-4711-1-0.scope"),
)


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of its cgroup, with a process in it and a bound."""
    folder = tmp_path.joinpath("cgroup", *LEASE.path)
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text("4711\n")
    (folder / "memory.high").write_text("67108864\n")
    for name in ("members_at", "place_at", "events_at"):
        found = partial(getattr(cgroups, name), cgroup_root=str(tmp_path / "cgroup"))
        monkeypatch.setattr(running_leases, name, found)
    return folder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic=0.0)


@pytest.fixture
def leases(tmp_path: Path, scope: Path, clock: ManualClock) -> RunningLeases:
    LeaseFile(tmp_path, uid=tmp_path.stat().st_uid, boot="this").write([LEASE])
    return RunningLeases(tmp_path, clock, uid=tmp_path.stat().st_uid, boot="this")


def test_it_is_over_once_its_processes_are_back(
    leases: RunningLeases, scope: Path, clock: ManualClock
) -> None:
    leases.follow()
    assert leases.running == (LEASE,)
    clock.advance(601)
    leases.follow()
    assert leases.running == (LEASE,), "its end has passed, and its bound is there"
    (scope / "cgroup.procs").write_text("")
    leases.follow()
    assert not leases.running


def test_it_is_over_once_its_bounds_are_lifted(
    leases: RunningLeases, scope: Path, clock: ManualClock
) -> None:
    (scope / "memory.high").write_text("max\n")
    leases.follow()
    assert leases.running == (LEASE,), "it has not ended"
    clock.advance(601)
    leases.follow()
    assert not leases.running


def test_it_is_over_with_the_last_process_of_its_scope(leases: RunningLeases, scope: Path) -> None:
    (scope / "cgroup.procs").write_text("")
    leases.follow()
    assert not leases.running
