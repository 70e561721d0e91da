"""Namespaces of processes, mounts and network: what is inside neither sees nor signals what is outside.

    python -m tests.support.isolation.namespace ARGUMENT ...

runs `python ARGUMENT ...` in namespaces of its own. `make test` starts each of its workers so: a test sees
the tmux servers, agents, schedulers and ports of its own worker only, whatever this machine runs beside. The
kernel gives namespaces to root and, where user namespaces are allowed, to everybody; where it gives none, the
same Python runs without. What is left inside when the first process ends, the kernel ends too.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.support.isolation.own_root import enter_own_root

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = (
    0x0002_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
)
_KINDS = _CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWNET
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1

IS_PRIVATE = "TMUX_EXPORTER_TEST_NAMESPACE"
"""Set in the environment of a Python that this module has started in namespaces of its own."""

_REFUSED = b"\0"
"""What is said instead of a traceback where the kernel gives no namespace."""

_libc = ctypes.CDLL(None, use_errno=True)


def in_namespace(work: Callable[[], None]) -> bool:
    """Run `work` as the first process of a pid namespace and wait for it; what it raises is raised here.

    False, and nothing has been run, where the kernel gives none.
    """
    reading, writing = os.pipe()
    outside = _fork()
    if outside == 0:
        _say(writing, lambda: _enter(work, writing))
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            words = pipe.read()
    finally:
        # With it goes the first process inside, and with that one all others there.
        os.kill(outside, signal.SIGKILL)
        os.waitpid(outside, 0)
    if words == _REFUSED:
        return False
    assert not words, words.decode()
    return True


def private_copies(scratch: Path, *folders: str) -> None:
    """Inside: what is written into these folders goes below `scratch`, for nobody outside to see."""
    assert _libc.mount(b"none", bytes(scratch), b"tmpfs", 0, b"mode=0755") == 0
    for number, folder in enumerate(folders):
        upper, work = scratch / f"upper{number}", scratch / f"work{number}"
        upper.mkdir()
        work.mkdir()
        told = f"lowerdir={folder},upperdir={upper},workdir={work}"
        assert _libc.mount(b"overlay", folder.encode(), b"overlay", 0, told.encode()) == 0, folder


def _enter(work: Callable[[], None], writing: int) -> None:
    """In the process between: make the namespace, start its first process, and live as long as that does."""
    _die_with_parent()
    if not _unshare():
        os.write(writing, _REFUSED)
        return
    inside = _fork()
    if inside == 0:
        _die_with_parent()
        if _furnish():
            _say(writing, work)
        _say(writing, lambda: os.write(writing, _REFUSED))
    os.waitpid(inside, 0)


def _say(writing: int, work: Callable[[], object]) -> NoReturn:
    """Do it, write what it raises, and end without a trace of the test runner's own ends."""
    try:
        work()
    except BaseException:
        os.write(writing, traceback.format_exc().encode())
    os._exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns where other tests left threads; the child runs no code that waits for them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _unshare() -> bool:
    if _libc.unshare(_KINDS) == 0:
        return True
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _KINDS) != 0:
        return False
    maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
    try:
        for name, words in maps.items():
            Path(f"/proc/self/{name}").write_text(words)
    except OSError:
        return False
    return True


def _furnish() -> bool:
    """Mount their own /proc, hide tmux sockets of outside, set loopback up; no folder above is nobody's."""
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        return False
    if _libc.mount(b"proc", b"/proc", b"proc", 0, None) != 0:
        return False
    _set_loopback_up()
    sockets = f"/tmp/tmux-{os.getuid()}".encode()
    if os.path.isdir(sockets) and _libc.mount(b"tmpfs", sockets, b"tmpfs", 0, b"mode=0700") != 0:
        return False
    if os.stat("/").st_uid not in (0, os.getuid()):
        enter_own_root()
    return True


def _set_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _as_first_process(command: list[str]) -> int:
    """Run the command and reap whatever ends; the command's exit status."""
    child = os.posix_spawn(command[0], command, {**os.environ, IS_PRIVATE: "yes"})
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main(arguments: list[str]) -> int:
    """Run a Python with these arguments in namespaces of its own, or without where there are none."""
    command = [sys.executable, *arguments]
    # A script's background jobs and `nohup` ignore these, and so would every program that a test starts.
    for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    if os.fork() == 0:
        # A try in a process of its own: one that has entered half of them cannot go back.
        os._exit(0 if _unshare() else 1)
    if os.wait()[1] != 0:
        os.execv(command[0], command)
    _unshare()
    inside = _fork()
    if inside == 0:
        _die_with_parent()
        os._exit(_as_first_process(command) & 0xFF if _furnish() else 125)
    # Ctrl-C reaches the command as well; this process only waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.waitstatus_to_exitcode(os.waitpid(inside, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
