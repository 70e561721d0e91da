"""What processes have used between two readings, those that came and went in between included.

The sum, over processes, of what each used and of what each got of its ended children changes by nothing but
use: what a child leaves, its parent gets. So a process that is counted gains what its own figures grow by,
less what of it had been counted of children that ended (`ended_processes`). Growth that may come from a
process that still seems to be there is withheld (`unconfirmed_growth`) until the next reading shows that it
is alive or has ended: it is late by one reading, and not lost.
"""

from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

from tmux_exporter.analysis.cpu.ended_processes import EndedProcesses
from tmux_exporter.analysis.cpu.parents import ProcessTree
from tmux_exporter.analysis.cpu.process_counter import NOTHING, Amount, total
from tmux_exporter.analysis.cpu.process_counters import ProcessCounters
from tmux_exporter.analysis.cpu.unconfirmed_growth import withhold_unconfirmed
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable


class UsageDelta(NamedTuple):
    """What a process has used itself since the last reading, in CPU ticks, and what it got besides.

    `reaped` holds the ticks of its ended children, and all bytes: its own are not told apart from theirs.
    """

    process: ProcessId
    own_ticks: int
    reaped: Amount


class Conservation:
    """The law, kept over all readings. `advance` once per reading, in order."""

    def __init__(self) -> None:
        self._tree = ProcessTree()
        self._counters = ProcessCounters()
        self._ended = EndedProcesses(self._tree)

    def advance(
        self, table: ProcessTable, accounts: Mapping[ProcessId, frozenset[object] | None]
    ) -> list[UsageDelta]:
        """Take in a reading and give what the processes in `accounts` have gained since the one before.

        `accounts` tells where each pays what it inherits, None for a sink: one that is counted so that what
        nobody else gets is known.
        """
        counters = self._counters
        seen_before = self._tree.present
        ended = {process.id: process for process in self._tree.advance(table)}
        own = counters.look(table, accounts.keys(), seen_before)
        for process in ended.values():
            self._ended.add(process, *counters.close(process))
        self._ended.notice(ended, counters.growth_before, counters.growth, accounts)
        if table.complete:
            self._charge_due(accounts)
            counters.set_baseline(table)
        reaped = self._count()
        newcomers = {pid for pid in changed_since(seen_before, table) if pid not in seen_before}
        newcomers |= {each.pid for each in ended}
        for process in self._unseen_zombies(table, newcomers):
            reaper = self._tree.parent(process)
            if isinstance(reaper, Process) and counters.get(reaper.id) is not None:
                # It will get it: it is its own from now on.
                ticks = process.cpu_ticks + process.children_cpu_ticks
                reaped[reaper.id] = total(reaped.get(reaper.id, NOTHING), (ticks, 0, 0))
            else:
                counters.uncounted.add(process.id)
        return [
            UsageDelta(process, own.get(process, 0), reaped.get(process, NOTHING))
            for process in own.keys() | reaped.keys()
        ]

    def _charge_due(self, accounts: Mapping[ProcessId, frozenset[object] | None]) -> None:
        for child in self._ended.settle():
            for ancestor in child.charged_to(accounts):
                self._counters.mark_counted(ancestor, child.amount)

    def _count(self) -> dict[ProcessId, Amount]:
        """Count what is new for certain; the rest stays unsettled."""
        withheld = self._ended.withheld()
        withhold_unconfirmed(self._counters, self._tree, withheld)
        found: dict[ProcessId, Amount] = {}
        pending: set[ProcessId] = set()
        for process_id in self._counters.pending:
            if (counter := self._counters.get(process_id)) is None:
                continue
            gained = counter.count(withheld.get(process_id, NOTHING))
            if gained != NOTHING:
                found[process_id] = gained
            if counter.counted != counter.level:
                pending.add(process_id)
        self._counters.pending = pending
        return found

    def _unseen_zombies(self, table: ProcessTable, newcomers: Set[int]) -> Iterator[Process]:
        """The zombies that nobody saw alive: they are in no account."""
        for pid in newcomers:
            process = table.processes.get(pid)
            if process is not None and not process.alive and self._counters.started_since_baseline(process):
                yield process
