"""One thread of a living process, stopped: what a sampling thread that hangs in a system call looks like."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from tests.support.wait import wait_for

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x4000_0000
_TENTH = os.sysconf("SC_CLK_TCK") // 10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def busiest_thread(pid: int) -> int:
    """The thread, besides the first one, that is the first to use a tenth of a second of CPU."""
    before = _ticks(pid)

    def busy() -> int | None:
        used = {tid: ticks - before.get(tid, 0) for tid, ticks in _ticks(pid).items() if tid != pid}
        return next((tid for tid, ticks in used.items() if ticks >= _TENTH), None)

    return wait_for(busy, f"a thread of {pid} works")


def freeze(tid: int, answers: Callable[[], object]) -> None:
    """Stop a thread while it does not hold what the others need: they still answer.

    To be called, as `thaw`, from the thread that lives as long as it is to last.
    """
    for _ in range(50):
        _ptrace(_SEIZE, tid)
        _ptrace(_INTERRUPT, tid)
        os.waitpid(tid, _WALL)
        try:
            answers()
        except OSError:
            thaw(tid)
            continue
        return
    raise AssertionError(f"thread {tid} is never idle")


def thaw(tid: int) -> None:
    """Let it go on."""
    _ptrace(_DETACH, tid)


def _ptrace(request: int, tid: int) -> None:
    if _libc.ptrace(request, tid, None, None) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _ticks(pid: int) -> dict[int, int]:
    """CPU of each thread, user and system."""
    found = {}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        words = (folder / "stat").read_text().rpartition(")")[2].split()
        found[int(folder.name)] = int(words[11]) + int(words[12])
    return found
