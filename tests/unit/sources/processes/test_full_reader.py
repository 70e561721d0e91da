"""The full reader on a machine recorded by `tests/support/recorded/record_proc.py`, whole and damaged."""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.processes.started import end_process
from tests.support.recorded.proc import CLEAN, OWNER, ROLES, ZOO, Machine, reader, role
from tmux_exporter.facts.process import Namespaces, Process, ProcessId, ProcessTable, Unreadable
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.process import KEPT_ENVIRON

DETAILS = [field.name for field in fields(Process) if field.default is None]


@pytest.fixture(scope="module")
def zoo() -> ProcessTable:
    return reader().read()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_table_holds_every_process_once_and_knows_when_it_was_taken(zoo: ProcessTable) -> None:
    assert set(zoo.processes) == set(ROLES.values())
    assert [process.id.pid for process in zoo.processes.values()] == list(zoo.processes)
    assert (zoo.boot_time, zoo.clock_ticks_per_second) == (1795529890.0, os.sysconf("SC_CLK_TCK"))
    assert (zoo.taken_at, zoo.complete, zoo.unreadable) == (42.0, True, CLEAN)


def test_a_tmux_server_is_read_whole(zoo: ProcessTable) -> None:
    assert role(zoo, "tmux_server") == Process(
        id=ProcessId(843, 156403), ppid=1, pgid=843, session_id=843, tty=0, foreground_pgid=-1, state="S",
        comm="tmux: server", threads=1, uid=OWNER, cpu_ticks=0, children_cpu_ticks=0,
        argv=("tmux", "-L", "scene", "-f", "/dev/null", "new-session", "-d", "-s", "main", "sleep 600"),
        image=140723672088364, exe="/usr/bin/tmux",
        environ={"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "5f0c1f9e", "TMUX_TMPDIR": "/tmp/tx-dksp7u71"},
        namespaces=Namespaces("pid:[4026531836]", "mnt:[4026531841]"), resident_bytes=3836 * 1024,
        anonymous_bytes=872 * 1024, shared_memory_bytes=0, swap_bytes=0, open_fds=7, max_fds=20000,
        read_bytes=0, written_bytes=0,
    )  # fmt: skip


def test_a_pane_has_its_terminal_and_tells_its_server(zoo: ProcessTable) -> None:
    pane = role(zoo, "pane")
    assert (pane.ppid, pane.session_id, pane.tty, pane.foreground_pgid) == (843, 844, 34816, 844)
    assert pane.environ is not None
    assert pane.environ["TMUX"].endswith("/scene,843,0")
    assert pane.environ["TMUX_PANE"] == "%0"


def test_no_other_variable_is_kept(zoo: ProcessTable) -> None:
    environs = [process.environ for process in zoo.processes.values() if process.environ is not None]
    assert len(environs) == 8
    assert all(set(environ) <= KEPT_ENVIRON for environ in environs)
    assert b"SECRET=" in (ZOO / str(ROLES["pane"]) / "environ").read_bytes()


@pytest.mark.parametrize(
    ("name", "comm"),
    [
        ("bracket_name", ") R 1 1 ("),
        ("newline_name", "two\nlines"),
        ("not_utf8_name", "\udcff\udcfe caf\udce9"),
    ],
)
def test_an_odd_name_spoils_nothing(zoo: ProcessTable, name: str, comm: str) -> None:
    process = role(zoo, name)
    assert (process.comm, process.state, process.ppid, process.threads) == (comm, "S", 840, 1)
    assert process.resident_bytes is not None
    assert process.resident_bytes > 8_000_000


def test_storage_bytes_come_from_io(zoo: ProcessTable) -> None:
    assert (role(zoo, "bracket_name").read_bytes, role(zoo, "bracket_name").written_bytes) == (32768, 0)


def test_open_files_are_counted_where_the_size_of_their_folder_says_nothing(zoo: ProcessTable) -> None:
    assert (role(zoo, "files").open_fds, role(zoo, "pane").open_fds) == (23, 3)


def test_a_zombie_has_only_its_stat(zoo: ProcessTable) -> None:
    zombie = role(zoo, "zombie")
    assert (zombie.alive, zombie.state, zombie.ppid) == (False, "Z", ROLES["zombie_parent"])
    assert [getattr(zombie, name) for name in DETAILS] == [None] * len(DETAILS)
    assert zombie.unreadable == ()


def test_a_process_without_its_main_thread_is_alive_and_keeps_its_memory(zoo: ProcessTable) -> None:
    process = role(zoo, "main_thread_left")
    assert (process.alive, process.state, process.threads) == (True, "Z", 2)
    assert (process.resident_bytes, process.anonymous_bytes) == (34660 * 1024, 28352 * 1024)
    assert (process.open_fds, process.max_fds, process.read_bytes) == (3, 20000, 0)
    assert (process.exe, process.unreadable) == ("/usr/bin/python3.11", ())
    assert process.argv is not None
    assert process.argv[0] == "/usr/bin/python3"
    assert process.environ is not None
    assert process.environ["CLAUDECODE"] == "1"


def test_a_kernel_thread_has_only_its_stat_and_is_not_unreadable(zoo: ProcessTable) -> None:
    thread = role(zoo, "kernel_thread")
    assert (thread.comm, thread.uid, thread.alive) == ("kthreadd", OWNER, True)
    assert [getattr(thread, name) for name in DETAILS] == [None] * len(DETAILS)
    assert thread.unreadable == ()


def test_another_users_processes_are_read_alike_and_never_counted_as_unreadable(zoo: ProcessTable) -> None:
    table = reader(uid=OWNER + 1).read()
    assert table.processes == zoo.processes
    assert (table.complete, table.unreadable, table.uid) == (True, CLEAN, OWNER + 1)


def test_a_kernel_before_4_5_has_no_anonymous_memory(machine: Machine) -> None:
    for status in machine.root.glob("*/status"):
        lines = status.read_bytes().splitlines(keepends=True)
        status.write_bytes(b"".join(line for line in lines if not line.startswith(b"Rss")))
    table = machine.read()
    server = role(table, "tmux_server")
    assert (server.anonymous_bytes, server.shared_memory_bytes) == (None, None)
    assert (server.resident_bytes, server.swap_bytes) == (3836 * 1024, 0)
    assert (server.unreadable, table.unreadable) == ((), CLEAN)


@pytest.mark.parametrize(
    ("missing", "unknown"),
    [
        ("status", {"resident_bytes", "anonymous_bytes", "shared_memory_bytes", "swap_bytes"}),
        ("io", {"read_bytes", "written_bytes"}), ("limits", {"max_fds"}), ("fd", {"open_fds"}),
        ("exe", {"exe"}), ("environ", {"environ"}), ("cmdline", {"argv", "environ"}), ("ns", {"namespaces"}),
    ],
)  # fmt: skip
def test_a_file_this_kernel_does_not_have_leaves_its_fields_unknown(
    machine: Machine, zoo: ProcessTable, missing: str, unknown: set[str]
) -> None:
    path = machine.folder("tmux_server") / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    table = machine.read()
    server, whole = role(table, "tmux_server"), role(zoo, "tmux_server")
    assert {name for name in DETAILS if getattr(server, name) is None} == unknown
    assert all(getattr(server, name) == getattr(whole, name) for name in set(DETAILS) - unknown)
    assert (server.unreadable, table.unreadable, table.complete) == ((), CLEAN, True)


def test_the_last_thread_may_be_missing_too(machine: Machine) -> None:
    shutil.rmtree(machine.folder("main_thread_left") / "task")
    process = role(machine.read(), "main_thread_left")
    assert (process.alive, process.resident_bytes, process.unreadable) == (True, None, ())


def test_a_process_is_counted_once_for_one_reason(machine: Machine) -> None:
    machine.edit("pane", "io", b"write_bytes", b"wrote")
    machine.edit("pane", "limits", b"Max open files", b"Max open doors")
    machine.edit("files", "status", b" kB", b" pages")
    table = machine.read()
    pane = role(table, "pane")
    assert (pane.read_bytes, pane.written_bytes, pane.max_fds) == (None, None, None)
    assert (pane.unreadable, pane.resident_bytes) == ((Unreadable.MALFORMED,), 1828 * 1024)
    assert role(table, "files").resident_bytes is None
    assert table.unreadable == {**CLEAN, Unreadable.MALFORMED: 2}
    assert table.complete


def test_a_file_that_cannot_be_read_is_another_reason(machine: Machine) -> None:
    io = machine.folder("pane") / "io"
    io.unlink()
    io.mkdir()
    table = machine.read()
    assert (role(table, "pane").read_bytes, role(table, "pane").unreadable) == (None, (Unreadable.OTHER,))
    assert table.unreadable == {**CLEAN, Unreadable.OTHER: 1}


def test_a_program_that_cannot_be_read_is_a_reason_too(machine: Machine) -> None:
    exe = machine.folder("pane") / "exe"
    exe.unlink()
    exe.touch()
    table = machine.read()
    assert (role(table, "pane").exe, role(table, "pane").unreadable) == (None, (Unreadable.OTHER,))
    assert table.unreadable == {**CLEAN, Unreadable.OTHER: 1}


def test_a_process_whose_folder_cannot_be_opened_is_unknown_and_says_so(machine: Machine) -> None:
    (machine.root / "99999").touch()
    table = machine.read()
    assert set(table.processes) == set(ROLES.values())
    assert (table.complete, table.unreadable) == (False, {**CLEAN, Unreadable.OTHER: 1})


@pytest.mark.parametrize(("uid", "counted"), [(OWNER, 1), (OWNER + 1, 0)])
def test_a_malformed_stat_hides_one_process_and_says_so(machine: Machine, uid: int, counted: int) -> None:
    machine.edit("pane", "stat", b")", b"")
    table = reader(machine.root, uid=uid).read()
    assert set(ROLES.values()) - set(table.processes) == {ROLES["pane"]}
    assert (table.complete, table.unreadable) == (False, {**CLEAN, Unreadable.MALFORMED: counted})


@pytest.mark.parametrize("stat", ["missing", "empty"])
def test_a_process_that_ended_after_the_listing_is_left_out(machine: Machine, stat: str) -> None:
    path = machine.folder("pane") / "stat"
    path.unlink()
    if stat == "empty":
        path.touch()
    table = machine.read()
    assert set(ROLES.values()) - set(table.processes) == {ROLES["pane"]}
    assert (table.complete, table.unreadable) == (True, CLEAN)


def test_a_machine_that_cannot_be_listed_is_unknown_and_not_empty(tmp_path: Path, machine: Machine) -> None:
    (machine.root / "stat").write_text("cpu 1 2 3\n")
    for root in (tmp_path / "nowhere", ZOO / "stat", machine.root):
        table = reader(root).read()
        assert (table.processes, table.complete, table.taken_at) == ({}, False, 42.0)
        assert math.isnan(table.boot_time)


def test_a_long_status_is_read_to_its_end(machine: Machine) -> None:
    # Thousands of groups stand before the memory lines; a user of a large directory service has hundreds.
    groups = b"Groups:\t" + b" ".join(b"%d" % group for group in range(100_000, 120_000)) + b" \n"
    machine.edit("pane", "status", b"VmPeak:", groups + b"VmPeak:")
    assert role(machine.read(), "pane").resident_bytes == 1828 * 1024


def test_no_descriptor_is_left_open(machine: Machine) -> None:
    shutil.rmtree(machine.folder("files") / "fd")
    (machine.folder("pane") / "io").unlink()
    (machine.folder("zombie") / "stat").write_text("nonsense")
    proc = reader(machine.root)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        proc.read()
    reader(machine.root / "nowhere").read()
    assert os.listdir("/proc/self/fd") == before


PARENT = (
    "import subprocess, sys, threading\n"
    "def start():\n"
    "    subprocess.Popen(['sleep', '20000'])\n"
    "    print('started', flush=True)\n"
    "    sys.stdin.readline()\n"
    "for line in sys.stdin:\n"
    "    thread = threading.Thread(target=start); thread.start(); thread.join()\n"
)
"""Starts a child in a thread of its own for each line, and lets the thread end with the next one."""


def test_processes_that_are_read_again_are_read_with_all_below_them() -> None:
    machine = ProcReader(uid=os.getuid(), clock=ManualClock())
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        before = machine.read()
        parent.stdin.write("\n")
        parent.stdin.flush()
        parent.stdout.readline()
        after = machine.read_again(before, [parent.pid])
        assert after is not None
        (child,) = [each for each in after.processes.values() if each.ppid == parent.pid]
        assert child.id.pid not in before.processes
        assert (child.comm, after.complete) == ("sleep", True)
        assert after.processes[os.getpid()] is before.processes[os.getpid()]
        end_process(child.id.pid)
        assert machine.read_again(before, [child.id.pid]) is not None
        parent.stdin.close()
        parent.wait()
    gone = machine.read_again(after, [parent.pid])
    assert gone is not None and parent.pid not in gone.processes


def test_where_the_kernel_does_not_list_children_nothing_is_read_again(machine: Machine) -> None:
    thread = machine.folder("pane") / "task" / str(ROLES["pane"])
    thread.mkdir(parents=True)
    shutil.copy(machine.folder("pane") / "stat", thread)
    assert reader(machine.root).read_again(machine.read(), [ROLES["pane"]]) is None


def test_what_is_gone_is_no_reason_to_read_all_again(zoo: ProcessTable) -> None:
    again = reader().read_again(zoo, [999_999])
    assert again is not None and again.processes == zoo.processes
