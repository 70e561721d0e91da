"""Real forks by the kernel's own events: what leaves everything behind, and what orphans use."""

import os
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


def test_a_daemon_that_leaves_everything_behind_keeps_its_pane(watch: Watch, tmp_path: Path) -> None:
    said = tmp_path / "pid"
    watch.settle()
    made = watch.server.cmd(
        "new-window", "-d", "-P", "-F", "#{pane_id}", f"{DAEMON.format(said)}; exec sleep 301"
    )
    (pane,) = made.stdout
    wait_for(said.exists, "the daemon is there", PATIENCE)
    daemon = int(said.read_text())
    stat = Path(f"/proc/{daemon}/stat")
    # A sample that saw it below its shell would know it by that.
    wait_for(lambda: stat.read_text().rpartition(")")[2].split()[1] == "1", "its parents are gone", PATIENCE)
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
