"""The full reader and psutil look at the same live machine and must say the same."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from tests.support.processes.odd import FILES, IDLE, MAIN_THREAD_LEFT, NAMED, ZOMBIE, running
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.parse import ARGV_LIMIT
from tmux_exporter.sources.processes.process import KEPT_ENVIRON

TICKS = os.sysconf("SC_CLK_TCK")
STATES = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_RUNNING: "R", psutil.STATUS_SLEEPING: "S"}

Look = Callable[[psutil.Process], Any]


def ticks(*seconds: float) -> int:
    return sum(round(share * TICKS) for share in seconds)


def argv(process: psutil.Process) -> tuple[str, ...] | None:
    """The arguments where psutil keeps them as they are: it splits a lone one at its blanks."""
    words = process.cmdline()
    if len(words) < 2 or sum(len(os.fsencode(word)) + 1 for word in words) > ARGV_LIMIT:
        return None
    return tuple(words)


# What stands still between two looks must be equal; what only grows must lie between them.
STEADY: dict[str, tuple[Look, Callable[[Process], Any]]] = {
    "ppid": (psutil.Process.ppid, lambda process: process.ppid),
    "uid": (lambda process: process.uids().effective, lambda process: process.uid),
    "state": (lambda process: STATES.get(process.status()), lambda process: process.state),
    "threads": (psutil.Process.num_threads, lambda process: process.threads),
    "pgid": (lambda process: os.getpgid(process.pid), lambda process: process.pgid),
    "session": (lambda process: os.getsid(process.pid), lambda process: process.session_id),
    "resident": (lambda process: process.memory_info().rss, lambda process: process.resident_bytes),
    "fds": (psutil.Process.num_fds, lambda process: process.open_fds),
    "fd limit": (lambda process: process.rlimit(psutil.RLIMIT_NOFILE)[0], lambda process: process.max_fds),
    "exe": (lambda process: process.exe() or None, lambda process: process.exe),
    "argv": (argv, lambda process: process.argv),
    "environ": (
        lambda process: {name: value for name, value in process.environ().items() if name in KEPT_ENVIRON},
        lambda process: process.environ,
    ),
}
GROWING: dict[str, tuple[Look, Callable[[Process], Any]]] = {
    "cpu": (
        lambda process: ticks(process.cpu_times().user, process.cpu_times().system),
        lambda process: process.cpu_ticks,
    ),
    "children's cpu": (
        lambda process: ticks(process.cpu_times().children_user, process.cpu_times().children_system),
        lambda process: process.children_cpu_ticks,
    ),
    "read": (lambda process: process.io_counters().read_bytes, lambda process: process.read_bytes),
    "written": (lambda process: process.io_counters().write_bytes, lambda process: process.written_bytes),
}

# psutil asks the main thread, which has none of them once it left; the reader asks a living one.
OF_MAIN_THREAD = {"resident", "fds", "exe", "argv", "environ"}

# pid and start, in psutil's words (seconds) and in field names.
Seen = dict[tuple[int, float], dict[str, Any]]


def look() -> Seen:
    """What psutil says of every process; a field is left out where it may not or cannot say."""
    seen: Seen = {}
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            figures = seen.setdefault((pid, round(process.create_time(), 2)), {})
        except psutil.NoSuchProcess:
            continue
        for name, (ask, _) in {**STEADY, **GROWING}.items():
            try:
                figures[name] = ask(process)
            except (psutil.Error, OSError):
                continue
    return seen


def slack(process: Process) -> int:
    """How many more files the reader may see: psutil misses what threads wait with in accept(2)."""
    # The reader itself holds its root and a folder open.
    return process.threads + 2 * (process.id.pid == os.getpid())


def differences(before: Seen, table: ProcessTable, after: Seen) -> tuple[set[tuple[int, str]], int]:
    """Every (pid, field) in which the table is neither as before nor as after; and how many were compared."""
    wrong: set[tuple[int, str]] = set()
    compared = 0
    for identity, first in before.items():
        last = after.get(identity)
        if last is None:
            continue
        process = table.processes.get(identity[0])
        if process is None:
            wrong.add((identity[0], "missing"))
            continue
        detailed = process.argv is not None and process.state != "Z"
        for name in first.keys() & last.keys():
            if process.state == "Z" and name in OF_MAIN_THREAD:
                continue
            ours = (STEADY.get(name) or GROWING[name])[1](process)
            if ours is None and not detailed:
                # A zombie, a kernel thread, a stranger.
                continue
            if first[name] is None or last[name] is None or (name in STEADY and first[name] != last[name]):
                continue
            compared += 1
            if name == "fds":
                agreed = ours is not None and 0 <= ours - first[name] <= slack(process)
            elif name in STEADY:
                agreed = ours == first[name]
            else:
                agreed = ours is not None and first[name] <= ours <= last[name]
            if not agreed:
                wrong.add((identity[0], name))
    known = {pid for pid, _ in before} | {pid for pid, _ in after}
    wrong.update((pid, "invented") for pid in table.processes.keys() - known)
    return wrong, compared


@pytest.fixture
def cast() -> Iterator[dict[str, int]]:
    """Odd processes that are certainly among those compared."""
    with ExitStack() as stack:
        pids = {
            "named": stack.enter_context(running(NAMED, b") R 1 1 (".hex()))[0],
            "files": stack.enter_context(running(FILES, "50"))[0],
            "idle": stack.enter_context(running(IDLE, environ={"TMUX_PANE": "%3", "HOME": "/"}))[0],
            "zombie": int(stack.enter_context(running(ZOMBIE))[1]),
            "left": stack.enter_context(running(MAIN_THREAD_LEFT))[0],
        }
        yield pids


def test_both_readers_agree_on_every_process(cast: dict[str, int]) -> None:
    reader = ProcReader(uid=os.getuid(), clock=SystemClock())
    # The machine moves while three lists of it are taken: what is wrong must be wrong every time.
    persistent: set[tuple[int, str]] | None = None
    for _ in range(5):
        before, table, after = look(), reader.read(), look()
        wrong, compared = differences(before, table, after)
        persistent = wrong if persistent is None else persistent & wrong
        assert compared > 10 * len(cast)
        assert cast.items() <= {name: table.processes[pid].id.pid for name, pid in cast.items()}.items()
        if not persistent:
            break
    assert persistent == set()


def test_both_readers_agree_on_when_a_process_started(cast: dict[str, int]) -> None:
    table = ProcReader(uid=os.getuid(), clock=SystemClock()).read()
    for pid in cast.values():
        assert abs(table.start_time(table.processes[pid].id) - psutil.Process(pid).create_time()) < 0.02
