"""Every tmux command of this user from its exec to its exit, as the kernel tells it to whoever listens.

The kernel's process connector (netlink) names each program of the machine that starts or ends, with the time;
its argv must be read before it ends, so a thread of its own waits for them. Nothing is attached to anybody
and nobody waits for us. It needs no privilege from Linux 6.6 on, CAP_NET_ADMIN before, and the machine's
first pid, user and network namespace.
"""

import logging
import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.commands import CommandBatch, CommandLoss, CommandRun
from tmux_exporter.sources.events.exec_parse import (
    EXEC,
    EXIT,
    Acknowledged,
    Exited,
    ProcessEvent,
    Started,
    parse,
    request,
)

_log = logging.getLogger(__name__)

_NETLINK_CONNECTOR = 11
_PROCESS_EVENTS = 1
_LONGEST = 8192
_RECEIVE_BUFFER = 1 << 20
_ANSWER_SECONDS = 0.5
_ENDS_WITHIN = 2.0
_HEAD = 4096
"""As much of an argv or environment as is read; tmux's own options stand at the beginning."""

_EVENTS_PER_LOOK = 20
"""Beyond so many events for each look in a second nothing is read until it is over: the kernel drops them."""

MOST_AT_ONCE = 4096
"""Commands under way, and commands that have ended and nobody has asked for."""


class ClientCommand(Protocol):
    """What is kept of a client that was looked at."""

    @property
    def socket(self) -> str | None:
        """The socket of its server."""

    @property
    def command(self) -> str:
        """The command that it gives."""


Read = Callable[[Sequence[str], Callable[[], Mapping[str, str] | None], int], ClientCommand | None]
"""From an argv, a way to its environment, and its uid to what is kept; None for what is no tmux command."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    socket: str | None
    command: str
    since: int


class CommandWatch:
    """Counts from `configure` with `wanted` to `stop`; `harvest` hands over what has ended."""

    def __init__(self, read: Read, *, uid: int, clock: Clock, proc_root: str = "/proc") -> None:
        self._read = read
        self._uid = uid
        self._clock = clock
        self._root = proc_root
        self._turn = threading.Lock()
        self._lost: Counter[CommandLoss] = Counter()
        self._runs: list[CommandRun] = []
        self._under_way: dict[int, _UnderWay] = {}
        self._most = 0
        self._wanted = False
        self._opened: _Opened | None = None
        self._thread: threading.Thread | None = None
        self._complaint = ""

    def configure(self, *, wanted: bool, most_per_second: int) -> None:
        """Listen, or not; look at so many programs a second. Where that cannot be, the log says why."""
        self._most = most_per_second
        if wanted and not self._wanted:
            self._complaint = ""
        self._wanted = wanted
        if not wanted:
            self.stop()
        elif self._thread is None or not self._thread.is_alive():
            self._start()

    def take_ended(self) -> CommandBatch | None:
        """What has ended since the last call, once; None where it is not wanted."""
        if not self._wanted:
            return None
        if self._thread is None or not self._thread.is_alive():
            self._start()
        with self._turn:
            runs, self._runs = self._runs, []
            lost = {reason: self._lost[reason] for reason in CommandLoss}
        return CommandBatch(runs=tuple(runs), lost=lost, listening=self._opened is not None)

    def stop(self) -> None:
        """Listen no more."""
        if self._opened is not None and self._thread is not None:
            self._opened.end()
            self._thread.join(_ENDS_WITHIN)
        self._opened = self._thread = None
        self._under_way = {}

    def _start(self) -> None:
        self._opened = self._thread = None
        try:
            self._opened = _Opened()
        except OSError as error:
            words = f"tmux commands cannot be timed: {error.strerror or error}"
            if words != self._complaint:
                self._complaint = words
                _log.warning(words)
            return
        self._complaint = ""
        self._thread = threading.Thread(
            target=self._listen, args=(self._opened,), name="exec-events", daemon=True
        )
        self._thread.start()

    def _listen(self, opened: "_Opened") -> None:
        budget = _Budget(self._clock)
        with opened:
            while opened.wait():
                try:
                    message = opened.receive()
                except BlockingIOError:
                    continue
                except OSError:
                    # ENOBUFS: events are missing, so that a pid may be another process by now.
                    self._overrun()
                    continue
                for event in parse(message):
                    self._take(event, budget)
                if budget.events >= _EVENTS_PER_LOOK * self._most:
                    opened.rest(budget.seconds_left())

    def _take(self, event: ProcessEvent, budget: "_Budget") -> None:
        if isinstance(event, Acknowledged):
            return
        budget.count()
        # Whoever runs another program has left the one that was under way.
        begun = self._under_way.pop(event.pid, None)
        if isinstance(event, Exited):
            if begun is not None:
                self._add(begun, event)
        elif budget.looks >= self._most:
            self._lose(CommandLoss.RATE)
        else:
            budget.looks += 1
            self._look(event)

    def _look(self, event: Started) -> None:
        folder = f"{self._root}/{event.pid}"
        try:
            if os.stat(folder).st_uid != self._uid:
                return
            told = self._read(_argv(f"{folder}/cmdline"), lambda: _variables(f"{folder}/environ"), self._uid)
        except OSError:
            self._lose(CommandLoss.VANISHED)
            return
        if told is None:
            return
        if len(self._under_way) >= MOST_AT_ONCE:
            self._lose(CommandLoss.OVERFLOW)
            return
        self._under_way[event.pid] = _UnderWay(told.socket, told.command, event.at)

    def _add(self, begun: _UnderWay, end: Exited) -> None:
        run = CommandRun(
            socket=begun.socket,
            command=begun.command,
            seconds=max(0, end.at - begun.since) / 1e9,
            failed=end.status != 0,
        )
        with self._turn:
            if len(self._runs) < MOST_AT_ONCE:
                self._runs.append(run)
            else:
                self._lost[CommandLoss.OVERFLOW] += 1

    def _lose(self, reason: CommandLoss) -> None:
        with self._turn:
            self._lost[reason] += 1

    def _overrun(self) -> None:
        with self._turn:
            self._lost[CommandLoss.OVERRUN] += 1 + len(self._under_way)
        self._under_way = {}


class _Budget:
    """What was done in the second that is under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends = 0.0
        self.events = 0
        self.looks = 0

    def count(self) -> None:
        """Count one event, perhaps the first of a new second."""
        now = self._clock.monotonic()
        if now >= self._ends:
            self._ends = now + 1.0
            self.events = self.looks = 0
        self.events += 1

    def seconds_left(self) -> float:
        return self._ends - self._clock.monotonic()


class _Opened:
    """The kernel's events. Raises OSError, with words for the user, where it does not tell them."""

    def __init__(self) -> None:
        family: int | None = getattr(socket, "AF_NETLINK", None)
        if family is None:
            raise OSError("this system has no process events; only Linux has")
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_CONNECTOR)
        except OSError as error:
            raise OSError(f"this kernel has no process connector ({error.strerror})") from error
        try:
            self._ask()
        except BaseException:
            self._socket.close()
            raise
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        for one in (self._socket.fileno(), self._woken):
            self._poll.register(one, select.POLLIN)

    def _ask(self) -> None:
        mend = "it needs Linux 6.6, or CAP_NET_ADMIN; set operations.watch_commands to false"
        try:
            self._socket.bind((0, _PROCESS_EVENTS))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            port = self._socket.getsockname()[0]
            self._socket.settimeout(_ANSWER_SECONDS)
            self._socket.send(request(port))
        except OSError as error:
            raise OSError(f"the kernel refuses ({error.strerror}); {mend}") from error
        self._await_answer(mend)
        # Forks, the other half of all events, are not wanted. An older kernel ignores this, and sends them.
        self._socket.send(request(port, only=EXEC | EXIT))
        self._socket.setblocking(False)

    def _await_answer(self, mend: str) -> None:
        # Other processes' events come meanwhile; on a busy machine the answer is among the first hundreds.
        for _ in range(10_000):
            try:
                message = self._socket.recv(_LONGEST)
            except TimeoutError:
                break
            except OSError:
                continue
            for event in parse(message):
                if isinstance(event, Acknowledged):
                    if event.error:
                        raise OSError(f"the kernel refuses ({os.strerror(event.error)}); {mend}")
                    return
        raise OSError("the kernel does not answer, as in a container; set operations.watch_commands to false")

    def wait(self) -> bool:
        """Wait for events; False when it is time to end."""
        return all(descriptor != self._woken for descriptor, _ in self._poll.poll())

    def receive(self) -> bytes:
        """One message. Raises BlockingIOError where none is there, another OSError where some were lost."""
        return self._socket.recv(_LONGEST)

    def rest(self, seconds: float) -> None:
        """Do not read for a while, unless it is time to end."""
        only_end = select.poll()
        only_end.register(self._woken, select.POLLIN)
        only_end.poll(max(0.0, seconds) * 1000)

    def end(self) -> None:
        """Let the thread end, which closes everything."""
        os.write(self._wake, b"e")

    def __enter__(self) -> None:
        """For the thread that reads."""

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        os.close(self._woken)
        os.close(self._wake)


def _argv(path: str) -> list[str]:
    """The words that a file of /proc begins with. Raises ProcessLookupError where its process has ended."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(handle, _HEAD)
    finally:
        os.close(handle)
    if not text:
        raise ProcessLookupError
    # What follows the last NUL is nothing, or a word that was cut in two.
    return [os.fsdecode(word) for word in text.split(b"\0")[:-1]]


def _variables(path: str) -> Mapping[str, str] | None:
    """Those variables that say which server a tmux client asks; None where its process has ended."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    pairs = (word.partition(b"=") for word in text.split(b"\0"))
    found = {os.fsdecode(n): os.fsdecode(v) for n, _, v in pairs if n in (b"TMUX", b"TMUX_TMPDIR")}
    return found if text else None
