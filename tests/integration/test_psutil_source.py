"""The portable reader and the Linux reader look at the same live machine and must say the same."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.fixtures import StartTmux
from tests.support.literals.scripted import sampler_of
from tests.support.processes.odd import FILES, IDLE, MAIN_THREAD_LEFT, NAMED, ZOMBIE, running
from tests.support.processes.started import server_pid
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.config import Config
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable, Unreadable
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.host.memory_limits import LimitReader
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.open import open_processes
from tmux_exporter.sources.processes.parse import ARGV_LIMIT
from tmux_exporter.sources.processes.process import KEPT_ENVIRON
from tmux_exporter.sources.processes.psutil_reader import PsutilReader
from tmux_exporter.sources.tmux import socket_transport
from tmux_exporter.sources.tmux.source import TmuxSource

UID = os.getuid()
CLOCK = SystemClock()

# What stands still between two looks must be equal; what only grows must lie between them.
STEADY = (
    *("id", "ppid", "pgid", "session_id", "state", "comm", "threads", "uid", "argv", "argv_complete", "exe"),
    *("environ", "resident_bytes", "open_fds", "max_fds", "unreadable"),
)
GROWING = ("cpu_ticks", "children_cpu_ticks", "read_bytes", "written_bytes")
# Of a main thread that left, psutil tells nothing more.
OF_MAIN_THREAD = {"argv", "exe", "environ", "resident_bytes", "open_fds", "max_fds", "read_bytes"}
OF_MAIN_THREAD |= {"written_bytes", "unreadable"}


def portable() -> PsutilReader:
    return PsutilReader(uid=UID, clock=CLOCK)


def linux() -> ProcReader:
    return ProcReader(uid=UID, clock=CLOCK)


def agrees(name: str, ours: Process, first: Process, last: Process) -> bool:
    mine: Any = getattr(ours, name)
    before: Any = getattr(first, name)
    after: Any = getattr(last, name)
    if name in GROWING and None not in (mine, before, after):
        return bool(before <= mine <= after)
    if bool(before != after) or bool(mine == before):
        return True
    if name == "argv" and before and len(before) == 1:
        return bool(mine == tuple(before[0].split(" ")))
    if name == "open_fds" and mine is not None:
        # psutil misses what threads wait with in accept(2); a reader itself holds a folder open.
        return bool(abs(mine - before) <= first.threads + 2 * (ours.id.pid == os.getpid()))
    return False


def differences(before: ProcessTable, ours: ProcessTable, after: ProcessTable) -> set[tuple[int, str]]:
    """Every (pid, field) in which our table is neither as before nor as after."""
    wrong: set[tuple[int, str]] = set()
    for pid, first in before.processes.items():
        last, mine = after.processes.get(pid), ours.processes.get(pid)
        if last is None or last.id != first.id:
            continue
        if mine is None:
            wrong.add((pid, "missing"))
            continue
        left = first.state == "Z" and first.alive
        hidden = OF_MAIN_THREAD if left or first.uid != UID else set()
        for name in (*STEADY, *GROWING):
            if name not in hidden and not agrees(name, mine, first, last):
                wrong.add((pid, name))
    known = before.processes.keys() | after.processes.keys()
    wrong.update((pid, "invented") for pid in ours.processes.keys() - known)
    return wrong


# Of a process whose name fills its 15 bytes psutil shows the longer one that starts its arguments.
LONG_NAME = "python3-by-another-name"
RENAMED = ("bash", "-c", f'exec -a {LONG_NAME} {sys.executable} "$@"', "bash")


@pytest.fixture
def cast() -> Iterator[dict[str, int]]:
    """Odd processes that are certainly among those compared."""
    environ = {"TMUX_PANE": "%3", "HOME": "/", "CLAUDECODE": "1", "SECRET": "x", "PATH": os.environ["PATH"]}
    odd = (b"two\nlines", b"", b"\xff\xfe caf\xe9", "🦊 狐".encode(), b"tab\tand blank ")
    with ExitStack() as stack:

        def start(code: str, *args: str, **more: Any) -> tuple[int, str]:
            return stack.enter_context(running(code, *args, **more))

        yield {
            "named": start(NAMED, b") R 1 1 (".hex())[0],
            "not utf-8": start(NAMED, b"\xff\xfe caf\xe9".hex())[0],
            "long name": start(NAMED, LONG_NAME[:15].encode().hex(), python=RENAMED)[0],
            "files": start(FILES, "50")[0],
            "odd arguments": start(IDLE, *map(os.fsdecode, odd))[0],
            "long arguments": start(IDLE, "x" * 3000, "y" * 3000)[0],
            "idle": start(IDLE, environ=environ)[0],
            "zombie": int(start(ZOMBIE)[1]),
            "left": start(MAIN_THREAD_LEFT)[0],
        }


def test_both_readers_agree_on_every_process(cast: dict[str, int]) -> None:
    proc, other = linux(), portable()
    # The machine moves while three lists of it are taken: what is wrong must be wrong every time.
    persistent: set[tuple[int, str]] | None = None
    for _ in range(5):
        before, ours, after = proc.read(), other.read(), proc.read()
        wrong = differences(before, ours, after)
        persistent = wrong if persistent is None else persistent & wrong
        assert set(cast.values()) <= ours.processes.keys()
        assert ours.complete
        assert (ours.boot_time, ours.clock_ticks_per_second) == (
            after.boot_time,
            after.clock_ticks_per_second,
        )
        if not persistent:
            break
    assert persistent == set()


CHANGED: dict[str, Any] = {
    **dict.fromkeys((*STEADY, *GROWING), -1000),
    "id": ProcessId(1, 1),
    "state": "?",
    "comm": "?",
    "argv": ("?",),
    "argv_complete": False,
    "exe": "?",
    "environ": {"TMUX_PANE": "%4"},
    "unreadable": (Unreadable.OTHER,),
}


def test_the_comparison_sees_a_difference(cast: dict[str, int]) -> None:
    before = linux().read()
    pid = cast["idle"]
    process = before.processes[pid]
    assert CHANGED.keys() == {*STEADY, *GROWING}
    for name, value in CHANGED.items():
        ours = replace(before, processes={**before.processes, pid: replace(process, **{name: value})})
        assert (pid, name) in differences(before, ours, before)
    without = {each: found for each, found in before.processes.items() if each != pid}
    ours = replace(before, processes=without)
    assert differences(before, ours, before) == {(pid, "missing")}
    assert differences(ours, before, ours) == {(pid, "invented")}


def test_what_psutil_does_not_tell_is_not_known(cast: dict[str, int]) -> None:
    processes = portable().read().processes
    for process in processes.values():
        assert (process.tty, process.foreground_pgid) == (0, -1)
        assert process.anonymous_bytes is None
        assert process.shared_memory_bytes is None
        assert process.swap_bytes is None
        assert process.resident_bytes != 0
        assert process.open_fds != 0 or process.argv
    zombie, left = processes[cast["zombie"]], processes[cast["left"]]
    assert (zombie.state, zombie.alive, zombie.argv, zombie.unreadable) == ("Z", False, None, ())
    assert (left.state, left.alive, left.argv, left.open_fds) == ("Z", True, None, None)
    assert left.unreadable == (Unreadable.OTHER,)


def test_nothing_of_an_environment_is_kept_but_what_names_pane_and_agent(cast: dict[str, int]) -> None:
    processes = portable().read().processes
    assert processes[cast["idle"]].environ == {"TMUX_PANE": "%3", "CLAUDECODE": "1"}
    assert all((process.environ or {}).keys() <= KEPT_ENVIRON for process in processes.values())


def test_long_arguments_are_cut_as_the_other_reader_cuts_them(cast: dict[str, int]) -> None:
    process = portable().read().processes[cast["long arguments"]]
    assert not process.argv_complete
    assert process.argv == linux().read().processes[cast["long arguments"]].argv
    assert len("\0".join(process.argv or ())) == ARGV_LIMIT


def test_a_process_stays_the_same_from_reading_to_reading(cast: dict[str, int]) -> None:
    reader = portable()
    first, second = reader.read(), reader.read()
    for pid in cast.values():
        assert first.processes[pid].id == second.processes[pid].id


def test_a_process_stays_the_same_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = portable()
    first, boot_time = reader.read(), psutil.boot_time()
    # As on a system that tells the wall time at which a process started.
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time + 5)
    second = reader.read()
    assert second.boot_time == first.boot_time + 5
    assert second.processes[os.getpid()].id == first.processes[os.getpid()].id
    assert portable().read().processes[os.getpid()].id != first.processes[os.getpid()].id


def test_a_process_that_has_ended_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = portable()
    with running(IDLE) as (pid, _):
        assert pid in reader.read().processes
    assert pid not in reader.read().processes
    monkeypatch.setattr(psutil, "pids", lambda: [pid, os.getpid()])
    table = reader.read()
    assert table.processes.keys() == {os.getpid()}, "it ended after it was listed"
    assert table.complete
    assert sum(table.unreadable.values()) == 0


def test_where_nothing_can_be_listed_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[int]:
        raise psutil.AccessDenied

    reader = portable()
    before = reader.read()
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "pids", refused)
        table = reader.read()
        assert (table.processes, table.complete) == ({}, False)
    assert reader.read().processes[os.getpid()].id == before.processes[os.getpid()].id


def test_other_users_processes_are_seen_without_detail() -> None:
    own = PsutilReader(uid=UID + 54_321, clock=CLOCK).read().processes[os.getpid()]
    assert own.uid == UID
    assert own.cpu_ticks > 0
    assert (own.argv, own.environ, own.resident_bytes, own.open_fds) == (None, None, None, None)


def test_linux_reads_its_own_proc(tmp_path: Path) -> None:
    for linux in (True, False):
        reader = open_processes("/proc", uid=UID, clock=CLOCK, linux=linux)
        assert isinstance(reader, FastReader | ProcReader)
        assert isinstance(open_processes("/proc", uid=UID, clock=CLOCK, fast=False, linux=linux), ProcReader)
    with pytest.raises(
        CannotSeeError, match=r"no proc file system at .*; mount it there, or set processes.root"
    ):
        open_processes(str(tmp_path), uid=UID, clock=CLOCK)


def test_a_system_without_proc_is_read_by_psutil(tmp_path: Path) -> None:
    assert isinstance(open_processes(str(tmp_path), uid=UID, clock=CLOCK, linux=False), PsutilReader)


def test_a_fleet_is_seen_by_psutil(tmux_server: StartTmux) -> None:
    server = tmux_server("portable")
    pid = server_pid(server)
    tmux = TmuxSource(Config().tmux, uid=UID, clock=CLOCK, environ=os.environ)
    report = sampler_of(portable(), tmux, clock=CLOCK, limits=LimitReader(clock=CLOCK)).sample()
    (label,) = (each.server for each in report.servers if each.pid == pid)
    (usage,) = (each.usage for each in report.sessions if each.server == label)
    pane = psutil.Process(int(server.cmd("list-panes", "-F", "#{pane_pid}").stdout[0]))
    assert (usage.processes, usage.threads) == (1, 1)
    assert usage.resident_memory_bytes == pane.memory_info().rss
    assert usage.open_fds == pane.num_fds()
    assert usage.memory_bytes is None


def test_without_listeners_no_server_is_asked(
    tmux_server: StartTmux, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmux_server("unknown").socket_path
    connection, _ = socket_transport.connect(str(path), UID)
    connection.close()
    monkeypatch.setattr(socket_transport, "_PEER_IS_KNOWN", False)
    with pytest.raises(socket_transport.ConnectError, match="does not say who listens") as refused:
        socket_transport.connect(str(path), UID)
    assert refused.value.failure is QueryFailure.UNTRUSTED
    with pytest.raises(socket_transport.ConnectError, match="does not exist"):
        socket_transport.connect(f"{path}-gone", UID)
