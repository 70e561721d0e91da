"""Fixtures: real tmux servers that nothing else sees, and a listener for reported operations."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs.containers import HostUser, Podman, host_user, page, podman
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


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman with our image, built as docs/containers.md does."""
    with podman(tmp_path_factory.mktemp("podman")) as one:
        one.build("--layers=false", *shlex.split(page("podman build"))[2:])
        yield one


@pytest.fixture
def user(engine: Podman) -> Iterator[HostUser]:
    """A user of the host, with the session `shop` on a tmux server in the default folder."""
    with host_user() as made:
        # The pages are read by a user with sudo.
        engine.command("sudo", 'exec env "$@"')
        engine.command("id", f"echo {made.uid}")
        yield made
