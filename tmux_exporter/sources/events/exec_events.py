"""Time every tmux command of this user from exec to exit, by kernel process events (netlink).

The kernel's process connector reports each exec and exit on the machine with its time. The argv must be read
before the process ends, so a thread waits for the events. No process is traced or delayed.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.operations import CommandBatch, CommandLoss, CommandRun
from tmux_exporter.sources.events.connector import Connection
from tmux_exporter.sources.events.exec_parse import (
    EXEC,
    EXIT,
    Acknowledged,
    Exited,
    ProcessEvent,
    Started,
    parse,
)

_log = logging.getLogger(__name__)

_MEND = "set operations.watch_commands to false"
_ENDS_WITHIN = 2.0
_TRIED_AGAIN_AFTER = 60.0
"""Seconds after a refusal; a sample waits for each try."""

_HEAD = 4096
"""Bytes read of an argv or environment; tmux's own options come first."""

_EVENTS_PER_LOOK = 20
"""Events a second for each allowed program; beyond that, events are dropped until the second ends."""

MOST_AT_ONCE = 4096
"""The limit of commands in progress, and of ended commands that are not taken yet."""


class ClientCommand(Protocol):
    """The facts kept of a tmux client."""

    @property
    def socket(self) -> str | None:
        """The socket of its server."""

    @property
    def command(self) -> str:
        """The tmux command that it runs."""


Read = Callable[[Sequence[str], Callable[[], Mapping[str, str] | None], int], ClientCommand | None]
"""Makes a ClientCommand from argv, a reader of the environment and uid; None if it is no tmux command."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    socket: str | None
    command: str
    since: int


class CommandWatch:
    """Counts from `configure` with `wanted` to `stop`; `take_ended` returns ended commands."""

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
        self._opened: Connection | None = None
        self._thread: threading.Thread | None = None
        self._complaint = ""
        self._next_try = 0.0

    def configure(self, *, wanted: bool, most_per_second: int) -> None:
        """Start or stop to listen, with a limit of programs a second. Logs why it cannot listen."""
        self._most = most_per_second
        if wanted and not self._wanted:
            self._complaint = ""
            self._next_try = 0.0
        self._wanted = wanted
        if not wanted:
            self.stop()
        else:
            self._start()

    def take_ended(self) -> CommandBatch | None:
        """The commands that ended since the last call; None if not wanted."""
        if not self._wanted:
            return None
        self._start()
        with self._turn:
            runs, self._runs = self._runs, []
            lost = {reason: self._lost[reason] for reason in CommandLoss}
        return CommandBatch(runs=tuple(runs), lost=lost, listening=self._opened is not None)

    def stop(self) -> None:
        """Stop listening."""
        if self._opened is not None and self._thread is not None:
            self._opened.end()
            self._thread.join(_ENDS_WITHIN)
        self._opened = self._thread = None
        self._under_way = {}

    def _start(self) -> None:
        """Listen, unless a thread does or the kernel has refused lately."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._opened = self._thread = None
        if self._clock.monotonic() < self._next_try:
            return
        try:
            self._opened = Connection(self._clock, mend=_MEND, only=EXEC | EXIT)
        except OSError as error:
            self._next_try = self._clock.monotonic() + _TRIED_AGAIN_AFTER
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

    def _listen(self, opened: Connection) -> None:
        budget = _Budget(self._clock)
        with opened:
            while opened.wait():
                try:
                    message = opened.receive()
                except BlockingIOError:
                    continue
                except OSError:
                    # ENOBUFS: events were lost, so a pid may belong to another process now.
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
        # An exec of another program ends the command in progress.
        begun = self._under_way.pop(event.pid, None)
        if isinstance(event, Exited):
            if begun is not None:
                self._add(begun, event)
        elif budget.looks >= self._most:
            self._lose(CommandLoss.RATE)
        else:
            budget.looks += 1
            self._note_exec(event)

    def _note_exec(self, event: Started) -> None:
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
    """The work done in the current second."""

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


def _argv(path: str) -> list[str]:
    """The first NUL-separated words of a /proc file. Raises ProcessLookupError if its process has ended."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(handle, _HEAD)
    finally:
        os.close(handle)
    if not text:
        raise ProcessLookupError
    # The rest after the last NUL is empty or a cut word.
    return [os.fsdecode(word) for word in text.split(b"\0")[:-1]]


def _variables(path: str) -> Mapping[str, str] | None:
    """The variables that select the server of a tmux client; None if its process has ended."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    pairs = (word.partition(b"=") for word in text.split(b"\0"))
    found = {os.fsdecode(n): os.fsdecode(v) for n, _, v in pairs if n in (b"TMUX", b"TMUX_TMPDIR")}
    return found if text else None
