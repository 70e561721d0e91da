"""Fixtures for all tests: an own place for tmux sockets, real tmux servers, nothing of the user's."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libtmux
import pytest
import pytest_rerunfailures  # type: ignore[import-untyped]
from hypothesis import HealthCheck, settings

from tests.support.examples import examples
from tests.support.isolation.leftovers import end_carrying
from tests.support.processes.started import end_server
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import Up
from tests.support.wait import wait_for

# Other tests and other work run beside: how long an example takes says nothing about the code.
settings.register_profile(
    "beside", max_examples=examples(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("beside")

# It asks over a port what a crashed worker ran: no worker in a network namespace of its own reaches that.
pytest_rerunfailures.HAS_PYTEST_HANDLECRASHITEM = False

WITH_REAL_PROCESSES = {"integration", "e2e", "shipped"}

RUN = "TMUX_EXPORTER_TEST_RUN"
"""All that a test starts carries it in its environment, with the value of its test runner."""

os.environ[RUN] = str(uuid.uuid4())
left_behind = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a test with real processes once more where it fails: their scheduling says nothing of the code.

    A fault fails twice. The runner names what passed only then, and counts it as rerun.
    """
    for item in items:
        is_long = item.get_closest_marker("long")
        if not is_long and WITH_REAL_PROCESSES & set(item.path.relative_to(item.config.rootpath).parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what tests have left behind; a worker tells its runner what that was."""
    ended = end_carrying(RUN, os.environ[RUN])
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_behind"] = ended
    else:
        session.config.stash.setdefault(left_behind, []).extend(ended)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a worker has ended."""
    node.config.stash.setdefault(left_behind, []).extend(
        getattr(node, "workeroutput", {}).get("left_behind", [])
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the tests that do not end what they start; say why others were run again."""
    for each in config.stash.get(left_behind, []):
        terminalreporter.write_line(f"left behind, ended now: {each}")
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"run again: {report.nodeid}\n{report.longreprtext}")


@pytest.fixture
def socket_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder `tmux-UID` of an own TMUX_TMPDIR; short, because a Unix socket path holds 107 bytes."""
    base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
    monkeypatch.setenv("TMUX_TMPDIR", str(base))
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("TMUX_PANE", raising=False)
    folder = base / f"tmux-{os.getuid()}"
    folder.mkdir(mode=0o700)
    yield folder
    # What ignores a hangup, or was given to init, outlives its pane and its server.
    end_carrying("TMUX_TMPDIR", str(base))
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def tmux_server(socket_dir: Path) -> Iterator["Callable[[str], libtmux.Server]"]:
    """Start a real tmux server by socket name: one session `main`, no configuration file."""
    started: list[libtmux.Server] = []

    def start(name: str = "default") -> libtmux.Server:
        server = libtmux.Server(socket_path=str(socket_dir / name), config_file="/dev/null")
        server.cmd("new-session", "-d", "-s", "main", "-x", "80", "-y", "24", "sleep 3600")
        wait_for(server.is_alive, "tmux server answers")
        started.append(server)
        return server

    yield start
    for server in started:
        end_server(server)


@pytest.fixture
def start_exporter(tmp_path: Path, socket_dir: Path) -> Iterator[Callable[..., Exporter]]:
    """Start a real exporter that samples twice a second; ended with the test."""
    started: list[Exporter] = []

    def start(*arguments: str, **how: Any) -> Exporter:
        home = tmp_path / f"exporter{len(started)}"
        # Short, for a socket is made in it.
        runtime = socket_dir.parent / f"serve{len(started)}"
        home.mkdir(mode=0o700)
        runtime.mkdir(mode=0o700)
        started.append(Exporter(home, runtime, *arguments, **how))
        return started[-1]

    yield start
    for exporter in started:
        exporter.end()


@pytest.fixture
def start_up(tmp_path: Path, socket_dir: Path) -> Iterator[Callable[..., Up]]:
    """Start a real `tmux-exporter up` with an own home and runtime folder; ended with the test."""
    started: list[Up] = []

    def start(*arguments: str) -> Up:
        home = tmp_path / f"home{len(started)}"
        # Short, for a socket may be made in it.
        runtime = socket_dir.parent / f"run{len(started)}"
        home.mkdir(mode=0o700)
        runtime.mkdir(mode=0o700)
        started.append(Up(home, runtime, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.end()
