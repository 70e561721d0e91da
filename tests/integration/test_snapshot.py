"""A snapshot of a real process: private, bounded, and without a word of what it runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.orphans import WALL
from tests.support.processes import end_process
from tmux_exporter.errors import CannotSeeError
from tmux_exporter.model import ProcessId
from tmux_exporter.remediator import snapshot
from tmux_exporter.remediator.rules import Part
from tmux_exporter.remediator.world import process_of

SECRET = "do-not-tell"
PROGRAM = (
    "import os, socket, time; a = socket.socket(); b = os.pipe(); c = open('/etc/passwd'); "
    "print('ready', flush=True); time.sleep(600)"
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


def test_what_a_process_was_like_is_kept(running: ProcessId, tmp_path: Path) -> None:
    path = snapshot.take(tmp_path, running, tuple(Part), {"policy": "fd-leak"}, WALL)
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
    assert parts["py_spy"] == parts["screen"] == "not available on this machine"
    assert SECRET not in path.read_text() and "passwd" not in path.read_text()


def test_of_what_is_gone_or_is_another_there_is_none(running: ProcessId, tmp_path: Path) -> None:
    other = ProcessId(running.pid, running.start_ticks + 1)
    with pytest.raises(CannotSeeError, match="another one"):
        snapshot.take(tmp_path, other, (Part.STATUS,), {}, WALL)
    end_process(running.pid)
    os.waitid(os.P_PID, running.pid, os.WEXITED)
    with pytest.raises(CannotSeeError, match="gone"):
        snapshot.take(tmp_path, running, (Part.STATUS,), {}, WALL)
    assert not (tmp_path / snapshot.FOLDER).exists()


def test_only_so_many_are_kept(running: ProcessId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MOST_FILES", 2)
    paths = [snapshot.take(tmp_path, running, (Part.STATUS,), {}, WALL + number) for number in range(4)]
    assert sorted(paths[0].parent.iterdir()) == paths[2:]
