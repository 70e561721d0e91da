"""tmux commands timed by the real kernel's events: all of them, and nothing that was typed."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.analysis.operations.tmux_commands import read_client
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.operations import CommandBatch, CommandLoss, CommandRun
from tmux_exporter.sources.events.exec_events import CommandWatch

pytestmark = pytest.mark.first_namespaces


class Watch:
    """A real watch, and all it has handed over."""

    def __init__(self, most_per_second: int) -> None:
        self.watch = CommandWatch(read_client, uid=os.getuid(), clock=SystemClock())
        self.watch.configure(wanted=True, most_per_second=most_per_second)
        self.runs: list[CommandRun] = []
        self.lost: Counter[CommandLoss] = Counter()

    def take_ended(self) -> CommandBatch:
        harvest = self.watch.take_ended()
        assert harvest is not None
        self.runs += harvest.runs
        self.lost = Counter(harvest.lost)
        return harvest

    def losses(self) -> Counter[CommandLoss]:
        """All that was lost up to now."""
        self.take_ended()
        return self.lost

    def of(self, socket: Path) -> list[CommandRun]:
        """The commands to one server up to now.

        Not `show-options`: the doctor of another test asks every server for its options.
        """
        self.take_ended()
        to_it = [each for each in self.runs if each.socket == str(socket)]
        return [each for each in to_it if each.command != "show-options"]


@pytest.fixture
def start_watch() -> Iterator[Callable[[int], Watch]]:
    started: list[Watch] = []

    def start(most_per_second: int = 100_000) -> Watch:
        one = Watch(most_per_second)
        started.append(one)
        if not one.take_ended().listening:
            pytest.skip("this kernel tells nobody but root: it needs Linux 6.6 and the first namespaces")
        return one

    yield start
    for one in started:
        one.watch.stop()


def tmux(socket: Path, *words: str) -> int:
    environ = {k: v for k, v in os.environ.items() if k not in ("TMUX", "TMUX_PANE")}
    command = ["tmux", "-S", str(socket), *words]
    return subprocess.run(command, env=environ, capture_output=True, check=False, timeout=30).returncode


def test_every_command_is_seen_once_with_its_end_and_time(
    start_watch: Callable[..., Watch], tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    socket = socket_dir / "fleet"
    watch = start_watch()
    began = time.monotonic()
    for number in range(40):
        assert tmux(socket, "send", "-t", "main", f"secret-{number}") == 0
        if number % 4 == 0:
            assert tmux(socket, "send-keys", "-t", "nowhere", "x") == 1
            assert tmux(socket, "has", "-t", "=main") == 0
    assert tmux(socket, "run-shell", "sleep 0.3") == 0
    took = time.monotonic() - began
    wanted = Counter(
        {
            ("send-keys", False): 40,
            ("send-keys", True): 10,
            ("has-session", False): 10,
            ("run-shell", False): 1,
        }
    )

    def all_accounted_for() -> bool:
        # On a busy machine one may have ended before it could be read; then that is told.
        return wanted.total() <= len(watch.of(socket)) + watch.lost.total()

    wait_for(all_accounted_for, "all are seen or told to be lost", timeout=60)
    seen = watch.of(socket)
    assert Counter((each.command, each.failed) for each in seen) <= wanted
    assert seen
    assert sum(each.seconds for each in seen) < took
    assert all(each.seconds > 0 for each in seen)
    assert all(each.seconds >= 0.3 for each in seen if each.command == "run-shell")
    assert "secret" not in repr(watch.runs)
    assert "secret" not in repr(vars(watch.watch))


def test_the_server_of_the_environment_and_of_a_label(
    start_watch: Callable[..., Watch], tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    tmux_server("default")
    watch = start_watch()
    pane = {**os.environ, "TMUX": f"{socket_dir}/fleet,1,0"}
    for environ, words, server, name in (
        (pane, ["ls"], "fleet", "list-sessions"),
        (pane, ["-L", "fleet", "lsp"], "fleet", "list-panes"),
        (pane, ["-L", "default", "lsw"], "default", "list-windows"),
        ({k: v for k, v in os.environ.items() if k != "TMUX"}, ["lsc"], "default", "list-clients"),
    ):

        def is_seen(
            environ: Mapping[str, str] = environ,
            words: Sequence[str] = words,
            server: str = server,
            name: str = name,
        ) -> bool:
            subprocess.run(["tmux", *words], env=environ, capture_output=True, check=True, timeout=30)
            return any(each.command == name for each in watch.of(socket_dir / server))

        wait_for(is_seen, f"{name} is counted for {server}", timeout=60)
    assert {each.command for each in watch.of(socket_dir / "fleet")} == {"list-sessions", "list-panes"}
    assert {each.command for each in watch.of(socket_dir / "default")} == {"list-windows", "list-clients"}


def test_programs_beyond_the_rate_are_counted_as_lost(
    start_watch: Callable[..., Watch], tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    watch = start_watch(1)
    for _ in range(20):
        assert tmux(socket_dir / "fleet", "list-sessions") == 0

    def all_accounted_for() -> bool:
        seen = len(watch.of(socket_dir / "fleet"))
        return seen < 20 <= seen + sum(watch.lost.values())

    wait_for(all_accounted_for, "what was not looked at is lost", timeout=60)
    assert watch.lost[CommandLoss.RATE] > 0


def test_a_storm_is_left_to_the_kernel_and_said_to_be_lost(start_watch: Callable[..., Watch]) -> None:
    watch = start_watch(1)
    with subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"], stdout=subprocess.DEVNULL) as child:
        try:
            wait_for(lambda: watch.losses()[CommandLoss.OVERRUN], "an overrun", timeout=60)
        finally:
            child.kill()


def test_it_is_switched_off_and_on(
    start_watch: Callable[..., Watch], tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    watch = start_watch()
    watch.watch.configure(wanted=False, most_per_second=1000)
    assert watch.watch.take_ended() is None
    tmux(socket_dir / "fleet", "list-sessions")
    watch.watch.configure(wanted=True, most_per_second=1000)

    def is_seen() -> bool:
        tmux(socket_dir / "fleet", "list-windows")
        return bool(watch.of(socket_dir / "fleet"))

    wait_for(is_seen, "another one is seen", timeout=60)
    assert {each.command for each in watch.of(socket_dir / "fleet")} == {"list-windows"}


REFUSED = """
import logging, sys
from tmux_exporter.analysis.operations.tmux_commands import read_client
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.events.exec_events import CommandWatch
logging.basicConfig(stream=sys.stdout, format="%(message)s")
watch = CommandWatch(read_client, uid=0, clock=SystemClock())
watch.configure(wanted=True, most_per_second=10)
for _ in range(3):
    print(watch.take_ended().listening)
"""


def test_one_line_where_the_kernel_refuses() -> None:
    done = run_text(["unshare", "--user", "--net", "--map-root-user", sys.executable, "-c", REFUSED])
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    line, *rest = done.stdout.splitlines()
    assert line.startswith("tmux commands cannot be timed: the kernel refuses (")
    assert line.endswith("set operations.watch_commands to false")
    assert rest == ["False"] * 3


def test_another_users_programs_are_none_of_ours(
    start_watch: Callable[..., Watch], tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    witness = start_watch()
    stranger = CommandWatch(read_client, uid=os.getuid() + 1, clock=SystemClock())
    stranger.configure(wanted=True, most_per_second=100_000)

    def is_seen() -> bool:
        tmux(socket_dir / "fleet", "list-sessions")
        return bool(witness.of(socket_dir / "fleet"))

    try:
        wait_for(is_seen, "the one whose program it is sees it")
        harvest = stranger.take_ended()
        assert harvest and harvest.listening
        assert harvest.runs == ()
    finally:
        stranger.stop()
