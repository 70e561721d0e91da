"""Time the operations of your own program; the exporter of this user publishes them as `tmux_operation_*`.

    from tmux_exporter.instrument import operation

    @operation("inter_agent_message")
    def send(agent, text): ...

    with operation("recovery") as op:
        while not restart(agent):
            op.retry()

Coroutine functions, `async with` and generator functions work the same. Nothing here waits, and nothing here
raises: a report that cannot be delivered at once is lost, and the exporter counts it. Without an exporter an
operation costs one check of a path. What is reported is the name, the duration, the outcome, retries and the
change of the program's resident memory: never an argument, a result or a message.
"""

from __future__ import annotations

import _socket  # the module `socket` is this one and 10 ms of imports
import atexit
import os
import time

from tmux_exporter.wire.operation_line import (
    FAILURES,
    MOST_RETRIES,
    NAMELESS,
    begin_line,
    end_line,
    is_name,
    is_trace,
)
from tmux_exporter.wire.runtime_folder import OPERATIONS_SOCKETS, runtime_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import ParamSpec, Self, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Operation", "operation"]

_LATE_NANOSECONDS = 1_000_000_000
"""An operation that took longer than this may have begun before the exporter."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # flags of a code object


def operation(name: str, *, memory: bool = True, trace_id: str | None = None) -> Operation:
    """An operation to be timed: a decorator, or a context for one `with` or `async with`.

    `name` is one of the five classes agent_command, status_check, inter_agent_message, scheduling and
    recovery, or a name of your own of a-z, 0-9 and `_`. `memory` says whether to measure the change of
    resident memory. `trace_id` are 32 hexadecimal digits, published as an exemplar where that is switched on.
    """
    return Operation(name, memory=memory, trace_id=trace_id)


class Operation:
    """One operation. Its figures can be read once it has ended; all are None before."""

    __slots__ = (
        "_began",
        "_failure",
        "_measures",
        "_memory",
        "_name",
        "_pid",
        "_retries",
        "_started",
        "_trace",
        "duration_seconds",
        "failure",
        "memory_change_bytes",
        "succeeded",
    )

    def __init__(self, name: str, *, memory: bool = True, trace_id: str | None = None) -> None:
        self._name = name if is_name(name) else NAMELESS
        self._measures = memory
        self._trace = trace_id if is_trace(trace_id) else None
        self._clear()

    def _clear(self) -> None:
        self._began: tuple[_Stream, int] | None = None
        self._failure: str | None = None
        self._memory: int | None = None
        self._retries = 0
        self.duration_seconds: float | None = None
        self.memory_change_bytes: int | None = None
        self.succeeded: bool | None = None
        self.failure: str | None = None

    def retry(self) -> None:
        """Count a further attempt."""
        self._retries = min(self._retries + 1, MOST_RETRIES)

    def fail(self, reason: str = "other") -> None:
        """Mark it as failed without an exception; a reason that is not in FAILURES counts as other."""
        self._failure = reason if reason in FAILURES else "other"

    def __enter__(self) -> Self:
        self._clear()
        self._pid = os.getpid()
        if (stream := _connected()) is not None:
            if self._measures:
                self._memory = _resident_bytes()
            self._began = self._send_begin(stream)
        self._started = now_nanoseconds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        nanoseconds = now_nanoseconds() - self._started
        failure = self._failure if error is None else _failure_of(error)
        self.duration_seconds = nanoseconds / 1e9
        self.failure = failure
        self.succeeded = failure is None
        if self._began is None and nanoseconds < _LATE_NANOSECONDS:
            return
        # A child forked in here leaves the operation to its parent.
        if self._pid != os.getpid():
            return
        # The stream of its begin, even if another thread has opened a newer one since.
        stream = self._began[0] if self._began is not None else _connected()
        if stream is None:
            return
        if self._memory is not None and (after := _resident_bytes()) is not None:
            self.memory_change_bytes = after - self._memory
        if not self._send_end(stream, nanoseconds) and (stream := _connected()) is not None:
            self._send_end(stream, nanoseconds)

    def _send_begin(self, stream: _Stream) -> tuple[_Stream, int] | None:
        for _ in range(2):
            number = self._number(stream)
            if stream.send(begin_line(stream.name, number, stream.mark, self._name)):
                return stream, number
            # That exporter has ended; another one may run.
            if (again := _connected()) is None:
                return None
            stream = again
        return None

    def _send_end(self, stream: _Stream, nanoseconds: int) -> bool:
        line = end_line(
            stream.name,
            self._number(stream),
            stream.mark,
            self._name,
            began=self._began[1] if self._began is not None and self._began[0] is stream else 0,
            nanoseconds=nanoseconds,
            failure=self.failure,
            retries=self._retries,
            memory_bytes=self.memory_change_bytes,
            trace=self._trace,
        )
        return stream.send(line)

    def _number(self, stream: _Stream) -> int:
        # What is refused for its name is counted for that, and must not be missing too.
        return 0 if self._name == NAMELESS else next(stream.numbers)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Time each call. An async generator function is returned as it is."""
        from functools import wraps  # noqa: PLC0415 - who only runs `op` has no use for it

        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & _ASYNC_GENERATOR:
            return function
        wrapper: object
        if flags & _COROUTINE:

            async def timed_coroutine(*args: P.args, **kwargs: P.kwargs) -> object:
                with self._again():
                    result: object = await function(*args, **kwargs)  # type: ignore[misc]
                    return result

            wrapper = timed_coroutine
        elif flags & _GENERATOR:

            def timed_generator(*args: P.args, **kwargs: P.kwargs) -> Generator[object, object, object]:
                with self._again():
                    result: object = yield from function(*args, **kwargs)  # type: ignore[misc]
                    return result

            wrapper = timed_generator
        else:

            def timed(*args: P.args, **kwargs: P.kwargs) -> R:
                with self._again():
                    return function(*args, **kwargs)

            wrapper = timed
        return wraps(function)(wrapper)  # type: ignore[return-value]

    def _again(self) -> Operation:
        return Operation(self._name, memory=self._measures, trace_id=self._trace)


class _Stream:
    """This process' reports to one exporter: numbered from 1, each number used whether it arrives or not.

    Its descriptor is asked what it is before it is used: a program may close all that it has, and the number
    may be a connection of its own by then.
    """

    __slots__ = ("_identity", "_path", "_socket", "mark", "name", "numbers", "pid")

    def __init__(self, path: str) -> None:
        from itertools import count  # noqa: PLC0415 - built in; its next() is atomic

        self.pid = os.getpid()
        self.name = os.urandom(8).hex()
        self.numbers = count(1)
        self._path = path
        self._open()
        self.mark = os.stat(path).st_mtime_ns

    def _open(self) -> None:
        kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        self._socket = _socket.socket(_socket.AF_UNIX, kind)
        self._identity = os.fstat(self._socket.fileno()).st_ino
        self._socket.connect(self._path)

    def send(self, line: bytes) -> bool:
        """Send a report, or lose it; never waits. False if its exporter has ended."""
        try:
            if not self._is_ours():
                self._socket.detach()
                self._open()
                if os.stat(self._path).st_mtime_ns != self.mark:
                    raise ConnectionError
            try:
                self._socket.send(line, _socket.MSG_DONTWAIT)
            except BlockingIOError:
                _send_elsewhere(line)
        except Exception:
            self.let_go()
            return False
        return True

    def _is_ours(self) -> bool:
        try:
            return os.fstat(self._socket.fileno()).st_ino == self._identity
        except OSError:
            return False

    def let_go(self) -> None:
        """End it. A descriptor that is no longer ours is left alone."""
        if _state.stream is self:
            _state.stream = None
        if self._is_ours():
            self._socket.close()
        self._socket.detach()

    def __del__(self) -> None:
        self.let_go()


def _send_elsewhere(line: bytes) -> None:
    """Send a report to the other sockets if the first one is full."""
    kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
    sender = _socket.socket(_socket.AF_UNIX, kind)
    try:
        for path in _state.paths[1:]:
            try:
                sender.sendto(line, _socket.MSG_DONTWAIT, path)
            except BlockingIOError:
                continue
            return
    except OSError:
        return
    finally:
        sender.close()


class _State:
    """What this process knows of the exporter; `dead` is the mark of an ended one whose sockets remain.

    `statm` is the open file of the resident memory by pid: after a fork that of the parent is there still.
    """

    __slots__ = ("dead", "paths", "statm", "stream")

    def __init__(self) -> None:
        self.statm: dict[int, int] = {}
        self.paths: tuple[str, ...] = ()
        self.stream: _Stream | None = None
        self.dead = 0


_state = _State()


def now_nanoseconds() -> int:
    """Monotonic time."""
    return time.monotonic_ns()  # noqa: TID251 - programs of users have no Clock to hand us


def _connected() -> _Stream | None:
    """The stream to the exporter that listens now, None without one."""
    stream = _state.stream
    if stream is not None:
        if stream.pid == os.getpid():
            return stream
        stream.let_go()  # it is the parent's
    path = ""
    try:
        if not _state.paths:
            folder = runtime_folder(os.environ, os.getuid())
            _state.paths = tuple([os.path.join(folder, name) for name in OPERATIONS_SOCKETS])
        path = _state.paths[0]
        # Without an exporter this is the whole cost of an operation; no exception is raised.
        if not os.access(path, os.F_OK) or (_state.dead and os.stat(path).st_mtime_ns == _state.dead):
            return None
        if not _is_ours(os.path.dirname(path)):
            return None
        _state.stream = stream = _Stream(path)
    except ConnectionRefusedError:
        # No process has this socket open, and none can open it again: a new one has another mark.
        _state.dead = os.stat(path).st_mtime_ns
        return None
    except Exception:
        return None
    return stream


def _leave() -> None:
    """At the end of the program: an open socket would cause a ResourceWarning."""
    if _state.stream is not None:
        _state.stream.let_go()


atexit.register(_leave)


def _is_ours(folder: str) -> bool:
    """Whether no other user can put a socket there: in /tmp another user may have created the name first."""
    found = os.lstat(folder)
    return found.st_mode & 0o170077 == 0o040000 and found.st_uid == os.getuid()


def _resident_bytes() -> int | None:
    """Resident memory of this process."""
    pid = os.getpid()
    try:
        if (statm := _state.statm.get(pid)) is None:
            for parent in [each for each in _state.statm if each != pid]:
                _close_statm(parent)
            opened = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            # Of threads that come at once the first one's file is kept.
            if (statm := _state.statm.setdefault(pid, opened)) != opened:
                os.close(opened)
        # Seven numbers, or the descriptor is another file now.
        _, pages, _, _, _, _, _ = os.pread(statm, 128, 0).split()
        return int(pages) * _PAGE
    except Exception:
        _close_statm(pid)
        return None


def _close_statm(pid: int) -> None:
    """Close the file of the parent, or a lost one; a descriptor that is no longer ours is left alone."""
    try:
        statm = _state.statm.pop(pid)
        if os.readlink(f"/proc/self/fd/{statm}").endswith("/statm"):
            os.close(statm)
    except (KeyError, OSError):
        return


def _failure_of(error: BaseException) -> str | None:
    """The reason of failure of an operation that raised; None for an exit with success."""
    if isinstance(error, SystemExit):
        return None if error.code in (None, 0) else "exit_status"
    if isinstance(error, ConnectionRefusedError | PermissionError):
        return "refused"
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"TimeoutError", "TimeoutExpired"}:
        return "timeout"
    if "CalledProcessError" in names:
        return "exit_status"
    # KeyboardInterrupt, a cancelled task, a closed generator: it was ended on purpose.
    return "exception" if isinstance(error, Exception) else "other"
