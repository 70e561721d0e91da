"""Real forks by the kernel's own events: what leaves everything behind, and what orphans use."""

import os
import socket
import subprocess
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
PATIENCE = 240.0
TICKS = 0.04
BURN = 'import time\nwhile time.process_time() < 0.2: pass\nopen("{}/end").read()'
# It is nobody's by anything but who forked it: no variables, a session of its own, its parents gone.
DAEMON = "(env -i setsid sh -c 'sleep 300 & echo $! >{0}.new; mv {0}.new {0}' &)"


@pytest.fixture
def forks() -> Iterator[ForkWatch[Lineage]]:
    watch = ForkWatch(Lineage(), clock=SystemClock())
    watch.configure(wanted=True)
    if not watch.listening:
        # As the events of exec: a container has none, whatever is installed in it.
        pytest.skip(f"the kernel's process events are needed: {watch.problem}")
    yield watch
    watch.stop()


@pytest.fixture
def watch(tmux_server: StartTmux, forks: ForkWatch[Lineage]) -> Watch:
    return Watch(tmux_server("lineage"), forks=forks)


def start_daemon(watch: Watch, said: Path) -> tuple[str, int]:
    """A pane, and a daemon that it has started; nothing but the forks leads from one to the other."""
    made = watch.server.cmd(
        "new-window", "-d", "-P", "-F", "#{pane_id}", f"{DAEMON.format(said)}; exec sleep 301"
    )
    wait_for(said.exists, "the daemon is there", PATIENCE)
    daemon = int(said.read_text())
    stat = Path(f"/proc/{daemon}/stat")
    # A sample that saw it below its shell would know it by that.
    wait_for(lambda: stat.read_text().rpartition(")")[2].split()[1] == "1", "its parents are gone", PATIENCE)
    return made.stdout[0], daemon


def test_a_daemon_that_leaves_everything_behind_keeps_its_pane(watch: Watch, tmp_path: Path) -> None:
    watch.settle()
    pane, daemon = start_daemon(watch, tmp_path / "pid")
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


def test_a_real_loss_is_told_and_forks_after_it_are_followed_again(
    watch: Watch, forks: ForkWatch[Lineage], tmp_path: Path
) -> None:
    watch.settle()
    earlier, kept = start_daemon(watch, tmp_path / "earlier")
    daemons = [kept]
    try:
        before = watch.settle().lineage
        connection = forks._connection
        assert before is not None and connection is not None
        events = connection._socket
        # The least that the kernel allows holds no storm while nobody reads.
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        forks.use(lambda: subprocess.run(["sh", "-c", "for i in $(seq 200); do (:); done"], check=True))
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        # The kernel drops all events until what it has kept is read. A gap in the numbers of a processor is
        # found by its next event.
        forks.use(lambda: None)
        for processor in os.sched_getaffinity(0):
            subprocess.run(["taskset", "-c", str(processor), "true"], check=True)
        after = watch.settle().lineage
        assert after is not None and after.listening and after.lost_total > before.lost_total
        pane, daemon = start_daemon(watch, tmp_path / "later")
        daemons.append(daemon)
        report = watch.settle()
        assert [watch.pane(report, each).usage.processes for each in (earlier, pane)] == [2, 2]
    finally:
        for each in daemons:
            end_process(each)


def test_an_orphan_that_no_sample_sees_counts_for_its_pane(
    watch: Watch, forks: ForkWatch[Lineage], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "end")
    burn = f"{sys.executable} -S -c '{BURN.format(tmp_path)}'"
    workload = Workload(tmp_path / "workload", f"({burn} & echo $! >>$0.pids)\n")
    made = watch.server.cmd("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", workload.command)
    pane, pid = made.stdout[0].split()
    wait_for(lambda: "timekeeper" in Path(f"/proc/{pid}/cmdline").read_text(), "the pane waits", PATIENCE)
    try:
        before = watch.cpu(watch.settle(), pane)
        workload.start()
        wait_for(lambda: workload.is_done, "it has been started", PATIENCE)
        (orphan,) = [int(line) for line in (tmp_path / "workload" / "script.sh.pids").read_text().split()]

        def is_asked() -> bool:
            known = forks.forks._orphans.get(orphan)
            return known is not None and known.clock >= 200_000_000

        wait_for(is_asked, "it has said what it used", PATIENCE)
        (tmp_path / "end").write_text("end\n")
        wait_for(lambda: is_gone(orphan), "it has ended", PATIENCE)
        counted = watch.cpu(watch.settle(), pane) - before - workload.used()
        # It used some more to start and to end.
        assert 0.2 - TICKS <= counted <= 0.4
    finally:
        end_process(int(pid))
