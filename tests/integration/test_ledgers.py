"""Panes that have a cgroup to themselves, against the kernel's own account of that cgroup."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.cpu_truth import Cgroup, CpuacctCgroup, MemoryCgroup, Workload
from tests.support.processes.started import end_process
from tests.support.scenes.watch import Watch
from tests.support.wait import wait_for
from tmux_exporter.facts.ledgers import CpuSource

C = TypeVar("C", bound=Cgroup)
TICK = 0.01
BURN = f"{sys.executable} -S -c 'for i in range(300000): i*i'"
# Each kind leaves its work to nobody who was seen: to init, or to a parent that never waits for it.
ORPHANS = f"""\
for i in 1 2 3 4; do ({BURN} &) ; done
for i in 1 2 3; do sh -c '{BURN.replace("'", '"')} & exit' ; done
for i in 1 2 3; do (setsid nohup {BURN} >/dev/null 2>&1 &) ; done
{sys.executable} -S -c 'import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for i in range(3):
    if os.fork() == 0:
        for i in range(300000): i*i
        os._exit(0)
'
"""


@pytest.fixture
def watch(tmux_server: StartTmux) -> Watch:
    return Watch(tmux_server("ledgers"), ledgers=True)


@contextmanager
def running(watch: Watch, workload: Workload, kind: type[C]) -> Iterator[tuple[str, C]]:
    """A pane that waits for the word, in a cgroup of its own."""
    if not kind.possible():
        pytest.skip("a cgroup cannot be made here: it needs root, where cgroups may be written")
    made = watch.server.cmd("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", workload.command)
    pane, pid = made.stdout[0].split()
    wait_for(lambda: "timekeeper" in Path(f"/proc/{pid}/cmdline").read_text(), "the pane waits")
    cgroup = kind(int(pid))
    try:
        yield pane, cgroup
    finally:
        end_process(int(pid))
        cgroup.close()


@pytest.mark.parametrize("kind", [Cgroup, CpuacctCgroup], ids=["v2", "v1"])
def test_orphans_count_for_the_pane_that_started_them(
    watch: Watch, tmp_path: Path, kind: type[Cgroup]
) -> None:
    workload = Workload(tmp_path / "workload", ORPHANS)
    with running(watch, workload, kind) as (pane, cgroup):
        watch.settle()
        before = watch.settle()
        used_before = cgroup.used()
        workload.start()
        watch.sample_until(lambda: workload.is_done and len(cgroup.members()) == 1, apart=1.0)
        after = watch.settle()
        counted = watch.cpu(after, pane) - watch.cpu(before, pane)
        used = cgroup.used() - used_before
        shown = watch.pane(after, pane).usage
    assert used > 0.3
    assert counted == pytest.approx(used, rel=0.01, abs=2 * TICK)
    assert shown.cpu_source is CpuSource.CGROUP


def test_the_kill_of_a_process_that_took_too_much_is_told_of_its_pane(watch: Watch, tmp_path: Path) -> None:
    workload = Workload(tmp_path / "workload", f"{sys.executable} -S -c \"b'x' * (200 << 20)\"\n")
    with running(watch, workload, MemoryCgroup) as (pane, cgroup):
        cgroup.limit(60 << 20)
        before = watch.pane(watch.settle(), pane).usage.oom_kills_total
        workload.start()
        watch.sample_until(lambda: workload.is_done and len(cgroup.members()) == 1, apart=1.0)
        after = watch.settle()
        (session,) = (each for each in after.sessions if each.session == watch.pane(after, pane).session)
    others = {each.usage.oom_kills_total for each in after.panes if each.pane != pane}
    assert (before, watch.pane(after, pane).usage.oom_kills_total) == (0, 1)
    assert (session.usage.oom_kills_total, others) == (1, {None})
