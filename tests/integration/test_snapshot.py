"""A snapshot of a real process: private, bounded, and without a word of what it runs."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ShiftedClock
from tests.support.processes.started import end_process, is_gone
from tests.support.remediator.remediation import running_fleet
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, TargetKind
from tmux_exporter.remediator.act import evidence, py_spy
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import LadderStep, SnapshotPart, TargetMatch

CLOCK = SystemClock()
SECRET = "do-not-tell"
PROGRAM = (
    "import os, socket, time; a = socket.socket(); b = os.pipe(); c = open('/etc/passwd'); "
    "waits_here = lambda told: (print('ready', flush=True), time.sleep(600)); waits_here('do-not-tell')"
)


@pytest.fixture
def running() -> Iterator[ProcessId]:
    command = (sys.executable, "-c", PROGRAM, SECRET)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TOKEN": SECRET}) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        try:
            yield process_of(child.pid)
        finally:
            end_process(child.pid)


def take(
    folder: Path, process: ProcessId, parts: Sequence[SnapshotPart], clock: SystemClock | ShiftedClock = CLOCK
) -> Path:
    labels = {"policy": "fd-leak"}
    return evidence.take(folder, process, parts, labels, clock=clock, screen=lambda: ["on it"])


def test_what_a_process_was_like_is_kept(running: ProcessId, tmp_path: Path) -> None:
    path = take(tmp_path, running, tuple(SnapshotPart))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    document = json.loads(path.read_bytes())
    parts = document["parts"]
    assert (document["process"], document["policy"]) == (list(running), "fd-leak")
    assert any(line.startswith("VmRSS:") for line in parts["status"])
    assert any(line.startswith("Max open files") for line in parts["limits"])
    assert parts["fd_kinds"]["socket"] == 1
    assert parts["fd_kinds"]["pipe"] >= 3
    assert parts["fd_kinds"]["file"] >= 1
    assert parts["stacks"][str(running.pid)]["state"][:1] in ("S", "R")
    assert parts["screen"] == ["on it"]
    (thread,) = parts["py_spy"]
    assert thread["thread"] == running.pid
    assert [frame.partition(" ")[0] for frame in thread["frames"]] == ["<lambda>", "<module>"]
    assert SECRET not in path.read_text() and "passwd" not in path.read_text()


def test_of_what_is_gone_or_is_another_there_is_none(running: ProcessId, tmp_path: Path) -> None:
    other = ProcessId(running.pid, running.start_ticks + 1)
    with pytest.raises(CannotSeeError, match="another one"):
        take(tmp_path, other, (SnapshotPart.STATUS,))
    end_process(running.pid)
    with pytest.raises(CannotSeeError, match="has ended"):
        take(tmp_path, running, (SnapshotPart.STATUS,))
    os.waitid(os.P_PID, running.pid, os.WEXITED)
    with pytest.raises(CannotSeeError, match="gone"):
        take(tmp_path, running, (SnapshotPart.STATUS,))
    assert not (tmp_path / evidence.FOLDER).exists()


def test_what_cannot_be_read_or_kept_is_not_gone(running: ProcessId, tmp_path: Path) -> None:
    (tmp_path / evidence.FOLDER).touch()
    with pytest.raises(OSError, match="cannot make "):
        take(tmp_path, running, (SnapshotPart.STATUS,))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            take(tmp_path, running, (SnapshotPart.STATUS,))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_only_so_many_are_kept(running: ProcessId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_FILES", 2)
    clock = ShiftedClock()
    paths = []
    for _ in range(4):
        clock.advance(10.0)
        paths.append(take(tmp_path, running, (SnapshotPart.STATUS,), clock))
    assert sorted(paths[0].parent.iterdir()) == paths[2:]


def fake(folder: Path, script: str) -> str:
    """A folder with a py-spy that is a script."""
    program = folder / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


FRAME = '{"name": "work", "filename": "/home/me/secret/job.py", "line": 7, "locals": ["do-not-tell"]}'
THREAD = (
    f'[{{"os_thread_id": 9, "thread_name": "do-not-tell", "active": true, "owns_gil": false, '
    f'"frames": [{FRAME}], "process_info": {{"command_line": "do-not-tell"}}}}]'
)


def test_of_a_dump_only_functions_files_and_lines_are_kept(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    kept = py_spy.dump(4711, CLOCK, fake(tmp_path, f"echo \"$@\" $TOKEN >{asked}; echo '{THREAD}'"))
    assert kept == [{"thread": 9, "active": True, "holds_gil": False, "frames": ["work (job.py:7)"]}]
    assert asked.read_text() == "dump --nonblocking --json --pid 4711\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo $$ >$0.pid; exec sleep 600", "had not ended"),
        ("echo $$ >$0.pid; trap '' TERM; while :; do echo '[]'; done", "had not ended"),
        ("echo $$ >$0.pid; exec 1>&-; exec sleep 600", "sees no Python"),
        ("echo Permission denied >&2; exit 1", "sees no Python"),
        ("echo '{}'", "sees no Python"),
        ("echo '[{\"frames\": 3}]'", "sees no Python"),
        ("echo '[[]]'", "sees no Python"),
    ],
)
def test_a_dump_that_fails_says_so_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setattr(py_spy, "SECONDS", 1.0)
    kept = py_spy.dump(4711, CLOCK, fake(tmp_path, script))
    assert isinstance(kept, str) and words in kept
    pid = tmp_path / "py-spy.pid"
    assert not pid.exists() or is_gone(int(pid.read_text()))


def test_only_a_py_spy_that_nobody_else_could_have_put_there_is_run(tmp_path: Path) -> None:
    assert "is not installed" in str(py_spy.dump(4711, CLOCK, str(tmp_path)))
    path = fake(tmp_path, f"touch {tmp_path}/ran")
    (tmp_path / "py-spy").chmod(0o777)
    assert "is not installed" in str(py_spy.dump(4711, CLOCK, path))
    assert not (tmp_path / "ran").exists()
    assert (py_spy.find() or "").startswith("/")


def test_what_runs_no_python_is_told_so() -> None:
    with subprocess.Popen(("sleep", "600")) as child:
        try:
            assert "sees no Python" in str(py_spy.dump(child.pid, CLOCK))
        finally:
            child.kill()


@pytest.mark.parametrize("asked", [True, False])
def test_a_screen_is_kept_only_with_the_flag(asked: bool) -> None:
    with running_fleet() as fleet:
        shutil.copy(shutil.which("bash") or "", fleet.scene.base / "bin" / "claude")
        pid = fleet.schedule(
            "echo before; echo; echo ON-THE-SCREEN; $B/bin/claude -c 'sleep 20000; :'", "agent"
        )
        pane = fleet.pane_of(pid)
        wait_for(lambda: "ON-THE-SCREEN" in fleet.tmux("capture-pane", "-p", "-t", pane), "it is shown")
        ladder = (LadderStep(action=Action.SNAPSHOT, parts=(SnapshotPart.SCREEN,)),)
        policy = replace(
            ORPHANED_SCHEDULERS, match=TargetMatch(kind=TargetKind.AGENT), ladder=ladder, warmup=0.0, hold=0.0
        )
        fleet.live(fleet.remediator(enforce=True, policy=policy, screen=asked), 15, step=5)
        (path,) = fleet.state.glob("snapshots/*.json")
        kept: Any = json.loads(path.read_bytes())
        assert kept["process"][0] == pid
        if asked:
            assert kept["parts"]["screen"][-3:] == ["before", "", "ON-THE-SCREEN"]
        else:
            assert "--snapshot-screen" in kept["parts"]["screen"]
            assert "ON-THE-SCREEN" not in path.read_text()
        assert "ON-THE-SCREEN" not in fleet.audit.read_text()
