"""Self-test of the fast reader: try it on a child process, on this kernel and this mount of /proc.

With a /proc of another pid namespace, in some sandboxes and with some security modules, pids, CPU clocks or
the folders of /proc do not behave as the fast reader assumes.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tmux_exporter.sources.processes.kernel import Kernel
from tmux_exporter.sources.processes.new_pids import Cursor

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
