"""Receive reports of operations on datagram sockets in the runtime folder, in a thread.

Senders never wait: a full queue refuses the report, and the gap in the sequence numbers shows the loss. So
the rate is limited by reading slowly. Only one exporter of a user holds the sockets; another one tries
again with each sample.
"""

import fcntl
import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import private_folder
from tmux_exporter.facts.operations import OperationLoss, OperationReport
from tmux_exporter.sources.events.operation_parse import OtherVersionError, parse
from tmux_exporter.wire.operation_line import LONGEST
from tmux_exporter.wire.runtime_folder import OPERATIONS_SOCKETS

_log = logging.getLogger(__name__)

LOCK = "operations.lock"
"""In the runtime folder: held (flock) by the one exporter that gets the reports."""

MOST_PER_SECOND = 5000
_SLICES = 20
"""The limit holds for each slice of a second, so that a burst is read at once and a storm evenly."""

_CREDENTIALS = struct.Struct("3i")
# Space for the credentials only: the kernel drops descriptors that a sender attaches.
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size)
_ENDS_WITHIN = 2.0

T = TypeVar("T")


class Sink(Protocol):
    """Receives the reports; called by one thread at a time."""

    def observe(self, report: OperationReport, now: float) -> None:
        """Count one report, received at the wall time `now`."""

    def lose(self, reason: OperationLoss) -> None:
        """Count one malformed report."""


class OperationSocket:
    """Feeds `sink` from the socket in `folder`, the runtime folder of `uid`, from `start` to `stop`."""

    def __init__(
        self, folder: Path, sink: Sink, *, uid: int, clock: Clock, most_per_second: int = MOST_PER_SECOND
    ) -> None:
        self._folder = folder
        self._sink = sink
        self._uid = uid
        self._clock = clock
        self._most_at_once = max(1, most_per_second // _SLICES)
        self._turn = threading.Lock()
        self._wanted = False
        self._opened: _Opened | None = None
        self._thread: threading.Thread | None = None
        self._complaint = ""

    def start(self) -> None:
        """Start to listen. Logs why it cannot; each `read` then tries again."""
        self._wanted = True
        if self._opened is not None and self._opened.is_reachable():
            return
        self._close()
        try:
            self._opened = _Opened(private_folder(self._folder, self._uid), self._clock.time())
        except BlockingIOError:
            self._complain("another exporter of this user gets the reports of operations")
        except (OSError, CannotSeeError) as error:
            self._complain(f"operations cannot be reported: {error}")
        else:
            self._complaint = ""
            self._thread = threading.Thread(
                target=self._drain, args=(self._opened,), name="operations", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread and remove the socket."""
        self._wanted = False
        self._close()

    def read(self, make_report: Callable[[], T]) -> T | None:
        """The result of `make_report`, called while no report is counted; None if reports cannot be received.

        Before `start` nothing is counted; `make_report` is called all the same.
        """
        if self._wanted:
            self.start()
            if self._opened is None:
                return None
        with self._turn:
            return make_report()

    def _close(self) -> None:
        if self._opened is not None and self._thread is not None:
            self._opened.end()
            self._thread.join(_ENDS_WITHIN)
        self._opened = self._thread = None

    def _complain(self, words: str) -> None:
        if words != self._complaint:
            self._complaint = words
            _log.warning(words)

    def _drain(self, opened: "_Opened") -> None:
        most = self._most_at_once
        with opened:
            while ready := opened.wait():
                ends_at = self._clock.monotonic() + 1 / _SLICES
                count = 0
                with self._turn:
                    for each in ready:
                        while count < most and self._take(each, opened.mark):
                            count += 1
                if count == most:
                    opened.rest(ends_at - self._clock.monotonic())

    def _take(self, one: socket.socket, mark: int) -> bool:
        """Count one datagram; False if none is waiting."""
        try:
            datagram, ancillary, flags, _ = one.recvmsg(LONGEST + 1, _ANCILLARY)
        except OSError:
            return False
        pid, uid = _sender(ancillary)
        if uid != self._uid:
            self._sink.lose(OperationLoss.FOREIGN)
        elif flags & socket.MSG_TRUNC:
            self._sink.lose(OperationLoss.MALFORMED)
        else:
            self._count(datagram, pid, mark)
        return True

    def _count(self, datagram: bytes, pid: int, mark: int) -> None:
        try:
            report = parse(datagram, pid, mark)
        except OtherVersionError:
            self._sink.lose(OperationLoss.VERSION)
        except ValueError:
            self._sink.lose(OperationLoss.MALFORMED)
        else:
            self._sink.observe(report, self._clock.time())


class _Opened:
    """The sockets and their lock. Raises OSError if they cannot be opened, BlockingIOError if locked.

    `mark` distinguishes these sockets from those of an earlier exporter: the mtime of the first one, set by
    us, because a file system may reuse the inode.
    """

    def __init__(self, folder: Path, now: float) -> None:
        if not hasattr(socket, "SO_PASSCRED"):
            raise OSError("this system does not say who sends a datagram")
        self._paths = [folder / name for name in OPERATIONS_SOCKETS]
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.poll()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(folder / LOCK, flags, 0o600)
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._woken, select.POLLIN)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The first one last: once it exists, all exist.
            for path in reversed(self._paths):
                self._listen(path)
            nanoseconds = int(now * 1e9)
            os.utime(self._paths[0], ns=(nanoseconds, nanoseconds))
            self.mark = self._paths[0].stat().st_mtime_ns
        except BaseException:
            self._close()
            raise

    def _listen(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets[one.fileno()] = one
        one.setblocking(False)
        # Before the first report: each datagram must carry its sender.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        one.bind(str(path))
        self._poll.register(one, select.POLLIN)

    def is_reachable(self) -> bool:
        """Whether the path still leads to this socket: its file may have been removed."""
        try:
            return self._paths[0].stat().st_mtime_ns == self.mark
        except OSError:
            return False

    def wait(self) -> list[socket.socket]:
        """Wait for datagrams. Returns the sockets that have some, none to end."""
        ready = [descriptor for descriptor, _ in self._poll.poll()]
        return [] if self._woken in ready else [self._sockets[descriptor] for descriptor in ready]

    def rest(self, seconds: float) -> None:
        """Pause reading, unless it is time to end."""
        only_end = select.poll()
        only_end.register(self._woken, select.POLLIN)
        only_end.poll(max(0.0, seconds) * 1000)

    def end(self) -> None:
        """Remove the sockets and end the thread, which closes everything."""
        if self.is_reachable():
            for path in self._paths:
                path.unlink(missing_ok=True)
        os.write(self._wake, b"e")

    def __enter__(self) -> None:
        """For the thread that reads."""

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for one in self._sockets.values():
            one.close()
        for descriptor in (self._woken, self._wake, self._lock):
            os.close(descriptor)


def _sender(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """Pid and uid of the sender as the kernel reports them; no uid at all where it says nothing."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(data) == _CREDENTIALS.size:
            pid, uid, _ = _CREDENTIALS.unpack(data)
            return pid, uid
    return 0, -1
