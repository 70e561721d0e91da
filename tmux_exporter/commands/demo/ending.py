"""End everything of a demo: all processes that carry its mark, and nothing else.

A mark is inherited by whatever runs in the demo's panes and cannot be lost by losing one's parent. It is read
again once a pidfd is open: from then on no other process can be meant, whatever happens to the pid.
"""

import os
import select
import signal
from contextlib import ExitStack
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.commands.demo.home import MARK, Home, pause

_GRACE_SECONDS = 1.0
_MOST_SECONDS = 4.0
_LOOK_AGAIN_MS = 100
_SETTLE_SECONDS = 0.02


def marked(home: Home) -> dict[int, tuple[str, ...]]:
    """Pid and command line of every process of this demo but our own."""
    mark = f"{MARK}={home.folder}".encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return {pid: _command(pid) for pid in pids if pid != os.getpid() and _carries(pid, mark)}


def end_all(home: Home, clock: Clock) -> bool:
    """Ask all to end, and kill what does not; False if some were still there when time was up."""
    deadline = clock.monotonic() + _MOST_SECONDS
    patience = clock.monotonic() + _GRACE_SECONDS
    asked: set[int] = set()
    while found := marked(home):
        if clock.monotonic() > deadline:
            return False
        impatient = clock.monotonic() > patience
        with ExitStack() as handles:
            fds = [_send(pid, home, handles, kill=impatient, ask=pid not in asked) for pid in found]
            _wait_for_one([fd for fd in fds if fd is not None])
        asked |= found.keys()
    return True


def _send(pid: int, home: Home, handles: ExitStack, *, kill: bool, ask: bool) -> int | None:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    handles.callback(os.close, fd)
    if not _carries(pid, f"{MARK}={home.folder}".encode()):
        return None
    number = signal.SIGKILL if kill else signal.SIGTERM if ask else 0
    try:
        # The one place besides the remediator's that signals: what the demo started, and by its mark alone.
        signal.pidfd_send_signal(fd, number)  # noqa: TID251 - see above
    except ProcessLookupError:
        return None
    return fd


def _wait_for_one(fds: list[int]) -> None:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    poll.poll(_LOOK_AGAIN_MS)
    # The others usually end at the same moment; a scan of all processes costs more than a short wait.
    pause(_SETTLE_SECONDS)


def _carries(pid: int, mark: bytes) -> bool:
    # A process that has ended and waits to be reaped has no environment any more.
    return mark in _read(pid, "environ").split(b"\0")


def _command(pid: int) -> tuple[str, ...]:
    return tuple(os.fsdecode(word) for word in _read(pid, "cmdline").split(b"\0")[:-1])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
