"""The fence that the main job stands behind where a test gets no pid namespace."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.started import end_process
from tests.support.remediator import fenced as fenced_remediator
from tests.support.wait import wait_for


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose TMUX_TMPDIR is that of the test."""
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    process = subprocess.Popen(["sleep", "20000"])
    # Popen comes back in the middle of exec: for a moment there is no environment.
    wait_for(Path(f"/proc/{process.pid}/environ").read_bytes, "it has its environment")
    yield process
    end_process(process.pid)
    process.wait()


def send(pid: int, number: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        fenced_remediator.send(descriptor, number)
    finally:
        os.close(descriptor)


def test_what_is_of_the_test_gets_its_signal(sleeper: subprocess.Popen[bytes]) -> None:
    send(sleeper.pid, signal.SIGTERM)
    assert sleeper.wait(60) == -signal.SIGTERM


def test_what_is_not_gets_none(sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX_TMPDIR", os.environ["TMUX_TMPDIR"] + "x")
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        with pytest.raises(PermissionError):
            send(sleeper.pid, number)
    assert sleeper.poll() is None


def test_one_that_has_ended_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    descriptor = os.pidfd_open(sleeper.pid)
    end_process(sleeper.pid)
    with pytest.raises(ProcessLookupError):
        fenced_remediator.send(descriptor, 0)
    os.close(descriptor)
