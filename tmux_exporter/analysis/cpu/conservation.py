"""What processes have used between two readings, those that came and went in between included.

The sum, over processes, of what each used and of what each got of its ended children changes by nothing but
use: what a child leaves, its parent gets. So a process that is counted gains what its own figures grow by,
less what of it had been counted of children that ended (`debts`). What may be the trace of somebody who seems
to be there is withheld until the next reading shows it alive or makes it a debt (`withholding`): it is late
by one reading, and not lost.
"""

from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

from tmux_exporter.analysis.cpu.ended_processes import Debts
from tmux_exporter.analysis.cpu.parents import Kinship
from tmux_exporter.analysis.cpu.process_counter import NOTHING, Amount, total
from tmux_exporter.analysis.cpu.process_counters import Books
from tmux_exporter.analysis.cpu.unconfirmed_growth import withhold_for_the_present
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class Gain(NamedTuple):
    """What a process has used itself since the last reading, in CPU ticks, and what it got besides.

    `inherited` holds the ticks of its ended children, and all bytes: its own are not told apart from theirs.
    """

    process: ProcessId
    own_ticks: int
    inherited: Amount


class Conservation:
    """The law, kept over all readings. `advance` once per reading, in order."""

    def __init__(self) -> None:
        self._kinship = Kinship()
        self._books = Books()
        self._debts = Debts(self._kinship)

    def advance(
        self, table: ProcessTable, accounts: Mapping[ProcessId, frozenset[object] | None]
    ) -> list[Gain]:
        """Take in a reading and give what the processes in `accounts` have gained since the one before.

        `accounts` tells where each pays what it inherits, None for a sink: one that is counted so that what
        nobody else gets is known.
        """
        books = self._books
        seen_before = self._kinship.present
        ended = {process.id: process for process in self._kinship.advance(table)}
        own = books.look(table, accounts.keys(), seen_before)
        for process in ended.values():
            self._debts.add(process, *books.close(process))
        self._debts.notice(ended, books.growth_before, books.growth, accounts)
        if table.complete:
            self._settle(accounts)
            books.begin(table)
        inherited = self._count()
        newcomers = {pid for pid in changed_since(seen_before, table) if pid not in seen_before}
        newcomers |= {each.pid for each in ended}
        for process in self._stillborn(table, newcomers):
            heir = self._kinship.parent(process)
            if isinstance(heir, Process) and books.get(heir.id) is not None:
                # It will get it: it is its own from now on.
                ticks = process.cpu_ticks + process.children_cpu_ticks
                inherited[heir.id] = total(inherited.get(heir.id, NOTHING), (ticks, 0, 0))
            else:
                books.uncounted.add(process.id)
        return [
            Gain(process, own.get(process, 0), inherited.get(process, NOTHING))
            for process in own.keys() | inherited.keys()
        ]

    def _settle(self, accounts: Mapping[ProcessId, frozenset[object] | None]) -> None:
        for debt in self._debts.settle():
            for holder in debt.charged(accounts):
                self._books.explain(holder, debt.amount)

    def _count(self) -> dict[ProcessId, Amount]:
        """Count what is new for certain; the rest stays unsettled."""
        withheld = self._debts.withheld()
        withhold_for_the_present(self._books, self._kinship, withheld)
        found: dict[ProcessId, Amount] = {}
        unsettled: set[ProcessId] = set()
        for process_id in self._books.unsettled:
            if (ledger := self._books.get(process_id)) is None:
                continue
            gained = ledger.count(withheld.get(process_id, NOTHING))
            if gained != NOTHING:
                found[process_id] = gained
            if ledger.counted != ledger.level:
                unsettled.add(process_id)
        self._books.unsettled = unsettled
        return found

    def _stillborn(self, table: ProcessTable, newcomers: Set[int]) -> Iterator[Process]:
        """The zombies that nobody saw alive: they are in no account."""
        for pid in newcomers:
            process = table.processes.get(pid)
            if process is not None and not process.alive and self._books.is_young(process):
                yield process
