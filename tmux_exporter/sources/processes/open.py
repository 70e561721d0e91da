"""Choose the reader of processes for this machine: fast, full or psutil.

The fast reader is tried on a child process, on this kernel and this mount of /proc. With a /proc of another
pid namespace, in some sandboxes and with some security modules, pids, CPU clocks or the folders of /proc do
not behave as it assumes.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.log import log_fields
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.kernel import Kernel, ProcKernel
from tmux_exporter.sources.processes.new_pids import Cursor
from tmux_exporter.sources.processes.process import ProcessReader, own_namespaces, size_counts_fds

if TYPE_CHECKING:
    from tmux_exporter.sources.processes.psutil_reader import PsutilReader

_log = logging.getLogger(__name__)


def _open_fast(root: str, *, uid: int, clock: Clock) -> FastReader | None:
    try:
        with open(os.path.join(root, "self", "status"), "rb") as status:
            own = is_own_mount(status.read())
    except OSError:
        own = False
    kernel = ProcKernel(root, ProcessReader(uid=uid, by_size=size_counts_fds(root), by_pid=own))
    if own and finds_a_child(kernel):
        return FastReader(
            kernel,
            uid=uid,
            clock=clock,
            ticks_per_second=os.sysconf("SC_CLK_TCK"),
            namespaces=own_namespaces(root),
        )
    reason = "it did not find a child of this process" if own else "it is not of this pid namespace"
    _log.warning("processes are read in full each time", extra=log_fields(root=root, reason=reason))
    return None


def open_processes(
    root: str, *, uid: int, clock: Clock, fast: bool = True, linux: bool = sys.platform == "linux"
) -> "FastReader | ProcReader | PsutilReader":
    """The reader of `/proc` if there is one at `root`, else the psutil reader.

    With `fast`, the fast reader if a self-test with a child process passes. On Linux psutil reads /proc
    too, so it is no alternative there. Raises CannotSeeError if neither can read processes.
    """
    # Only Linux has this file in /proc.
    if os.path.exists(os.path.join(root, "stat")):
        plain = ProcReader(root, uid=uid, clock=clock)
        return (_open_fast(root, uid=uid, clock=clock) if fast else None) or plain
    if linux:
        raise CannotSeeError(
            f"no proc file system at {root}; mount it there, or set processes.root to its place"
        )
    from tmux_exporter.sources.processes.psutil_reader import PsutilReader  # noqa: PLC0415 - heavy

    return PsutilReader(uid=uid, clock=clock)


_SHELL = "/bin/sh"
_SPELLING = re.compile(rb"\nNSpid:\t([0-9\t]+)\n")


def is_own_mount(status: bytes) -> bool:
    """Whether the /proc in which our own process has this `status` is of our pid namespace.

    The line lists our pid in the namespace of the mount and in each below it, down to our own.
    """
    pids = _SPELLING.search(status)
    return pids is not None and pids[1] == b"%d" % os.getpid()


def finds_a_child(kernel: Kernel) -> bool:
    """Whether a child of ours is found with its pid and clock; it waits on a pipe meanwhile."""
    try:
        with kernel.opened(), _waiting_child(cursor := Cursor(kernel)) as child:
            return _shows(kernel, cursor, child)
    except (OSError, ValueError):
        return False


@contextmanager
def _waiting_child(cursor: Cursor) -> Iterator[int]:
    """A child that starts after `cursor` was read and ends with the block."""
    reading, writing = os.pipe()
    try:
        cursor.advance(0.0, refresh=False)
        # The child inherits only the pipe that is its input.
        child = os.posix_spawn(
            _SHELL, [_SHELL, "-c", "read -r line"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)]
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    try:
        yield child
    finally:
        os.close(writing)
        # A process that ignores SIGCHLD has no child to wait for.
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _shows(kernel: Kernel, cursor: Cursor, child: int) -> bool:
    given, _ = cursor.advance(0.0, refresh=False)
    process = kernel.read(child, None).process
    return (
        given is not None
        and child in given
        and child in kernel.listing()
        and kernel.clock_ns(child) is not None
        and kernel.mark(child) is not None
        and process is not None
        and process.ppid == os.getpid()
    )
