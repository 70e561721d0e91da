"""The headline memory of real panes against what a memory cgroup of their own holds.

A pane's shell waits in the cgroup before it becomes the interpreter, so that all of that one's memory is
charged there. Where no memory cgroup can be made the truth is what the script says that it took: it knows
what it touched.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.memory_truth import MemoryCgroup
from tests.support.processes.started import end_process, is_gone
from tests.support.processes.swap_truth import has_swap
from tests.support.scenes.watch import Watch
from tests.support.wait import wait_for
from tmux_exporter.facts.process import MemorySource
from tmux_exporter.facts.report import Usage

MIB = 1 << 20
REPOSITORY = Path(__file__).parents[2]

PRELUDE = """\
import mmap, os, sys, time
MIB = 1 << 20
base = sys.argv[1]
def take(mib, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
    area = mmap.mmap(-1, mib * MIB, flags=flags)
    for at in range(0, len(area), 4096):
        area[at] = 1
    return area
def say(mib):
    with open(base + "/new", "w") as out:
        print(mib, *children, file=out)
    os.rename(base + "/new", base + "/taken")
def stay():
    while True:
        time.sleep(60)
def fork(work):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        work()
        os.write(writing, b".")
        stay()
    children.append(child)
    os.read(reading, 1)
def wait_for_go():
    # It may open while who wrote before has yet to close: that is an end without a word.
    word = ""
    while not word:
        with open(base + "/go") as go:
            word = go.readline()
children = []
wait_for_go()
"""
FLAT = "area = take(300)\nsay(300)\nstay()\n"
WORKERS = "area = take(150)\nfor _ in range(7): fork(lambda: None)\nsay(150)\nstay()\n"
LARGE_WORKERS = "area = take(300)\nfor _ in range(6): fork(lambda: None)\nsay(300)\nstay()\n"
WRITING_WORKERS = """\
area = take(150)
def work():
    for at in range(0, 20 * MIB, 4096):
        area[at] = 2
for _ in range(7): fork(work)
say(150 + 7 * 20)
stay()
"""
SHARED = """\
area = take(100, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
def work():
    sum(area[at] for at in range(0, len(area), 4096))
fork(work)
say(100)
stay()
"""
READER = """\
with open(base + "/file", "wb") as out:
    for _ in range(100):
        out.write(bytes(MIB))
with open(base + "/file", "rb") as file:
    os.fsync(file.fileno())
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[at] for at in range(0, len(mapped), 4096))
    while file.read(MIB): pass
area = take(40)
say(40)
stay()
"""
UNMAPPED = """\
memory = os.memfd_create("written")
gone = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
for _ in range(50):
    for file in (memory, gone):
        os.write(file, b"x" * MIB)
fork(lambda: None)
say(100)
stay()
"""
SAW_TOOTH = """\
for mib in (200, 20, 260, 60):
    area = None
    area = take(mib)
    say(mib)
    wait_for_go()
"""


class Holder:
    """A pane that runs one of the scripts, in a memory cgroup of its own where we may make one."""

    def __init__(self, watch: Watch, base: Path, script: str) -> None:
        self._watch = watch
        self.base = base
        base.mkdir()
        (base / "script.py").write_text(PRELUDE + script)
        os.mkfifo(base / "go")
        program = f"exec {sys.executable} -S {base}/script.py {base}"
        command = f"read word <{base}/go; {program}"
        made = watch.server.cmd("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", command)
        self.pane, pid = made.stdout[0].split()
        self.pid = int(pid)
        self.cgroup = MemoryCgroup(self.pid) if MemoryCgroup.possible() else None
        (base / "go").write_text("be the interpreter\n")
        wait_for(self._is_interpreter, "the pane waits", 30)

    def _is_interpreter(self) -> bool:
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().startswith(os.fsencode(sys.executable))

    def go(self) -> None:
        """Let it take its memory; comes back once it has."""
        (self.base / "taken").unlink(missing_ok=True)
        (self.base / "go").write_text("go\n")
        wait_for((self.base / "taken").exists, "the memory is taken", 60)

    def truth(self) -> int:
        """Bytes that would come back if the pane ended."""
        taken, *children = self._said()
        # An interpreter and, of each fork of it, what it wrote to: some MiB.
        return self.cgroup.held() if self.cgroup else (taken + 5 + len(children)) * MIB

    def usage(self) -> Usage:
        return self._watch.pane(self._watch.sample(), self.pane).usage

    def children(self) -> list[int]:
        """The processes that it has forked."""
        return self._said()[1:]

    def close(self) -> None:
        children = self.children() if (self.base / "taken").exists() else []
        for pid in (self.pid, *children):
            end_process(pid)
        assert is_gone(self.pid)
        if self.cgroup:
            self.cgroup.close()

    def _said(self) -> list[int]:
        return [int(word) for word in (self.base / "taken").read_text().split()]


@pytest.fixture
def watch(tmux_server: StartTmux) -> Watch:
    return Watch(tmux_server("watched"))


@contextmanager
def holding(watch: Watch, base: Path, script: str) -> Iterator[Holder]:
    with closing(Holder(watch, base, script)) as holder:
        yield holder


@pytest.mark.parametrize(
    ("script", "source"),
    [
        (FLAT, MemorySource.STATUS),
        (WORKERS, MemorySource.SMAPS_ROLLUP),
        pytest.param(LARGE_WORKERS, MemorySource.SMAPS_ROLLUP, marks=pytest.mark.long),
        (WRITING_WORKERS, MemorySource.SMAPS_ROLLUP),
        (SHARED, MemorySource.SMAPS_ROLLUP),
        (READER, MemorySource.STATUS),
        (UNMAPPED, MemorySource.SMAPS_ROLLUP),
    ],
    ids=[
        "flat",
        "workers",
        "large workers",
        "writing workers",
        "shared memory",
        "page cache",
        "unmapped files",
    ],
)
def test_the_headline_is_the_gain(watch: Watch, tmp_path: Path, script: str, source: MemorySource) -> None:
    with holding(watch, tmp_path / "holder", script) as holder:
        holder.go()
        found = wait_for(lambda: _settled(holder.usage(), source), f"a figure by {source}", 30)
        assert found.memory_bytes == pytest.approx(holder.truth(), rel=0.1)
        if holder.cgroup:
            assert found.memory_bytes == pytest.approx(holder.cgroup.held(), rel=0.03)


def _settled(found: Usage, source: MemorySource) -> Usage | None:
    return found if found.memory_source is source else None


def test_a_saw_tooth_is_followed_up_and_down(watch: Watch, tmp_path: Path) -> None:
    with holding(watch, tmp_path / "holder", SAW_TOOTH) as holder:
        for _ in range(4):
            holder.go()
            assert holder.usage().memory_bytes == pytest.approx(holder.truth(), rel=0.1)


def test_a_worker_that_ends_leaves_its_part_to_the_others(watch: Watch, tmp_path: Path) -> None:
    with holding(watch, tmp_path / "holder", WORKERS) as holder:
        holder.go()
        wait_for(lambda: _settled(holder.usage(), MemorySource.SMAPS_ROLLUP), "a figure by smaps_rollup", 30)
        for pid in holder.children()[:5]:
            end_process(pid)
        assert holder.usage().memory_bytes == pytest.approx(holder.truth(), rel=0.1)


@pytest.mark.skipif(
    not (MemoryCgroup.possible() and has_swap()),
    reason="needs swap and an own memory cgroup; tests/support/processes/swap_truth.py is the same alone",
)
def test_swap_counts_once_and_what_is_in_it_is_no_memory() -> None:
    command = [sys.executable, "-m", "tests.support.processes.swap_truth"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY).stdout)
    assert said["source"] == MemorySource.SMAPS_ROLLUP
    assert said["memory"] == pytest.approx(said["held"], rel=0.1)
    assert said["swap"] == pytest.approx(said["swapped"], rel=0.1)
