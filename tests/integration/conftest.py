"""Fixtures: real tmux servers that nothing else sees, and a listener for reported operations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs.op_listener import OpListener
from tests.support.remediator.remediation import Fleet, running_fleet
from tests.support.scenes.scene import Scene
from tmux_exporter.sources.tmux import socket_files


@pytest.fixture
def scene(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Servers of this test alone, without those of the default folder."""
    base = socket_dir.parent
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(base / "none"))
    made = Scene(base, socket_dir)
    yield made
    made.close()


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Servers with schedulers, which a test may harm."""
    with running_fleet() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[Fleet]:
    """Servers of a module whose tests leave them alone."""
    with running_fleet() as made:
        yield made


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[OpListener]:
    """Where operations of this test are reported."""
    made = OpListener(tmp_path)
    yield made
    made.stop()
