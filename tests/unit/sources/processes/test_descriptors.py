"""Which terminals a process holds, from which end."""

import os
import pty
import socket
from pathlib import Path

import pytest

from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.processes.descriptors import read_descriptors


def test_both_ends_of_a_terminal_of_our_own() -> None:
    with opened("/proc/self") as folder:
        before = read_descriptors(folder)
        master, slave = pty.openpty()
        number = int(os.ttyname(slave).rpartition("/")[2])
        both = read_descriptors(folder)
        os.close(slave)
        only_master = read_descriptors(folder)
        os.close(master)
        assert both.masters - before.masters == only_master.masters - before.masters == {number}
        assert f"/dev/pts/{number}" in both.terminals
        assert f"/dev/pts/{number}" not in only_master.terminals


def folder_with(tmp_path: Path, link: str, info: str) -> int:
    (tmp_path / "fd").mkdir()
    (tmp_path / "fdinfo").mkdir()
    (tmp_path / "fd" / "5").symlink_to(link)
    (tmp_path / "fdinfo" / "5").write_text(info)
    return os.open(tmp_path, os.O_RDONLY)


def test_sockets_show() -> None:
    with socket.socket() as _, opened("/proc/self") as folder:
        assert read_descriptors(folder).sockets


def test_where_the_kernel_does_not_name_the_terminal_nothing_is_known(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "/dev/ptmx", "pos:\t0\nflags:\t02100002\n")
    with pytest.raises(OSError, match="no tty-index"):
        read_descriptors(folder)
    os.close(folder)


def test_the_master_of_a_devpts_of_its_own_is_one_too(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "/dev/pts/ptmx", "pos:\t0\ntty-index:\t31\n")
    found = read_descriptors(folder)
    os.close(folder)
    assert (set(found.masters), found.sockets) == ({31}, False)
