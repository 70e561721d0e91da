"""`tmux-exporter op`: run a command as a measured operation, as transparently as a parent can.

Standard streams, descriptors, environment, signals and the exit status are the command's own. It stays in our
process group, so job control of the terminal applies to both. No heavy import comes before the command:
scripts run this hundreds of times.
"""

from __future__ import annotations

import os
import sys

from tmux_exporter.instrument import Operation, now_nanoseconds
from tmux_exporter.reporters.become import environment, execute
from tmux_exporter.reporters.op_arguments import HELP, OpRequest, WrongUseError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the module `signal` is this one, and enum with 5 ms of its own

EXIT_WRONG_USE = 2
EXIT_TIMEOUT = 124
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
"""The last three as timeout(1), env(1) and every shell have them."""

KILL_AFTER = 5 * 10**9
"""Nanoseconds that a command has to end after its timeout."""

LONGEST_BACKOFF = 300 * 10**9
_SI_KERNEL = 0x80

_ENDING = frozenset({_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGABRT})
_FROM_TERMINAL = frozenset({_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGWINCH})
_PASSED_ON = (
    _ENDING
    | _FROM_TERMINAL
    | {_signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGALRM, _signal.SIGVTALRM, _signal.SIGPROF, _signal.SIGXCPU}
    | {_signal.SIGCONT, _signal.SIGIO, _signal.SIGPWR, _signal.SIGURG}
    | frozenset(range(_signal.SIGRTMIN, _signal.SIGRTMAX + 1))
)


def main(arguments: list[str]) -> int:
    """Run; returns the exit status. If a signal ended the command, the same signal ends us."""
    try:
        request = parse(arguments)
    except WrongUseError as error:
        _say(f"{error}\n")
        return EXIT_WRONG_USE
    if request is None:
        os.write(1, HELP.encode())
        return 0
    if not _can_follow():
        execute(request.command, environment())
    run = Run(request)
    with Operation(request.name, memory=False, trace_id=_trace_id()) as operation:
        failure = run.attempts(operation)
        if failure is not None:
            operation.fail(failure)
    if run.signal:
        _die_by(run.signal)
        return 128 + run.signal
    return run.status


class Run:
    """The attempts at one command: `status` and `signal` are those of the last one."""

    program = "op"

    def __init__(self, request: OpRequest) -> None:
        self._request = request
        self._told_to_end = False
        # From here on signals are blocked and read, so that none ends us before the command.
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _PASSED_ON | {_signal.SIGCHLD})
        self._child_disposition = _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        self._environment = environment()
        self.status = 0
        self.signal = 0

    def attempts(self, operation: Operation) -> str | None:
        """Run the command until it succeeds or no attempt is left; returns why it failed."""
        pause = self._request.backoff
        for left in range(self._request.retries, -1, -1):
            failure = self._attempt()
            if failure is None or not left or self._told_to_end or self._is_hopeless():
                return failure
            if not self._pause(pause):
                return failure
            pause = min(2 * pause, LONGEST_BACKOFF)
            operation.retry()
        return None

    def _attempt(self) -> str | None:
        self.status = self.signal = 0
        child = os.fork()
        if child == 0:
            self._become()
        handle = os.pidfd_open(child)
        try:
            timed_out = self._wait(child, handle)
        finally:
            os.close(handle)
        if timed_out:
            self.status, self.signal = EXIT_TIMEOUT, 0
            return "timeout"
        if self._is_hopeless():
            return "other"
        return "exit_status" if self.status or self.signal else None

    def _become(self) -> None:
        """In the child: exec the command, or end as a shell would."""
        try:
            # Python ignores these; its own handler of SIGINT ends with exec.
            for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
                _signal.signal(number, _signal.SIG_DFL)
            _signal.signal(_signal.SIGCHLD, self._child_disposition)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)
            execute(self._request.command, self._environment)
        except OSError as error:
            _say(f"cannot run {self._request.command[0]!r}: {error.strerror}\n", self.program)
            os._exit(EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_EXECUTABLE)
        finally:
            os._exit(EXIT_NOT_EXECUTABLE)

    def _wait(self, child: int, handle: int) -> bool:
        """Wait for the child and forward signals; returns whether it timed out."""
        wanted, timeout = _PASSED_ON | {_signal.SIGCHLD}, self._request.timeout
        deadline = now_nanoseconds() + timeout
        timed_out = False
        while True:
            got = self.next_signal(wanted, max(0, deadline - now_nanoseconds()) / 1e9 if timeout else None)
            if got is None:
                _send(handle, _signal.SIGKILL if timed_out else _signal.SIGTERM)
                # A stopped process must continue before it can end.
                _send(handle, _signal.SIGCONT)
                deadline = now_nanoseconds() + KILL_AFTER
                timed_out = True
            elif got.si_signo != _signal.SIGCHLD:
                self._hand_on(got.si_signo, got.si_code, handle)
            elif self._is_over(child):
                return timed_out

    def next_signal(self, wanted: frozenset[int], seconds: float | None) -> _signal.struct_siginfo | None:
        """The next of these signals; None where none came within so many seconds (None: however long)."""
        return _signal.sigwaitinfo(wanted) if seconds is None else _signal.sigtimedwait(wanted, seconds)

    def _is_over(self, child: int) -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        if not pid:
            return False
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        self.status = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + self.signal
        return True

    def _hand_on(self, number: int, code: int, handle: int) -> None:
        if number in _ENDING:
            self._told_to_end = True
        # The terminal sends signals to our whole group, and the command is in it.
        if not (code == _SI_KERNEL and number in _FROM_TERMINAL):
            _send(handle, number)

    def _pause(self, nanoseconds: int) -> bool:
        """Wait between two attempts; False if a signal must end us."""
        ends_at = now_nanoseconds() + nanoseconds
        while (left := ends_at - now_nanoseconds()) > 0:
            got = _signal.sigtimedwait(_PASSED_ON, left / 1e9)
            if got is not None and got.si_signo in _ENDING:
                self.signal = got.si_signo
                return False
        return True

    def _is_hopeless(self) -> bool:
        return self.status in (EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND)


def _can_follow() -> bool:
    """Whether this system has pidfds; if not, the command is run without them."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _send(handle: int, number: int) -> None:
    try:
        _signal.pidfd_send_signal(handle, number)  # noqa: TID251 - to the one child that we have made, by its handle
    except ProcessLookupError:
        return


def _die_by(number: int) -> None:
    """End in the same way as the command, so that our parent sees the same status."""
    import resource  # noqa: PLC0415 - hardly ever needed

    # The command has already dumped its core, if any.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
    _signal.raise_signal(number)


def _trace_id() -> str | None:
    """The trace id from the W3C trace context, if any."""
    parts = os.environ.get("TRACEPARENT", "").split("-")
    return parts[1] if len(parts) > 3 else None


def _say(words: str, program: str = "op") -> None:
    try:
        os.write(2, f"tmux-exporter {program}: {words}".encode(errors="backslashreplace"))
    except OSError:
        sys.stderr = None
