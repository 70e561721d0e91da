"""Real forks by the kernel's own events: what leaves everything behind, and what orphans use."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.cpu_truth import Workload
from tests.support.processes.started import end_process, is_gone
from tests.support.scenes.watch import Watch
from tests.support.wait import wait_for
from tmux_exporter.analysis.ownership.lineage import Lineage
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.events.fork_events import ForkWatch

pytestmark = pytest.mark.first_namespaces
BURN = "import time\nwhile time.process_time() < {}: pass"
# It is nobody's by anything but who forked it: no variables, a session of its own, its parents gone.
DAEMON = "(env -i setsid sh -c 'sleep 300 & echo $! >{0}.new; mv {0}.new {0}' &)"


@pytest.fixture
def forks() -> Iterator[ForkWatch[Lineage]]:
    watch = ForkWatch(Lineage(), clock=SystemClock())
    watch.configure(wanted=True)
    if not watch.listening:
        pytest.fail(f"the kernel's process events are needed: {watch.problem}")
    yield watch
    watch.stop()


@pytest.fixture
def watch(tmux_server: StartTmux, forks: ForkWatch[Lineage]) -> Watch:
    return Watch(tmux_server("lineage"), forks=forks)


def test_a_daemon_that_leaves_everything_behind_keeps_its_pane(watch: Watch, tmp_path: Path) -> None:
    said = tmp_path / "pid"
    watch.settle()
    made = watch.server.cmd(
        "new-window", "-d", "-P", "-F", "#{pane_id}", f"{DAEMON.format(said)}; exec sleep 301"
    )
    (pane,) = made.stdout
    wait_for(said.exists, "the daemon is there")
    daemon = int(said.read_text())
    try:
        watch.settle()
        assert watch.pane(watch.sample(), pane).usage.processes == 2
        watch.server.cmd("kill-pane", "-t", pane)
        report = watch.settle()
        (leak,) = [each for each in report.leaks if each.process.pid == daemon]
        assert (leak.pane, leak.by_lineage) == (pane, True)
        assert "kernel events" in leak.reason
    finally:
        end_process(daemon)


def test_orphans_that_live_a_second_count_for_their_pane(watch: Watch, tmp_path: Path) -> None:
    burn = f"{sys.executable} -S -c '{BURN.format(1.0)}'"
    workload = Workload(tmp_path / "workload", f"({burn} & echo $! >>$0.pids)\n")
    made = watch.server.cmd("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", workload.command)
    pane, pid = made.stdout[0].split()
    wait_for(lambda: "timekeeper" in Path(f"/proc/{pid}/cmdline").read_text(), "the pane waits")
    try:
        before = watch.cpu(watch.settle(), pane)
        workload.start()
        wait_for(lambda: workload.is_done, "it has been started")
        (orphan,) = [int(line) for line in (tmp_path / "workload" / "script.sh.pids").read_text().split()]
        # No sample sees it.
        wait_for(lambda: is_gone(orphan), "it has ended", timeout=60)
        counted = watch.cpu(watch.settle(), pane) - before - workload.used()
        assert 0.9 <= counted <= 1.1
    finally:
        end_process(int(pid))
