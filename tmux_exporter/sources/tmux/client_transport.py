"""Query a tmux server with a tmux client: the program file that the server runs. Never blocks.

The tmux in PATH may be of another version, and then reports "server exited unexpectedly" for a living server.
`/proc/PID/exe` is the server's own program, even after an upgrade deleted the file. A tmux client reads and
writes files on request of the server, so it runs only against a server that is known to be of our uid.
"""

import contextlib
import os
import selectors
import subprocess
from collections.abc import Collection, Sequence

from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.answer import ExchangeResult, Judge, printable
from tmux_exporter.sources.tmux.protocol import MAX_ANSWER

_CHUNK = 1 << 16
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TERM": "dumb"}
"""The environment of a tmux program that we run: nothing of ours."""

_REAP_SECONDS = 0.5
_CONNECT_WORDS = (
    (b"no server running on ", QueryFailure.NOSERVER, "no process listens on the socket"),
    (b"(No such file or directory)", QueryFailure.NOSERVER, "the socket does not exist"),
    (b"(Permission denied)", QueryFailure.DENIED, "no permission to connect to the socket"),
)


class ProgramError(Exception):
    """The server's program must not be run, or could not be started."""


class SlowProgramError(ProgramError):
    """The server's program did not end in time: the server hangs."""


class ProgramExchange:
    """One run of the program of `server`: the path of its socket and its pid.

    Driven by a selector until `outcome` is set or `close` is called. Raises ProgramError.
    """

    def __init__(
        self,
        server: tuple[str, int],
        uid: int,
        arguments: Sequence[str],
        judge: Judge,
        selector: selectors.BaseSelector,
    ) -> None:
        path, peer = server
        self.outcome: ExchangeResult | None = None
        self._judge = judge
        self._selector = selector
        self._watched: set[int] = set()
        self._stdout, self._stderr = bytearray(), bytearray()
        check_program(path, peer, uid)
        with contextlib.ExitStack() as undo:
            try:
                self._stdout_fd, stdout = _pipe(undo)
                self._stderr_fd, stderr = _pipe(undo)
                self._child = subprocess.Popen(
                    ["tmux", "-u", "-S", path, *arguments],
                    executable=f"/proc/{peer}/exe",
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    env=ENVIRONMENT,
                    cwd="/",
                )
                undo.callback(self._end_child)
                self._exit_fd = os.pidfd_open(self._child.pid)
            except OSError as error:
                raise ProgramError(f"the server's program cannot be run: {error.strerror}") from error
            undo.pop_all()
        os.close(stdout)
        os.close(stderr)
        for fd in (self._stdout_fd, self._stderr_fd, self._exit_fd):
            selector.register(fd, selectors.EVENT_READ, self._on_ready)
            self._watched.add(fd)

    def close(self) -> None:
        """End the program if it still runs, and reap it."""
        for fd in list(self._watched):
            self._unwatch(fd)
        self._end_child()

    def _end_child(self) -> None:
        if self._child.poll() is not None:
            return
        self._child.kill()
        # A process in uninterruptible sleep stays; subprocess reaps it when the next child starts.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_REAP_SECONDS)

    def _unwatch(self, fd: int) -> None:
        self._watched.discard(fd)
        self._selector.unregister(fd)
        os.close(fd)

    def _on_ready(self, fileobj: object, _: int) -> None:
        if fileobj == self._stdout_fd:
            self._read(self._stdout_fd, self._stdout)
        elif fileobj == self._stderr_fd:
            self._read(self._stderr_fd, self._stderr)
        else:
            self._unwatch(self._exit_fd)
        if len(self._stdout) + len(self._stderr) > MAX_ANSWER:
            self.outcome = ExchangeResult(
                failure=QueryFailure.UNTRUSTED, detail=f"more than {MAX_ANSWER >> 20} MiB of answer"
            )
        elif not self._watched:
            self.outcome = self._worth(self._child.wait(), bytes(self._stdout), bytes(self._stderr))

    def _worth(self, status: int, stdout: bytes, stderr: bytes) -> ExchangeResult:
        if status != 0 and not stdout:
            for words, failure, detail in _CONNECT_WORDS:
                if words in stderr:
                    return ExchangeResult(failure=failure, detail=detail)
        return self._judge(status, stdout, stderr)

    def _read(self, fd: int, into: bytearray) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        into += data
        if not data:
            self._unwatch(fd)


def run_program(path: str, peer: int, uid: int, arguments: Sequence[str], *, seconds: float) -> bytes:
    """The output of the program of the server `peer`, which listens on `path`. Raises ProgramError.

    Waits at most `seconds`. Only for a server that has just answered as one of this uid: a tmux client
    reads and writes files for its server.
    """
    check_program(path, peer, uid)
    try:
        return subprocess.run(
            ["tmux", "-u", "-S", path, *arguments],
            executable=f"/proc/{peer}/exe",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            cwd="/",
            timeout=seconds,
            check=True,
        ).stdout
    except subprocess.TimeoutExpired as error:
        raise SlowProgramError(f"no answer within {seconds:g} s") from error
    except subprocess.SubprocessError as error:
        raise ProgramError("the server refused the command") from error
    except OSError as error:
        raise ProgramError(f"the server's program cannot be run: {error.strerror}") from error


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe with a non-blocking reading end; `undo` closes both ends."""
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    os.set_blocking(ends[0], False)
    return ends


def check_program(path: str, peer: int, uid: int) -> None:
    """Check the peer's program and the file of its socket; it was of our uid when we connected.

    Raises ProgramError if the program must not be run.
    """
    try:
        program = os.path.basename(os.readlink(f"/proc/{peer}/exe"))
        owners = {os.stat(f"/proc/{peer}").st_uid, os.stat(path).st_uid}
    except OSError as error:
        raise ProgramError(f"the server's program cannot be seen: {error.strerror}") from error
    # Another program that listens in tmux's place must not be run with tmux's arguments.
    if "tmux" not in program:
        raise ProgramError(f"the server's program is no tmux but {printable(os.fsencode(program))}")
    if owners != {uid}:
        raise ProgramError("the server or its socket belongs to another user")


_QUESTION = ("show-options", "-s", ";", "show-options", "-g", ";", "show-options", "-gw")
_SECONDS = 2.0


def read_options(path: str, peer: int, uid: int, names: Collection[str]) -> dict[str, str] | None:
    """The values of these options of the server `peer`, which listens on `path`; None if unknown.

    Only for a server that has just answered as one of this uid: a tmux client writes files for its server.
    """
    try:
        answer = run_program(path, peer, uid, _QUESTION, seconds=_SECONDS)
    except ProgramError:
        return None
    pairs = (line.partition(" ") for line in answer.decode("utf-8", "replace").splitlines())
    return {name: value for name, _, value in pairs if name in names}
