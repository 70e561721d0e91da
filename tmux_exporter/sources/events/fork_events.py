"""Follow every fork and end of processes by kernel process events, and ask orphans for their CPU time.

All kinds of events are received: the kernel numbers them on each processor before it filters, so a gap in the
numbers is a loss, also one that the socket does not report. They are read in batches, 50 ms apart.
"""

import errno
import logging
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from tmux_exporter.base.clock import Clock, SystemClock
from tmux_exporter.sources.events.connector import Connection
from tmux_exporter.sources.events.exec_parse import EXIT
from tmux_exporter.sources.events.receive_many import ReceiveMany

_log = logging.getLogger(__name__)
F = TypeVar("F", bound="Forks")
T = TypeVar("T")

_EVENT = struct.Struct("=8xI24xIIQIIII60x")
"""Number, kind, processor and time of an event, and the first words of its data; see `exec_parse`."""

_FORK = 0x1
_BATCH_SECONDS = 0.05
_ASKED_SECONDS = 0.1
_MEND = "set processes.lineage to false"
_ENDS_WITHIN = 2.0
_TRIED_AGAIN_AFTER = 60.0
_CPU_CLOCK = 2


class Forks(Protocol):
    """What follows the events; times are nanoseconds of the monotonic clock."""

    def fork(self, parent: int, child: int, at: int) -> None:
        """A process was forked."""

    def exit(self, pid: int, at: int) -> None:
        """A process ended."""

    def pass_over(self, parent: int, child: int) -> None:
        """A process was forked and ended, and forked nobody."""

    def lose(self) -> None:
        """Events were lost."""

    @property
    def rounds_to_wait(self) -> int:
        """After how many rounds somebody is to be asked next; 0: there is nobody."""

    def running(self) -> Iterable[int]:
        """The orphans to ask now."""

    def clock(self, pid: int, nanoseconds: int, at: int) -> bool:
        """The CPU time of an orphan; returns whether its parent should be told."""

    def adopted(self, pid: int, parent: int) -> None:
        """The parent of an orphan."""


def fork_events_problem() -> str:
    """Why the kernel does not tell of forks; empty where it does."""
    try:
        connection = Connection(SystemClock(), mend=_MEND, only=0)
    except OSError as error:
        return str(error).partition(";")[0]
    with connection:
        return ""


class _Events:
    """What one connection still has to tell: `expected` is the number of each processor's next event."""

    def __init__(self, received: ReceiveMany) -> None:
        self.received = received
        self.expected: dict[int, int] = {}


class ForkWatch(Generic[F]):
    """Feeds `forks` from `configure` with `wanted` to `stop`; `use` lends it between two batches."""

    def __init__(self, forks: F, *, clock: Clock, proc_root: str = "/proc") -> None:
        self.forks = forks
        self._clock = clock
        self._root = proc_root
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._next_try = 0.0
        self._events: _Events | None = None
        self.problem = ""
        self.lost = 0

    @property
    def listening(self) -> bool:
        """Whether events come."""
        return self._thread is not None and self._thread.is_alive()

    def configure(self, *, wanted: bool) -> None:
        """Follow events from now on, or not. Logs why there are none."""
        if wanted and not self._wanted:
            self.problem, self._next_try = "", 0.0
        self._wanted = wanted
        if wanted:
            self._start()
        else:
            self.stop()

    @staticmethod
    def suspended_seconds() -> float:
        """How long the machine has slept since boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)

    def stop(self) -> None:
        """Stop following."""
        if self._connection is not None and self._thread is not None:
            self._connection.end()
            self._thread.join(_ENDS_WITHIN)
        self._connection = self._thread = None

    def use(self, work: Callable[[], T]) -> T:
        """Do `work` while no event is taken, with all events that have come by now."""
        if self._wanted:
            self._start()
        with self._turn:
            if self._events is not None and self.listening:
                self._drain(self._events)
            return work()

    def _start(self) -> None:
        if self.listening or self._clock.monotonic() < self._next_try:
            return
        self._connection = self._thread = None
        try:
            self._connection = Connection(self._clock, mend=_MEND, only=None)
        except OSError as error:
            self._next_try = self._clock.monotonic() + _TRIED_AGAIN_AFTER
            problem = str(error.strerror or error)
            if problem != self.problem:
                self.problem = problem
                _log.warning("forks cannot be followed: %s", problem)
            return
        self.problem = ""
        self._events = _Events(self._connection.receive_many(_EVENT.size))
        with self._turn:
            self.forks.lose()
        self._thread = threading.Thread(
            target=self._listen, args=(self._connection, self._events), name="fork-events", daemon=True
        )
        self._thread.start()

    def _listen(self, connection: Connection, events: _Events) -> None:
        asked_at = 0.0
        with connection:
            while connection.wait(self.forks.rounds_to_wait * _ASKED_SECONDS or None):
                connection.rest(_BATCH_SECONDS)
                with self._turn:
                    self._drain(events)
                    rounds, now = self.forks.rounds_to_wait, self._clock.monotonic()
                    if rounds and now - asked_at >= rounds * _ASKED_SECONDS:
                        asked_at = now
                        self._ask()

    def _drain(self, events: _Events) -> None:
        while True:
            try:
                for batch in events.received.batches():
                    self._take(batch, events.expected)
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return
                # The socket was full.
                self._lose()

    def _take(self, batch: memoryview, expected: dict[int, int]) -> None:
        # Most processes end in the batch in which they were forked, without children: passed over.
        fresh: dict[int, tuple[int, int]] = {}
        for number, what, processor, at, first, second, third, fourth in _EVENT.iter_unpack(batch):
            if expected.get(processor, number) != number:
                fresh.clear()
                self._lose()
            expected[processor] = (number + 1) & 0xFFFF_FFFF
            # Threads have a pid of their own in the pid of their process.
            if what == _FORK and third == fourth:
                if second in fresh or fourth in fresh:
                    self._fork(fresh)
                fresh[fourth] = second, at
            elif what == EXIT and first == second:
                if (forked := fresh.pop(second, None)) is not None:
                    self.forks.pass_over(forked[0], second)
                else:
                    self._fork(fresh)
                    self.forks.exit(second, at)
        self._fork(fresh)

    def _fork(self, fresh: dict[int, tuple[int, int]]) -> None:
        for child, (parent, at) in fresh.items():
            self.forks.fork(parent, child, at)
        fresh.clear()

    def _lose(self) -> None:
        self.lost += 1
        self.forks.lose()

    def _ask(self) -> None:
        for pid in self.forks.running():
            try:
                used = time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)
            except OSError:
                continue
            if self.forks.clock(pid, used, int(self._clock.monotonic() * 1e9)):
                try:
                    with open(f"{self._root}/{pid}/stat", "rb", buffering=0) as stat:
                        parent = int(stat.read(512).rpartition(b")")[2].split()[1])
                except (OSError, ValueError, IndexError):
                    continue
                self.forks.adopted(pid, parent)
