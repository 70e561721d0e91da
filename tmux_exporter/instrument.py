"""Time the operations of your own program; the exporter of this user publishes them as `tmux_operation_*`.

    from tmux_exporter.instrument import operation

    @operation("inter_agent_message")
    def send(agent, text): ...

    with operation("recovery") as op:
        while not restart(agent):
            op.retry()

Coroutine functions, `async with` and generator functions work the same. Nothing here waits, and nothing here
raises: a report that cannot be delivered at once is lost, and the exporter counts it. Without an exporter an
operation costs a look at a path. What is reported is the name, the duration, the outcome, retries and the
change of the program's resident memory: never an argument, a result or a message.
"""

from __future__ import annotations

import _socket  # the module `socket` is this one and 10 ms of imports
import os
import time

from tmux_exporter.op_line import FAILURES, MOST_RETRIES, NAMELESS, begin_line, end_line, is_name, is_trace
from tmux_exporter.runtime_folder import OPERATIONS_SOCKETS, runtime_folder

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
        """Say that a further attempt is made."""
        self._retries = min(self._retries + 1, MOST_RETRIES)

    def fail(self, reason: str = "other") -> None:
        """Say that it has failed where no exception does; a reason that is not in FAILURES is other."""
        self._failure = reason if reason in FAILURES else "other"

    def __enter__(self) -> Self:
        self._clear()
        self._pid = os.getpid()
        if (stream := _listener()) is not None:
            if self._measures:
                self._memory = _resident_bytes()
            number = self._number(stream)
            stream.send(begin_line(stream.name, number, stream.mark, self._name))
            self._began = stream, number
        self._started = _now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        nanoseconds = _now() - self._started
        failure = self._failure if error is None else _failure_of(error)
        self.duration_seconds = nanoseconds / 1e9
        self.failure = failure
        self.succeeded = failure is None
        if self._began is None and nanoseconds < _LATE_NANOSECONDS:
            return
        # Who forked in here has left the operation to the parent.
        if self._pid != os.getpid() or (stream := _listener()) is None:
            return
        if self._memory is not None and (after := _resident_bytes()) is not None:
            self.memory_change_bytes = after - self._memory
        began = self._began[1] if self._began is not None and self._began[0] is stream else 0
        number = self._number(stream)
        line = end_line(
            stream.name,
            number,
            stream.mark,
            self._name,
            began=began,
            nanoseconds=nanoseconds,
            failure=failure,
            retries=self._retries,
            memory_bytes=self.memory_change_bytes,
            trace=self._trace,
        )
        stream.send(line)

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
    """This process' reports to one exporter: numbered from 1, each number used whether it arrives or not."""

    __slots__ = ("mark", "name", "numbers", "pid")

    def __init__(self, mark: int) -> None:
        from itertools import count  # noqa: PLC0415 - built in; only here for its next(), which is atomic

        self.mark = mark
        self.pid = os.getpid()
        self.name = os.urandom(8).hex()
        self.numbers = count(1)

    def send(self, line: bytes) -> None:
        """Hand over a report, or lose it; never waits."""
        try:
            # A socket of its own each time: one that is kept is cut off by a program that closes all its
            # descriptors, and its number may be another connection's by then.
            kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
            sender = _socket.socket(_socket.AF_UNIX, kind)
            try:
                _send(sender, line)
            finally:
                sender.close()
        except ConnectionRefusedError:
            # Nobody has this socket open, and nobody can open it again: another one has another mark.
            _state.dead = self.mark
        except Exception:  # noqa: S110 - its number is not used again, which tells the exporter
            pass


def _send(sender: _socket.socket, line: bytes) -> None:
    for path in _state.paths:
        try:
            sender.sendto(line, _socket.MSG_DONTWAIT, path)
        except BlockingIOError:
            continue
        return


class _State:
    """What this process knows of the exporter."""

    __slots__ = ("dead", "paths", "stream")

    def __init__(self) -> None:
        self.paths: tuple[str, ...] = ()
        self.stream: _Stream | None = None
        self.dead = 0


_state = _State()


def _now() -> int:
    return time.monotonic_ns()  # noqa: TID251 - programs of users have no Clock to hand us


def _listener() -> _Stream | None:
    """The stream to the exporter that listens now, None where none does."""
    try:
        if not _state.paths:
            folder = runtime_folder(os.environ, os.getuid())
            _state.paths = tuple([os.path.join(folder, name) for name in OPERATIONS_SOCKETS])
        path = _state.paths[0]
        # Where nobody listens this is all that an operation costs, and no exception is made for it.
        if not os.access(path, os.F_OK):
            return None
        mark = os.stat(path).st_mtime_ns
        stream = _state.stream
        if stream is not None and stream.mark == mark and stream.pid == os.getpid():
            return stream if mark != _state.dead else None
        if mark == _state.dead or not _is_ours(os.path.dirname(path)):
            return None
        _state.stream = stream = _Stream(mark)
    except Exception:
        return None
    return stream


def _is_ours(folder: str) -> bool:
    """Whether nobody else can put a socket there: in /tmp somebody may have made that name first."""
    found = os.lstat(folder)
    return found.st_mode & 0o170077 == 0o040000 and found.st_uid == os.getuid()


def _resident_bytes() -> int | None:
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(descriptor, 128).split()[1]) * _PAGE
        finally:
            os.close(descriptor)
    except Exception:
        return None


def _failure_of(error: BaseException) -> str | None:
    """Why an operation that raised has failed; None for an exit that says it has not."""
    if isinstance(error, SystemExit):
        return None if error.code in (None, 0) else "exit_status"
    if isinstance(error, ConnectionRefusedError | PermissionError):
        return "refused"
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"TimeoutError", "TimeoutExpired"}:
        return "timeout"
    if "CalledProcessError" in names:
        return "exit_status"
    # KeyboardInterrupt, a cancelled task, a closed generator: somebody wanted it to end.
    return "exception" if isinstance(error, Exception) else "other"
