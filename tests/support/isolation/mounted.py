"""Mounts file systems in a namespace of its own, reads the host there and prints what it found as JSON.

Run as a program in a new mount namespace (`unshare -rm`): `mounted.py FOLDER [hung]`, in which it mounts
tmpfs on names that no label can hold as they are, the first of them twice, and where it is told so over
another one a file system whose server never answers.
"""

import ctypes
import json
import os
import sys

from tests.support.literals.facts import table
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.host.host import HostReader

NAMES = (b"two\nlines", b"blank \\040 tab\t#", b"\xff\xfe")
COVERED, HUNG = b"covered", b"hung"
AGAIN = b"the first one again"

BIND = 4096

_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: bytes, target: bytes, kind: bytes, data: bytes, flags: int = 0) -> None:
    if _libc.mount(source, target, kind, flags, data):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def mount_hung(place: bytes) -> None:
    # Nobody ever reads from this descriptor: whoever asks this file system for anything waits for ever.
    server = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (server, os.getuid(), os.getgid())
    mount(b"nobody", place, b"fuse", options)


def unmount(target: bytes) -> None:
    """Take it away although it is in use."""
    if _libc.umount2(target, _DETACH):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def main(base: bytes, *, hung: bool) -> None:
    places = [os.path.join(base, name) for name in NAMES]
    covered = os.path.join(base, HUNG, COVERED)
    os.makedirs(covered)
    for number, place in enumerate([*places, covered], start=1):
        os.makedirs(place, exist_ok=True)
        mount(b"none", place, b"tmpfs", b"size=%dk" % (number * 64))
    again = os.path.join(base, AGAIN)
    os.mkdir(again)
    mount(places[0], again, b"none", b"", BIND)
    if hung:
        mount_hung(os.path.join(base, HUNG))
    asked = [os.fsdecode(place) for place in (*places, again, os.path.join(base, HUNG), covered)]
    facts = HostReader(clock=SystemClock(), places=asked, uid=os.getuid()).read(table())
    print(json.dumps({point: each.size_bytes for point, each in facts.filesystems.items()}), flush=True)


if __name__ == "__main__":
    main(os.fsencode(sys.argv[1]), hung="hung" in sys.argv[2:])
