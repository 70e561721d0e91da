"""What panes are counted for, sample by sample, against what the kernel says that they used."""

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.cpu_truth import Cgroup, Workload
from tests.support.processes.started import end_process, is_gone
from tests.support.scenes.watch import Watch
from tests.support.wait import wait_for

TICKS = 0.04
"""The four figures of a process that stays are cut to ticks of 10 ms each."""

STDLIB = os.path.dirname(os.__file__)

FORKS = "i=0; while [ $i -lt 2500 ]; do /bin/true; i=$((i+1)); done\n"
SHORT_CHILDREN = f"""\
i=0
while [ $i -lt 40 ]; do
    {sys.executable} -S -c 'for i in range(700000): i*i'
    i=$((i+1))
done
"""
PIPELINES = f"""\
i=0
while [ $i -lt 6 ]; do
    ls -lR {STDLIB} | sort | md5sum
    grep -rh import {STDLIB}/asyncio {STDLIB}/json {STDLIB}/xml | sort | cksum
    i=$((i+1))
done
"""
SUBSHELLS = f"""\
i=0
while [ $i -lt 24 ]; do
    sh -c "sh -c \\"{sys.executable} -S -c 'for i in range(1500000): i*i'; true\\"; true"
    i=$((i+1))
done
"""
ORPHANS = f"""\
i=0
while [ $i -lt 6 ]; do
    ({sys.executable} -S -c 'for i in range(2500000): i*i' & echo $! >>$0.pids)
    i=$((i+1))
done
"""
WRITES = """\
i=0
while [ $i -lt 6 ]; do
    sh -c "dd if=/dev/zero of=$0.$i bs=64k count=40 conv=fsync 2>/dev/null; head -c 99 /dev/zero >$0.x; true"
    i=$((i+1))
done
"""
BURN = f"{sys.executable} -S -c 'for i in range(12000000): i*i'\n"


@pytest.fixture
def watch(tmux_server: StartTmux) -> Watch:
    return Watch(tmux_server("watched"))


@contextmanager
def running(watch: Watch, workload: Workload) -> Iterator[tuple[str, Cgroup | None]]:
    """A pane that waits for the word, in a cgroup of its own where we may make one."""
    pane, pid = (
        watch.server.cmd("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", workload.command)
        .stdout[0]
        .split()
    )
    wait_for(lambda: "timekeeper" in Path(f"/proc/{pid}/cmdline").read_text(), "the pane waits")
    cgroup = Cgroup(int(pid)) if Cgroup.possible() else None
    try:
        yield pane, cgroup
    finally:
        end_process(int(pid))
        if cgroup is not None:
            cgroup.close()


@pytest.mark.parametrize(
    "script",
    [FORKS, SHORT_CHILDREN, PIPELINES, SUBSHELLS],
    ids=["forks", "short children", "pipelines", "subshells"],
)
def test_a_pane_is_counted_for_what_it_used(watch: Watch, tmp_path: Path, script: str) -> None:
    workload = Workload(tmp_path / "workload", script)
    with running(watch, workload) as (pane, cgroup):
        before = watch.cpu(watch.settle(), pane)
        used_before = cgroup.used() if cgroup else 0.0
        workload.start()
        watch.sample_until(lambda: workload.is_done)
        report = watch.settle()
        counted = watch.cpu(report, pane) - before
        assert counted == pytest.approx(workload.used(), rel=0.01, abs=TICKS)
        if cgroup is not None:
            assert counted == pytest.approx(cgroup.used() - used_before, rel=0.01, abs=TICKS)
        assert watch.server_cpu(report) < 0.5


def test_bytes_that_children_wrote_count_once(watch: Watch) -> None:
    # Not every machine has a disk below /tmp, and memory is no storage.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        workload = Workload(Path(folder) / "workload", WRITES)
        with running(watch, workload) as (pane, _):
            before = watch.written(watch.settle(), pane)
            workload.start()
            watch.sample_until(lambda: workload.is_done, apart=0.01)
            counted = watch.written(watch.settle(), pane) - before
        assert workload.written() >= 6 * 40 * 65536
        # The timekeeper's own note is a page, and so may be the entry in its folder.
        assert 0 <= counted - workload.written() <= 2 * resource.getpagesize()


def test_a_pane_that_ended_is_not_its_servers(watch: Watch, tmp_path: Path) -> None:
    workload = Workload(tmp_path / "workload", BURN)
    with running(watch, workload) as (pane, _):
        before = watch.settle()
        workload.start()
        wait_for(lambda: workload.is_done, "it has burned", timeout=60)
    watch.server.cmd("kill-pane", "-t", pane)
    after = watch.settle()
    burned = workload.used()
    assert burned > 0.3
    assert watch.server_cpu(after) - watch.server_cpu(before) < 0.2
    # The session has it where a sample saw the zombie; else its server waited for it, and it is published.
    counted = watch.session_cpu(after) - watch.session_cpu(before)
    unattributed = after.unattributed_cpu_seconds_total - before.unattributed_cpu_seconds_total
    assert counted <= burned + 0.2
    assert counted + unattributed >= burned * 0.99 - TICKS


def test_orphans_are_counted_as_far_as_seen_and_the_rest_is_published(watch: Watch, tmp_path: Path) -> None:
    workload = Workload(tmp_path / "workload", ORPHANS)
    pids = tmp_path / "workload" / "script.sh.pids"
    with running(watch, workload) as (pane, cgroup):
        before = watch.settle()
        used_before = cgroup.used() if cgroup else 0.0
        workload.start()
        wait_for(lambda: workload.is_done, "all are started")
        orphans = [int(line) for line in pids.read_text().split()]
        watch.sample_until(lambda: all(is_gone(pid) for pid in orphans))
        # A zombie of init is not waited for at once.
        watch.sample_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
        after = watch.settle()
        counted = watch.cpu(after, pane) - watch.cpu(before, pane)
        published = after.unattributed_cpu_seconds_total - before.unattributed_cpu_seconds_total
        # Without a cgroup nobody can say what they used; that some of it was seen is certain.
        used = cgroup.used() - used_before if cgroup else workload.used()
        assert counted <= used + 0.1 or cgroup is None
        assert counted + published >= used * 0.99 - 0.02
        assert counted > used / 2


def test_an_agent_that_exits_stays_in_its_pane_once(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "claude").symlink_to("/bin/sh")
    os.mkfifo(tmp_path / "leave")
    burned = tmp_path / "burned"
    burn = BURN.strip()
    script = f'{tmp_path}/claude -c "{burn}; {burn}; : >{burned}; read word <{tmp_path}/leave"\n'
    workload = Workload(tmp_path / "workload", script)
    with running(watch, workload) as (pane, _):
        before = watch.cpu(watch.settle(), pane)
        workload.start()
        watch.sample_until(burned.exists)
        (agent,) = watch.agents(watch.settle(), pane)
        seen = agent.usage.cpu_seconds_total
        (tmp_path / "leave").write_text("now\n")
        watch.sample_until(lambda: workload.is_done)
        after = watch.settle()
        counted = watch.cpu(after, pane) - before
        assert agent.program == "claude"
        assert agent.pid not in [each.pid for each in watch.agents(after, pane)]
        assert counted == pytest.approx(workload.used(), rel=0.01, abs=TICKS)
        assert 0.9 * counted < seen <= counted + 0.02
