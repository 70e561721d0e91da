"""What groups cost, worked out anew only for those of which a member or a counter has changed."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.memory.shared_memory import PLAIN, MemoryFigures
from tmux_exporter.analysis.report.usage import usage
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.report import Usage

T = TypeVar("T")


class _Kept(NamedTuple):
    members: Sequence[Process]
    totals: Totals
    limit: int | None
    usage: Usage


class Costs:
    """Keeps what was worked out for one sample until the next; `begin` each one."""

    def __init__(self) -> None:
        self._before: Mapping[Hashable, _Kept] = {}
        self._now: dict[Hashable, _Kept] = {}
        self._made_before: Mapping[Hashable, tuple[object, Any]] = {}
        self._made_now: dict[Hashable, tuple[object, Any]] = {}
        self._memory: MemoryFigures = PLAIN
        self._boot_time = 0.0
        self._start_time: Callable[[ProcessId], float] = lambda _: 0.0

    def begin(
        self, memory: MemoryFigures, boot_time: float, start_time: Callable[[ProcessId], float]
    ) -> None:
        """Begin a sample: how memory counts, and when processes started."""
        same = memory == self._memory and boot_time == self._boot_time
        self._before = self._now if same else {}
        self._now = {}
        self._made_before, self._made_now = self._made_now if same else {}, {}
        self._memory, self._boot_time, self._start_time = memory, boot_time, start_time

    def of(self, key: Hashable, members: Sequence[Process], totals: Totals, limit: int | None) -> Usage:
        """`usage` of these members; `key` names the group, once in each sample."""
        kept = self._before.get(key)
        if kept is None or (kept.limit, kept.totals, kept.members) != (limit, totals, members):
            found = usage(members, totals, self._start_time, limit, self._memory)
            kept = _Kept(members=members, totals=totals, limit=limit, usage=found)
        self._now[key] = kept
        return kept.usage

    def made(self, key: Hashable, facts: object, make: Callable[[], T]) -> T:
        """What `make` makes of these facts; made anew only where they were others in the sample before."""
        kept = self._made_before.get(key)
        if kept is None or kept[0] != facts:
            kept = (facts, make())
        self._made_now[key] = kept
        found: T = kept[1]
        return found
