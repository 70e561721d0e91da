"""The law of conservation without care.

The sum over living members, less what an ended member had used when its nearest surviving ancestor has grown
by that much in the very same reading. This is how one writes it first. It takes a reading for an instant, and
is here to be seen wrong.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable

_TICKS_CUT = 2


class NaiveCounters:
    """CPU only."""

    def __init__(self) -> None:
        self._before: dict[ProcessId, Process] = {}
        self._ticks: defaultdict[str, int] = defaultdict(int)
        self._groups: Mapping[ProcessId, Collection[str]] = {}
        self._per_second = 1
        self._is_first = True

    def observe(
        self,
        table: ProcessTable,
        groups: Mapping[ProcessId, Collection[str]],
        _sinks: Mapping[ProcessId, Collection[str]],
    ) -> None:
        """Take in one reading; sinks count for nothing here."""
        self._per_second = table.clock_ticks_per_second
        now = {each.id: each for each in table.processes.values() if each.id in groups}
        if not self._is_first:
            for process_id, process in now.items():
                before = self._before.get(process_id)
                self._add(groups[process_id], _whole(process) - (_whole(before) if before else 0))
            self._take_back_what_was_inherited(now)
        self._before, self._groups, self._is_first = now, dict(groups), False

    def totals(self, key: str) -> Totals:
        """What a group has used."""
        return Totals(cpu_seconds=self._ticks[key] / self._per_second)

    def _take_back_what_was_inherited(self, now: Mapping[ProcessId, Process]) -> None:
        taken: defaultdict[ProcessId, int] = defaultdict(int)
        for process_id, process in self._before.items():
            heir = None if process_id in now else self._survivor(process, now)
            if heir is None:
                continue
            grown = now[heir].children_cpu_ticks - self._before[heir].children_cpu_ticks - taken[heir]
            if grown >= _whole(process) - _TICKS_CUT:
                taken[heir] += _whole(process)
                self._add(self._groups[process_id], -_whole(process))

    def _survivor(self, process: Process, now: Mapping[ProcessId, Process]) -> ProcessId | None:
        by_pid = {each.pid: each for each in self._before}
        parent = by_pid.get(process.ppid)
        while parent is not None and parent not in now:
            parent = by_pid.get(self._before[parent].ppid)
        return parent

    def _add(self, groups: Collection[str], ticks: int) -> None:
        for group in groups:
            self._ticks[group] += ticks


def _whole(process: Process) -> int:
    return process.cpu_ticks + process.children_cpu_ticks
