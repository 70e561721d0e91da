"""The fast reader on the simulated kernel, and both readers side by side over one history."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from tests.support.clock import ManualClock
from tests.support.literals.facts import UID
from tests.support.simulation.kernel import TICK_NS, SimulatedKernel
from tmux_exporter.facts.process import ProcessTable, Unreadable
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.kernel import Boot
from tmux_exporter.sources.processes.process import GONE, Known, ProcessRead

FORKS_BEFORE = 5000
"""Forks of the machine before the simulation."""


class SimulatedProc:
    """What `Kernel` asks, answered by the simulation; anything may happen `between` two answers.

    Counts the `looks`, the `clocks` and the `listings` that were asked for; the process `unreadable` cannot
    be looked at.
    """

    def __init__(self, kernel: SimulatedKernel, between: Callable[[], None] = lambda: None) -> None:
        self.kernel = kernel
        self.between = between
        self.looks = 0
        self.clocks = 0
        self.listings = 0
        self.unreadable = 0

    def opened(self) -> AbstractContextManager[object]:
        return nullcontext()

    def listing(self) -> list[int]:
        self.between()
        self.listings += 1
        return self.kernel.pids()

    def boot(self) -> Boot:
        return Boot(0.0, FORKS_BEFORE + self.kernel.forks)

    def cursor(self) -> int:
        self.between()
        return self.kernel.cursor

    def pid_max(self) -> int:
        # The simulation gives its largest away; Linux names the one after it.
        return self.kernel.pid_max + 1

    def clock_ns(self, pid: int) -> int | None:
        self.between()
        self.clocks += 1
        try:
            return self.kernel.clock_ns(pid)
        except OSError:
            return None

    def compare(self, clocks: Mapping[int, int]) -> tuple[list[int], list[int]]:
        now = {pid: self.clock_ns(pid) for pid in clocks}
        gone = [pid for pid, clock in now.items() if clock is None]
        return [pid for pid, clock in now.items() if clock not in (None, clocks[pid])], gone

    def mark(self, pid: int) -> int | None:
        self.between()
        return self.kernel.mark(pid)

    def max_fds(self, pid: int) -> int | None:
        self.between()
        process = self.kernel.read(pid, lambda: None)
        if process is None:
            raise ProcessLookupError(pid)
        return process.max_fds

    def read(self, pid: int, _known: Known | None, /) -> ProcessRead:
        self.between()
        self.looks += 1
        if pid == self.unreadable:
            reason = Unreadable.OTHER
            return ProcessRead(unread=frozenset({reason}), unreadable=(reason,), complete=False)
        # The line of stat comes first, and its mark with it.
        mark = self.kernel.mark(pid)
        process = self.kernel.read(pid, self.between)
        if process is None or mark is None:
            return GONE
        return ProcessRead(process=process, mark=mark, settled=True)


class FastOnSimulation:
    """The fast reader of a simulated kernel; each reading comes `seconds` after the one before."""

    def __init__(self, kernel: SimulatedKernel, *, seconds: float = 5.0) -> None:
        self.clock = ManualClock()
        self.proc = SimulatedProc(kernel, self._meanwhile)
        self.reader = FastReader(
            self.proc, uid=UID, clock=self.clock, ticks_per_second=1_000_000_000 // TICK_NS
        )
        self._between: Callable[[], None] = lambda: None
        self._seconds = seconds

    def __call__(self, between: Callable[[], None] = lambda: None) -> ProcessTable:
        self.clock.advance(self._seconds)
        self._between = between
        return self.reader.read()

    def _meanwhile(self) -> None:
        self._between()
