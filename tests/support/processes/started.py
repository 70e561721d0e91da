"""Processes that a test starts: ended by their own pid, and waited for."""

import os
import signal
from pathlib import Path

import libtmux
import psutil

from tests.support.wait import wait_for


def is_gone(pid: int) -> bool:
    """True once the pid has no process, or only a zombie that nobody has reaped yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] in (b"Z", b"X")


def end_process(pid: int) -> None:
    """SIGKILL one process that this test started, stopped or not, and wait until it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_for(lambda: is_gone(pid), f"process {pid} ends")


def server_pid(server: libtmux.Server) -> int:
    """The pid of a live test server, by its own answer."""
    return int(server.cmd("display-message", "-p", "#{pid}").stdout[0])


def end_server(server: libtmux.Server) -> None:
    """Kill a test server by its own socket; a server that is already gone is fine."""
    server.cmd("kill-server")


def listens(pid: int) -> bool:
    """Whether a process waits for connections of others by TCP."""
    return any(each.status == psutil.CONN_LISTEN for each in psutil.Process(pid).net_connections("tcp"))
