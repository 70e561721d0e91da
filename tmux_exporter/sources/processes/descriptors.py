"""Read which terminals a process holds open, from which end, and whether it has a socket.

Without permission to read /proc/PID/fd these calls raise PermissionError.
"""

import contextlib
import os
import re

from tmux_exporter.facts.process import Descriptors
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.processes.process_folder import read_file

_MASTER = re.compile(rb"^tty-index:\s*(\d+)$", re.MULTILINE)
_TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console")
_SOCKET = "socket:["


def links(folder: int) -> dict[str, str]:
    """Where each open file of the process leads whose folder in /proc is open as `folder`."""
    found = {}
    with opened("fd", folder=folder) as files:
        for name in os.listdir(files):
            # It was closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                found[name] = os.readlink(name, dir_fd=files)
    return found


def socket_inodes(folder: int) -> set[str]:
    """The inodes of its sockets."""
    return {link[len(_SOCKET) : -1] for link in links(folder).values() if link.startswith(_SOCKET)}


def read_descriptors(folder: int) -> Descriptors:
    """The terminals and sockets of a process; raises OSError if they cannot be read."""
    found = links(folder)
    masters = set()
    for name, link in found.items():
        if link.endswith("/ptmx"):
            with contextlib.suppress(FileNotFoundError):
                index = _MASTER.search(read_file(f"fdinfo/{name}", folder))
                if index is None:
                    # Before Linux 4.13 nothing tells which terminal it is.
                    raise OSError("fdinfo: no tty-index")
                masters.add(int(index[1]))
    return Descriptors(
        masters=frozenset(masters),
        # /dev/tty is its controlling terminal, which its line of stat names.
        terminals=frozenset(
            link for link in found.values() if link.startswith(_TERMINALS) and link != "/dev/tty"
        ),
        sockets=any(link.startswith(_SOCKET) for link in found.values()),
    )
