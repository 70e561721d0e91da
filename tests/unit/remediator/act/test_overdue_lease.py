"""A lease whose scope keeps its bounds beyond its end stays in force, and is told of as long as it is."""

from functools import partial
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import LeaseMeans
from tmux_exporter.remediator.act import throttle
from tmux_exporter.remediator.act.attempt import Tools
from tmux_exporter.remediator.act.throttle import Throttles
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
        monkeypatch.setattr(throttle, name, found)
    return folder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic=0.0)


@pytest.fixture
def throttles(tmp_path: Path, scope: Path, clock: ManualClock) -> Throttles:
    LeaseFile(tmp_path, uid=tmp_path.stat().st_uid, boot="this").write([LEASE])
    tools = Tools(
        processes=lambda _: pytest.fail("no process is read"), around=lambda *_: {},
        look=lambda: pytest.fail("nothing is looked at"), renew=lambda: None, own=frozenset,
        audit=None, clock=clock, uid=tmp_path.stat().st_uid,  # type: ignore[arg-type]
    )  # fmt: skip
    return Throttles(tmp_path, tools, lambda _: None, boot="this")


def test_it_is_over_once_its_processes_are_back(
    throttles: Throttles, scope: Path, clock: ManualClock
) -> None:
    throttles.follow()
    assert throttles.running == (LEASE,)
    clock.advance(601)
    throttles.follow()
    assert throttles.running == (LEASE,), "its end has passed, and its bound is there"
    (scope / "cgroup.procs").write_text("")
    throttles.follow()
    assert not throttles.running


def test_it_is_over_once_its_bounds_are_lifted(throttles: Throttles, scope: Path, clock: ManualClock) -> None:
    (scope / "memory.high").write_text("max\n")
    throttles.follow()
    assert throttles.running == (LEASE,), "it has not ended"
    clock.advance(601)
    throttles.follow()
    assert not throttles.running


def test_it_is_over_with_the_last_process_of_its_scope(throttles: Throttles, scope: Path) -> None:
    (scope / "cgroup.procs").write_text("")
    throttles.follow()
    assert not throttles.running
