"""The full reader on the live machine: odd processes made to order."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.isolation.child import NOBODY, in_child
from tests.support.isolation.namespace import in_namespace
from tests.support.processes.odd import ACCEPTING, FILES, IDLE, MAIN_THREAD_LEFT, NAMED, ZOMBIE, running
from tests.support.processes.started import end_process
from tests.support.recorded.proc import OWNER, ROLES, Machine
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import Process, Unreadable
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.parse import ARGV_LIMIT

FD_SIZE_COUNTS = os.stat("/proc/self/fd").st_size > 0
FACTS = ("argv", "exe", "environ")
FIGURES = ("resident_bytes", "anonymous_bytes", "swap_bytes", "open_fds", "max_fds", "read_bytes")


def reader(root: str = "/proc", *, uid: int | None = None) -> ProcReader:
    return ProcReader(root, uid=os.getuid() if uid is None else uid, clock=SystemClock())


def read_one(pid: int) -> Process:
    return reader().read().processes[pid]


def until(proc: ProcReader, pid: int, condition: Callable[[Process], bool], what: str) -> Process:
    """Read until the process meets the condition; gives it as it was then."""
    seen = []

    def look() -> bool:
        seen.append(proc.read().processes[pid])
        return condition(seen[-1])

    wait_for(look, what)
    return seen[-1]


@pytest.fixture
def only(tmp_path: Path) -> Callable[[int], str]:
    """A root that holds nothing but one live process of the real /proc: quick to read, over and over."""

    def build(pid: int) -> str:
        for name in ("stat", str(pid)):
            (tmp_path / name).symlink_to(f"/proc/{name}")
        return str(tmp_path)

    return build


def test_this_very_process_is_read_whole() -> None:
    me = read_one(os.getpid())
    assert (me.ppid, me.uid, me.state, me.alive) == (os.getppid(), os.geteuid(), "R", True)
    assert (me.exe, me.unreadable) == (os.readlink("/proc/self/exe"), ())
    assert me.argv is not None
    assert list(me.argv) == sys.orig_argv
    assert all(getattr(me, name) is not None for name in (*FACTS, *FIGURES))
    assert me.max_fds == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_start_times_are_those_of_the_machine() -> None:
    clock = SystemClock()
    before = clock.time()
    with running(IDLE) as (pid, _):
        table = reader().read()
        started = table.start_time(table.processes[pid].id)
    # btime is a whole second, and a start a hundredth.
    assert before - 1.1 <= started <= clock.time() + 1.1
    assert table.taken_at <= clock.monotonic()


@pytest.mark.parametrize("name", [b") R 1 1 (", b"a\nb", b"\xff\xfe", b")", b""])
def test_a_name_set_by_the_process_itself_spoils_nothing(name: bytes) -> None:
    with running(NAMED, name.hex()) as (pid, _):
        process = until(reader(), pid, lambda seen: seen.state == "S", "it sleeps")
    assert process.comm.encode("utf-8", "surrogateescape") == name
    assert (process.ppid, process.threads) == (os.getpid(), 1)
    assert process.resident_bytes is not None


def test_megabytes_of_arguments_cost_four_kilobytes(only: Callable[[int], str]) -> None:
    big = ["x" * 100_000] * 19
    with running(IDLE, "first", *big, environ={}) as (pid, _):
        assert len(Path(f"/proc/{pid}/cmdline").read_bytes()) > 1_900_000
        proc = reader(only(pid))
        tracemalloc.start()
        process = proc.read().processes[pid]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert process.argv is not None
    assert process.argv[:4] == (sys.executable, "-c", IDLE, "first")
    assert sum(len(argument) + 1 for argument in process.argv) == ARGV_LIMIT + 1
    assert not process.argv_complete
    assert peak < 1_000_000


def test_a_variable_behind_megabytes_of_others_is_found() -> None:
    environ = {f"FILLER_{number}": "x" * 100_000 for number in range(19)}

    def reading() -> tuple[Mapping[int, Process], int]:
        tracemalloc.start()
        try:
            return reader().read().processes, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The facts of all others take the more the more there are.
    _, others = reading()
    with running(IDLE, environ={**environ, "TMUX_PANE": "%7", "TMUX_PANE_": "%8"}) as (pid, _):
        processes, peak = reading()
    process = processes[pid]
    assert process.environ == {"TMUX_PANE": "%7"}
    assert process.argv_complete
    assert peak - others < 1_000_000


def test_namespaces_tell_a_container_from_the_machine() -> None:
    outside = reader().read()
    assert outside.namespaces is not None
    assert outside.processes[os.getpid()].namespaces == outside.namespaces

    def inside() -> None:
        table = reader().read()
        assert table.processes[1].namespaces == table.namespaces
        assert table.namespaces is not None and outside.namespaces is not None
        assert table.namespaces.pid != outside.namespaces.pid
        assert table.namespaces.mount != outside.namespaces.mount

    if not in_namespace(inside):
        pytest.skip("this kernel gives no namespaces")


def test_a_zombie_is_there_and_dead() -> None:
    with running(ZOMBIE) as (parent, line):
        zombie = reader().read().processes[int(line)]
    assert (zombie.state, zombie.alive, zombie.ppid) == ("Z", False, parent)
    assert [getattr(zombie, name) for name in (*FACTS, *FIGURES)] == [None] * 9
    assert zombie.unreadable == ()


def test_a_process_whose_main_thread_left_keeps_its_figures() -> None:
    with running(MAIN_THREAD_LEFT, environ={"TMUX_PANE": "%5"}) as (pid, _):
        process = read_one(pid)
    assert (process.state, process.alive, process.threads) == ("Z", True, 2)
    assert process.anonymous_bytes is not None
    assert process.anonymous_bytes > 24 << 20
    assert (process.open_fds, process.environ) == (3, {"TMUX_PANE": "%5"})
    # The I/O of all threads is where the main thread was, which is root's alone from then on.
    assert process.unreadable == (() if os.getuid() == 0 else (Unreadable.PERMISSION,))
    assert (process.read_bytes is None) == bool(process.unreadable)
    assert process.argv is not None
    assert process.argv[0] == sys.executable


def test_open_files_are_counted_with_and_without_the_folder_size(only: Callable[[int], str]) -> None:
    with running(FILES, "20") as (pid, _):
        # A root without `self` cannot say what a size means, as kernels before 6.2 could not.
        counted = reader(only(pid)).read().processes[pid].open_fds
        assert counted == read_one(pid).open_fds == 23


def test_the_descriptor_that_an_accept_waits_with_is_open_by_size_alone(only: Callable[[int], str]) -> None:
    with running(ACCEPTING) as (pid, _):
        expected = 5 if FD_SIZE_COUNTS else 4
        until(reader(), pid, lambda seen: seen.open_fds == expected, "it waits in accept(2)")
        counted = reader(only(pid)).read().processes[pid].open_fds
    assert counted == 4


@pytest.mark.parametrize("second", ["sleep 600", "bash -c 'read -r _; exit' second"])
def test_an_exec_shows_although_the_process_stays(second: str) -> None:
    proc = reader()
    command = ["bash", "-c", f"read -r _; exec {second}", "first"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"PATH": os.environ["PATH"]}) as process:
        assert process.stdin is not None
        try:
            before = until(proc, process.pid, lambda seen: seen.argv == tuple(command), "bash is there")
            process.stdin.write(b"\n")
            process.stdin.flush()
            after = until(proc, process.pid, lambda seen: seen.argv not in (None, tuple(command)), "its exec")
        finally:
            process.kill()
    assert after.id == before.id
    assert after.argv is not None
    assert after.argv[0] == second.split(maxsplit=1)[0]


def test_no_reading_mixes_two_programs(tmp_path: Path, only: Callable[[int], str]) -> None:
    # A script that executes itself for ever, each time with one mark in its arguments and environment.
    script = tmp_path / "again.sh"
    script.write_text('[ "$1" = a ] && next=b || next=a\nAI_AGENT=$next exec sh "$0" $next\n')
    marks = set()
    with subprocess.Popen(["sh", str(script), "a"], env={**os.environ, "AI_AGENT": "a"}) as process:
        try:
            proc = reader(only(process.pid))
            for _ in range(4000):
                seen = proc.read().processes[process.pid]
                if seen.argv is not None and seen.environ is not None:
                    marks.add((seen.argv[-1], seen.environ["AI_AGENT"]))
        finally:
            process.kill()
    assert marks == {("a", "a"), ("b", "b")}


@pytest.fixture
def stranger() -> Iterator[tuple[int, ProcReader]]:
    """A process of another uid than the reader's; only root can start one, others move the reader's uid."""
    root = os.getuid() == 0
    with subprocess.Popen(["sleep", "600"], user=NOBODY if root else None) as process:
        yield process.pid, reader(uid=None if root else os.getuid() + 1)
        process.kill()


def test_of_another_users_process_nothing_counts_as_unreadable_of_ours(
    stranger: tuple[int, ProcReader],
) -> None:
    pid, proc = stranger
    process = until(proc, pid, lambda seen: (seen.comm, seen.state) == ("sleep", "S"), "it sleeps")
    assert (process.ppid, process.threads, process.argv) == (os.getpid(), 1, ("sleep", "600"))


def watched_from_outside(pid: int) -> Process:
    return reader().read().processes[pid]


def test_of_another_users_process_everybody_reads_what_the_kernel_shows_to_everybody() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    with running(FILES, "50") as (pid, _):
        own = read_one(pid)
        seen = in_child(lambda: watched_from_outside(pid), uid=NOBODY)
    shown = ("argv", "anonymous_bytes", "shared_memory_bytes", "swap_bytes", "threads", "max_fds")
    assert [getattr(seen, name) for name in shown] == [getattr(own, name) for name in shown]
    assert seen.anonymous_bytes
    assert (seen.exe, seen.environ, seen.read_bytes, seen.namespaces) == (None, None, None, None)
    assert seen.open_fds == (own.open_fds if FD_SIZE_COUNTS else None)
    assert seen.unreadable == (Unreadable.PERMISSION,)


def closed_and_open() -> tuple[Process, Process, int, int]:
    """Read two children, one of which lets nobody look into it; and the count of refusals twice over."""
    children = []
    try:
        for dumpable in (0, 1):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                ctypes.CDLL(None).prctl(4, dumpable, 0, 0, 0)  # PR_SET_DUMPABLE
                os.write(writing, b"!")
                signal.pause()
                os._exit(0)
            children.append(child)
            os.read(reading, 1)
            os.close(reading)
            os.close(writing)
        table = reader().read()
        own = [p for p in table.processes.values() if p.uid == os.getuid()]
        refused = [p for p in own if Unreadable.PERMISSION in p.unreadable]
        closed, opened = (table.processes[child] for child in children)
        return closed, opened, len(refused), table.unreadable[Unreadable.PERMISSION]
    finally:
        for child in children:
            end_process(child)


def test_a_process_that_lets_nobody_look_is_unknown_and_counted_once() -> None:
    # Root may look anywhere: as root this needs another user.
    closed, opened, refused, counted = in_child(closed_and_open, uid=NOBODY if os.getuid() == 0 else None)
    assert closed.unreadable == (Unreadable.PERMISSION,)
    assert (closed.exe, closed.environ, closed.read_bytes, closed.written_bytes) == (None, None, None, None)
    assert closed.argv == opened.argv
    assert closed.resident_bytes is not None
    assert closed.max_fds == opened.max_fds
    # The size of the folder needs no permission, its entries do.
    assert closed.open_fds == (opened.open_fds if FD_SIZE_COUNTS else None)
    assert opened.unreadable == ()
    assert all(getattr(opened, name) is not None for name in (*FACTS, *FIGURES))
    assert counted == refused


def test_a_refused_stat_is_counted_for_our_own_alone_and_makes_no_view_partial() -> None:
    # hidepid=1 refuses strangers' files while it lists them.
    with tempfile.TemporaryDirectory(prefix="tx-", dir="/tmp") as base:
        Path(base).chmod(0o755)
        machine = Machine(Path(base))
        (machine.folder("pane") / "stat").chmod(0)

        def read() -> list[tuple[bool, bool, int]]:
            tables = [reader(str(machine.root), uid=uid).read() for uid in (OWNER, OWNER + 1)]
            refused = Unreadable.PERMISSION
            return [(ROLES["pane"] in t.processes, t.complete, t.unreadable[refused]) for t in tables]

        # Nothing is refused to root.
        ours, strangers = in_child(read, uid=NOBODY if os.getuid() == 0 else None)
    assert ours == (False, True, 1)
    assert strangers == (False, True, 0)


def fill_descriptors() -> list[int]:
    """Open files until there is no descriptor to be had."""
    held = []
    with suppress(OSError):
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    return held


def out_of_descriptors() -> tuple[list[int], list[bool], list[int], int]:
    """Read with two descriptors to spare (for the root and one folder), then with four; count them again.

    Gives the number of processes, whether all were seen, how many were not, and the descriptors to spare.
    """
    proc = reader()
    limit = max(map(int, os.listdir("/proc/self/fd"))) + 5
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    held = fill_descriptors()
    tables = []
    for _ in range(2):
        os.close(held.pop())
        os.close(held.pop())
        tables.append(proc.read())
    counts = [table.unreadable[Unreadable.OTHER] for table in tables]
    found, complete = [len(table.processes) for table in tables], [table.complete for table in tables]
    return found, complete, counts, len(fill_descriptors())


def test_a_reader_without_descriptors_calls_nothing_gone() -> None:
    found, complete, other, left = in_child(out_of_descriptors)
    assert (found[0], complete) == (0, [False, True])
    assert other[0] > 0
    assert found[1] > 0
    assert (other[1], left) == (0, 4)
