"""Cgroups as Debian 13 and 12 show them: paths of panes, bounds, events; what cannot be read is left out."""

import errno
import os
from pathlib import Path

import pytest

from tmux_exporter.facts.cgroups import CgroupBounds, OomPolicy, pane_scope
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.sources.host.cgroups import (
    members_at,
    parse_cpu_max,
    parse_events,
    parse_oom_policies,
    parse_path,
    place_at,
    read_means,
    read_oom_policies,
    read_place,
)

# A pane of a server that an ssh login has started; of one that a service of the user has; without scopes.
PANE = b"0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-170050dd-56c8.scope\n"
IN_SLICE = b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-tmux.slice/tmux-spawn-1f.scope\n"
LOGIN = b"0::/user.slice/user-1000.slice/session-3.scope\n"
V1 = b"12:memory:/docker/1\n11:cpu,cpuacct:/\n1:name=systemd:/init.scope\n"
EVENTS = b"low 0\nhigh 867\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n"


@pytest.mark.parametrize(
    ("raw", "scope"),
    [(PANE, "tmux-spawn-170050dd-56c8.scope"), (IN_SLICE, "tmux-spawn-1f.scope"), (LOGIN, "")],
)
def test_a_pane_and_its_scope(raw: bytes, scope: str) -> None:
    path = parse_path(raw)
    assert path is not None and path[0] == "user.slice"
    assert pane_scope(path) == scope


def test_of_version_one_and_outside_our_root_no_path_is_known() -> None:
    assert parse_path(V1) is None
    assert parse_path(V1 + PANE) == parse_path(PANE), "both at once"
    assert parse_path(b"0::/../../other.scope\n") is None
    assert parse_path(b"0::/\n") == ()


def test_figures_as_the_kernel_writes_them() -> None:
    assert parse_events(EVENTS)["high"] == 867 and parse_events(EVENTS)["oom_kill"] == 1
    assert parse_cpu_max(b"max 100000\n") is None
    assert parse_cpu_max(b"50000 100000\n") == 50
    assert parse_cpu_max(b"400000 200000\n") == 200


def test_out_of_memory_policies_as_systemd_answers() -> None:
    answer = b"Id=tmux-spawn-1.scope\nOOMPolicy=stop\n\nId=tmux-spawn-2.scope\nOOMPolicy=continue\n\nId=x\n"
    assert parse_oom_policies(answer) == {
        "tmux-spawn-1.scope": OomPolicy.STOP, "tmux-spawn-2.scope": OomPolicy.CONTINUE,
    }  # fmt: skip
    assert parse_oom_policies(b"Id=y\nOOMPolicy=\n") == {}
    assert read_oom_policies(["", "-H.scope;", "not a unit"], os.getuid()) == {}


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_a_cgroup_with_bounds_events_and_members(tmp_path: Path) -> None:
    write(
        tmp_path / "user.slice" / "a.scope",
        memory__high="99999744\n", memory__max="max\n", cpu__max="50000 100000\n", pids__max="50\n",
        memory__events=EVENTS.decode(), cgroup__procs="788\n789\n",
    )  # fmt: skip
    place = place_at(("user.slice", "a.scope"), str(tmp_path))
    assert place.bounds == CgroupBounds(memory_high=99_999_744, cpu_percent=50, tasks_max=50)
    assert place.owned and place.events["high"] == 867
    assert members_at(place.path, str(tmp_path)) == {788, 789}
    gone = place_at(("user.slice", "gone.scope"), str(tmp_path))
    assert (gone.bounds, gone.owned, gone.events) == (CgroupBounds(), False, {})
    assert members_at(gone.path, str(tmp_path)) == frozenset()


def test_another_process_with_its_pid_has_no_place() -> None:
    me = process_of(os.getpid())
    assert read_place(ProcessId(me.pid, me.start_ticks + 1)) is None


def test_what_the_systemd_of_a_user_offers(tmp_path: Path) -> None:
    root, run = tmp_path / "cgroup", tmp_path / "run"

    def problem() -> str:
        return read_means(1000, cgroup_root=str(root), runtime=str(run)).problem

    assert problem() == "no unified cgroup tree (cgroup v2)"
    write(root, cgroup__controllers="cpu memory pids\n")
    assert problem().startswith("no systemd of this user runs")
    manager = root / "user.slice" / "user-1000.slice" / "user@1000.service"
    write(manager, cgroup__controllers="memory pids\n")
    assert problem().startswith("no systemd of this user runs")
    write(run / "1000", bus="")
    assert problem() == "the user's systemd has no controller cpu"
    assert "Delegate=cpu memory pids" in read_means(1000, cgroup_root=str(root), runtime=str(run)).mend
    write(manager, cgroup__controllers="cpu memory pids\n")
    assert problem() == ""


def test_without_pidfds_no_keeper_can_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_means(os.getuid()).pause_problem == ""

    def forbidden(_: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", forbidden)
    assert read_means(os.getuid()).pause_problem == "no pidfds (Operation not permitted)"
