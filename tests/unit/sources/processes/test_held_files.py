"""Files in memory of a real process: memfds and deleted files of a tmpfs, mapped or not."""

import mmap
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tmux_exporter.facts.process import HeldFile, ProcessId
from tmux_exporter.sources.processes.held_files import SMALLEST_BYTES, HeldFileReader
from tmux_exporter.sources.processes.parse import parse_stat

SIZE = 2 * SMALLEST_BYTES


def ourselves() -> ProcessId:
    return ProcessId(os.getpid(), parse_stat(Path("/proc/self/stat").read_bytes()).start_ticks)


def held() -> frozenset[HeldFile]:
    return HeldFileReader().read([ourselves()])[ourselves()]


@pytest.mark.parametrize("kind", ["memfd", "tmpfs"])
def test_its_blocks_are_told_while_it_is_open(kind: str) -> None:
    before = held()
    made = os.memfd_create("x") if kind == "memfd" else os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.write(made, bytes(SIZE))
        found = os.fstat(made)
        assert held() - before == {HeldFile(found.st_dev, found.st_ino, SIZE)}
        os.ftruncate(made, SMALLEST_BYTES - 4096)
        assert held() == before
    finally:
        os.close(made)
    assert held() == before


def test_what_is_mapped_is_told() -> None:
    made = os.memfd_create("x")
    os.write(made, bytes(SIZE))
    which = os.fstat(made)
    reader = HeldFileReader()
    assert (which.st_dev, which.st_ino) not in reader.mapped([ourselves()])
    area = mmap.mmap(made, SIZE)
    assert (which.st_dev, which.st_ino) in reader.mapped([ourselves()])
    area.close()
    os.close(made)


def test_a_file_that_has_a_name_belongs_to_nobody() -> None:
    before = held()
    made, path = tempfile.mkstemp(dir="/dev/shm")
    try:
        os.write(made, bytes(SIZE))
        assert held() == before
    finally:
        os.unlink(path)
        os.close(made)


def test_a_deleted_file_on_a_disk_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        "26 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n31 26 0:27 / /tmp rw shared:2 - tmpfs tmpfs rw\n"
    )
    reader = HeldFileReader(proc_root=str(tmp_path))
    assert [reader._is_tmpfs(os.makedev(*each)) for each in ((8, 1), (0, 27))] == [False, True]


def test_a_process_that_is_not_there_holds_nothing_known() -> None:
    assert HeldFileReader().read([ProcessId(os.getpid(), 1)]) == {}
    assert HeldFileReader().mapped([ProcessId(os.getpid(), 1)]) == frozenset()


_SHARER = """
import ctypes, os, signal
number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
apart = os.fork()
if not apart:
    signal.pause()
shares = ctypes.CDLL(None).syscall(number, 0x400 | signal.SIGCHLD, 0, 0, 0, 0)
if not shares:
    signal.pause()
print(apart, shares, flush=True)
input()
os.kill(apart, 9), os.kill(shares, 9)
"""


def test_who_shares_a_table_of_open_files_is_told_by_the_kernel() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SHARER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        apart, shares = map(int, parent.stdout.readline().split())
        (above, own, same), gone = (
            (ProcessId(pid, 1) for pid in (parent.pid, apart, shares)),
            ProcessId(1 << 30, 1),
        )
        pairs = {(own, above): False, (same, above): True, (gone, above): None}
        assert HeldFileReader().same_tables(pairs) == pairs
        assert HeldFileReader(proc_root="/other").same_tables(pairs) == dict.fromkeys(pairs)
        parent.communicate("\n")
