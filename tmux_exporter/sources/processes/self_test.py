"""Whether the fast reader can rely on this kernel and this mount: it is tried on a child of ours.

Under another namespace's mount, in some sandboxes and with some security modules, the pids that the kernel
gives away, the CPU clocks or the folders of /proc are others than the fast reader takes them for.
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
    """Whether the /proc that shows our own process with this `status` is of our pid namespace.

    The line lists our pid in the namespace of the mount and in each below it, down to our own.
    """
    pids = _SPELLING.search(status)
    return pids is not None and pids[1] == b"%d" % os.getpid()


def finds_a_child(kernel: Kernel) -> bool:
    """Whether a child that we start shows as it must; it waits on a pipe until we have seen it."""
    try:
        with kernel.opened(), _waiting_child(cursor := Cursor(kernel)) as child:
            return _shows(kernel, cursor, child)
    except (OSError, ValueError):
        return False


@contextmanager
def _waiting_child(cursor: Cursor) -> Iterator[int]:
    """A child that is started after `cursor` was asked and ends with the block."""
    reading, writing = os.pipe()
    try:
        cursor.advance(0.0, refresh=False)
        # Pipes are not inherited; the one that is its input is.
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
        # Whoever ignores SIGCHLD has no child to wait for.
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
