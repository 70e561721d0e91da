"""What wears on the machine: slow operations, a disk and a link that are busy, terminals that are taken."""

import ctypes
import fcntl
import os
import pty
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.alert_faults.programs import DISK, NETWORK, OPERATIONS
from tests.support.isolation.mounted import BIND, mount

PTYS = 64
TUNNELS = "/dev/net/tun"

_NEWNET = 0x4000_0000
_SET_FLAGS, _UP = 0x8914, 0x1
_ALL_BELOW = 0x4000

_libc = ctypes.CDLL(None, use_errno=True)


def own_network(base: Path) -> bool:
    """Enter a network namespace with a loopback of its own, from within a mount namespace.

    False where this user may not have what a link needs there: a /sys that shows it, and tunnels.
    """
    if _libc.unshare(_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sH22x", b"lo", _UP))
    if not os.access(TUNNELS, os.R_OK | os.W_OK):
        return False
    # The cgroups are mounted below the old /sys.
    kept = base / "cgroup"
    kept.mkdir()
    mount(b"/sys/fs/cgroup", os.fsencode(kept), b"", b"", BIND | _ALL_BELOW)
    try:
        mount(b"sysfs", b"/sys", b"sysfs", b"")
    except PermissionError:
        return False
    mount(os.fsencode(kept), b"/sys/fs/cgroup", b"", b"", BIND | _ALL_BELOW)
    return True


class Wear:
    """Started when made; `runtime` is the runtime folder of the exporter that is told of operations."""

    def __init__(self, runtime: Path, *, links: bool) -> None:
        # Where files are on a disk, which /tmp often is not.
        self._folder = Path(tempfile.mkdtemp(prefix="tx-", dir="/var/tmp"))
        self._ptys = [each for _ in range(PTYS) for each in pty.openpty()]
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "TMPDIR": str(self._folder)}
        self._children = [
            subprocess.Popen((sys.executable, "-c", script, *words), env=environ)
            for script, words in (
                (OPERATIONS, ()),
                (DISK, (str(self._folder / "file"),)),
                *([(NETWORK, ())] if links else []),
            )
        ]

    def still_runs(self) -> bool:
        """Whether none of its programs has ended."""
        return all(child.poll() is None for child in self._children)

    def mend(self) -> None:
        """Take it away."""
        while self._children:
            child = self._children.pop()
            child.kill()
            child.wait(10)
        while self._ptys:
            os.close(self._ptys.pop())

    def close(self) -> None:
        """End everything and remove what was written."""
        self.mend()
        shutil.rmtree(self._folder, ignore_errors=True)
