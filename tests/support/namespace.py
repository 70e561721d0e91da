"""Run a test in a pid namespace of its own: what is inside can neither see nor signal what is outside.

The kernel gives one to root and, where user namespaces are allowed, to everybody. Whatever is left inside
when the test ends, it ends too.
"""

import ctypes
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x0002_0000, 0x1000_0000, 0x2000_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_PR_SET_PDEATHSIG = 1

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


def _enter(work: Callable[[], None], writing: int) -> None:
    """In the process between: make the namespace, start its first process, and live as long as that does."""
    _die_with_parent()
    if not _unshare():
        os.write(writing, _REFUSED)
        return
    inside = _fork()
    if inside == 0:
        _die_with_parent()
        if _show_own_processes():
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
    if _libc.unshare(_CLONE_NEWPID | _CLONE_NEWNS) == 0:
        return True
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS) != 0:
        return False
    maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
    try:
        for name, words in maps.items():
            Path(f"/proc/self/{name}").write_text(words)
    except OSError:
        return False
    return True


def _show_own_processes() -> bool:
    """Mount the /proc of this namespace, and hide the sockets of the tmux servers outside."""
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        return False
    if _libc.mount(b"proc", b"/proc", b"proc", 0, None) != 0:
        return False
    sockets = f"/tmp/tmux-{os.getuid()}".encode()
    return not os.path.isdir(sockets) or _libc.mount(b"tmpfs", sockets, b"tmpfs", 0, b"mode=0700") == 0
