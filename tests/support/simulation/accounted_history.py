"""One history of a simulated machine with a tmux server, which is read while it goes on and counted.

Two panes with an agent each, at times with an agent within the agent; a daemon that is nobody's; lives and
children from before the first reading; processes that fork, end, are waited for, lose their parents, ignore
their children or adopt orphans, between any two looks of the reader, but in half of all histories not during
the first two readings. At the end everybody waits for what has ended and a few quiet readings follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from tests.support.simulation.kernel import INIT, TICK_NS, Account, SimulatedKernel
from tests.support.simulation.reader import Mischief, read_table
from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.facts.process import ProcessId, ProcessTable

NOBODYS = "unattributed"
STRANGERS = "strangers"
SERVER = "server"
PANES = ("%0", "%1")
WITHIN = {"agent %0": "agent within %0", "agent %1": "agent within %1"}
LABELS = (SERVER, *PANES, *WITHIN, *WITHIN.values())

BUSY_READINGS = 6
QUIET_READINGS = 4
_PACES = ((0,), (0, 0, 0, 1), (0, 1), (1,), (1, 2), (0, 0, 4))
Reader = Callable[[Callable[[], None]], ProcessTable]
"""Takes a reading; what it is handed runs between any two looks."""

_ORDERS = ("up", "up", "down", "any", "mixed")


class Counters(Protocol):
    """Counters per group, as `GroupCounters` keeps them."""

    def observe(
        self,
        table: ProcessTable,
        groups: Mapping[ProcessId, frozenset[str]],
        catch_alls: Mapping[ProcessId, frozenset[str]],
        /,
    ) -> object:
        """Take in one reading."""

    def totals(self, key: str) -> Totals:
        """What a group has used."""


@dataclass(frozen=True)
class Figures:
    """CPU in nanoseconds, and bytes."""

    cpu: int
    read: int
    written: int

    def __sub__(self, other: "Figures") -> "Figures":
        return Figures(self.cpu - other.cpu, self.read - other.read, self.written - other.written)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(self.cpu + other.cpu, self.read + other.read, self.written + other.written)


@dataclass(frozen=True)
class Moment:
    """What was counted after a reading, and what was true when it was over."""

    counted: Mapping[str, Figures]
    used: Mapping[str, Figures]


class History:
    """Plays a tape from its first reading to its end."""

    def __init__(
        self,
        tape: bytes,
        counters: Counters,
        *,
        incomplete: bool = False,
        reader: Callable[[SimulatedKernel], Reader] | None = None,
    ) -> None:
        # Only the plain reader sees what a process did without running.
        self.kernel = SimulatedKernel(pid_max=(30, 60, 1000)[tape[0] % 3], call_ns=1000 if reader else 0)
        self._reader = reader(self.kernel) if reader else self._read_plainly
        self.start: Mapping[str, Figures] = {}
        self.first_members: dict[str, int] = {}
        self.hides_bytes: frozenset[str] = frozenset()
        self.moments: list[Moment] = []
        self._counters = counters
        self._incomplete = incomplete
        self._random = Random(tape[:4])
        self._pace = _PACES[tape[1] % len(_PACES)]
        self._order = _ORDERS[tape[2] % len(_ORDERS)]
        self.starts_quietly = tape[3] >= 128
        self._turn = 0
        self._server = self._populate()
        self._mischief = Mischief(self.kernel, tape[4:], spared=frozenset({self._server}))
        for _ in range(tape[3] % 20):
            self._mischief.step()

    def play(self, after_each: Callable[[], None] = lambda: None) -> "History":
        """Take all readings and give them to the counters."""
        self.start = self._used()
        for number in range(BUSY_READINGS + QUIET_READINGS):
            if number == BUSY_READINGS:
                self._wait_for_all()
            self._read(number, busy=number < BUSY_READINGS)
            after_each()
        return self

    @property
    def living_members(self) -> dict[str, int]:
        """How many processes of each group are there."""
        tasks = self.kernel.tasks.values()
        return {label: sum(label in task.labels for task in tasks) for label in LABELS}

    def _populate(self) -> int:
        kernel = self.kernel
        kernel.fork(INIT, labels={STRANGERS})
        server = kernel.fork(INIT, labels={SERVER})
        kernel.setsid(server)
        for pane in PANES:
            shell = kernel.fork(server, labels={pane})
            kernel.setsid(shell)
            agent = kernel.fork(shell, labels={pane, f"agent {pane}"})
            if self._random.random() < 0.3:
                kernel.fork(agent, labels={pane, f"agent within {pane}"})
        return server

    def _read(self, number: int, *, busy: bool) -> None:
        kernel = self.kernel
        if number < 2 and self.starts_quietly:
            busy = False
        table = self._reader(self._between if busy else lambda: None)
        if self._incomplete and busy and self._random.random() < 0.3:
            missed = {pid for pid in table.processes if self._random.random() < 0.3}
            seen = {pid: each for pid, each in table.processes.items() if pid not in missed}
            table = replace(table, processes=seen, complete=False)
        processes = table.processes.values()
        if number == 0:
            self.first_members = self.living_members
        if number < 2:
            dead = [kernel.labels.get(each.id, frozenset()) for each in processes if not each.alive]
            self.hides_bytes = self.hides_bytes.union(*dead)
        groups = {each.id: kernel.labels[each.id] for each in processes if each.alive and each.id.pid != INIT}
        catch_alls = {kernel.tasks[pid].id: frozenset({NOBODYS}) for pid in (INIT, self._server)}
        mine = {process: labels for process, labels in groups.items() if STRANGERS not in labels}
        self._counters.observe(table, mine, catch_alls)
        counted = {label: self._counted(label) for label in (*LABELS, NOBODYS)}
        self.moments.append(Moment(counted=counted, used=self._used()))

    def _read_plainly(self, between: Callable[[], None]) -> ProcessTable:
        return read_table(self.kernel, between, self._ordered)

    def _between(self) -> None:
        for _ in range(self._pace[self._turn % len(self._pace)]):
            self._mischief.step()
        self._turn += 1

    def _ordered(self, pids: list[int]) -> list[int]:
        order = self._random.choice(("up", "down", "any")) if self._order == "mixed" else self._order
        if order == "any":
            return self._random.sample(pids, len(pids))
        return pids if order == "up" else pids[::-1]

    def _wait_for_all(self) -> None:
        for pid in self.kernel.living():
            while self.kernel.wait(pid) is not None:
                pass

    def _counted(self, label: str) -> Figures:
        totals = self._counters.totals(label)
        return Figures(round(totals.cpu_seconds * 1e9), totals.read_bytes, totals.written_bytes)

    def _used(self) -> dict[str, Figures]:
        return {label: figures(self.kernel.used[label]) for label in (*LABELS, STRANGERS)}


def figures(account: Account) -> Figures:
    """An account of the kernel as figures."""
    return Figures(account.cpu_ns, account.read, account.written)


def cut_by_ticks(processes: int) -> int:
    """How far the figures of so many processes can be from the truth: each shows four, cut to whole ticks."""
    return 4 * TICK_NS * processes
