"""Programs that report operations: gaps in their sequence numbers (lost reports), operations in flight."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field

from tmux_exporter.facts.operations import OperationLoss, OperationReport

MOST_STREAMS = 4096
MOST_UNDER_WAY = 1024
"""In one stream; a program with more operations in flight has lost track of them."""

MOST_GAPS = 4096
"""In one stream; beyond this the oldest gap counts as lost at once."""

FARTHEST = 1_000_000
"""A number further ahead of its stream is not one of our clients'."""

GRACE = 1.0
"""Seconds for which a missing number may still arrive: threads and queues reorder reports."""


class Gaps:
    """Missing sequence numbers, as ascending ranges."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def add(self, first: int, last: int) -> int:
        """Add a range above all others; return how many numbers were dropped for it."""
        self._firsts.append(first)
        self._lasts.append(last)
        if len(self._firsts) <= MOST_GAPS:
            return 0
        return self._lasts.pop(0) - self._firsts.pop(0) + 1

    def take(self, number: int) -> bool:
        """Remove a number; False where it is not missing."""
        if number not in self:
            return False
        index = bisect_right(self._firsts, number) - 1
        first, last = self._firsts[index], self._lasts[index]
        parts = [part for part in ((first, number - 1), (number + 1, last)) if part[0] <= part[1]]
        self._firsts[index : index + 1] = [part[0] for part in parts]
        self._lasts[index : index + 1] = [part[1] for part in parts]
        return True


@dataclass(slots=True)
class _Stream:
    """The sequence numbers of one sender: the highest so far, and the missing ones below it.

    `ended_early` are the numbers of missing begin reports whose end report has arrived.
    """

    highest: int = 0
    missing: Gaps = field(default_factory=Gaps)
    overdue: Gaps = field(default_factory=Gaps)
    under_way: dict[int, str] = field(default_factory=dict)
    ended_early: set[int] = field(default_factory=set)
    settled: bool = False


class Streams:
    """Every stream that has reported lately, by the sender's pid and the stream's name."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, str], _Stream] = {}
        self._lost: Counter[OperationLoss] = Counter()
        self._checked_at = 0.0

    def accept(self, report: OperationReport) -> bool:
        """Track one report; False for a repeated one, or one with an impossible number."""
        key = report.pid, report.stream
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= MOST_STREAMS:
                # An untracked end report still counts. A begin report is only useful for tracking.
                if report.end is None:
                    self._lost[OperationLoss.OVERFLOW] += 1
                return True
            if report.judged and report.sequence > FARTHEST:
                return False
            # A sender that started with an earlier exporter began its numbers there.
            stream = self._streams[key] = _Stream(highest=0 if report.judged else report.sequence - 1)
        if not self._number(stream, report.sequence):
            return False
        self._follow(stream, report)
        return True

    def settle(self, running: Set[int] | None, now: float) -> Counter[OperationLoss]:
        """End a sample at the monotonic time `now`; return the reports lost since the last one, by reason.

        `running` are the pids of all processes, None where they are not known; a sender that first reported
        after the last sample may not be among them yet.
        """
        is_due = now - self._checked_at >= GRACE
        for key, stream in list(self._streams.items()):
            if is_due:
                self._lost[OperationLoss.DROPPED] += len(stream.overdue)
                stream.overdue, stream.missing = stream.missing, Gaps()
                stream.ended_early = {number for number in stream.ended_early if number in stream.overdue}
            if running is not None and stream.settled and key[0] and key[0] not in running:
                self._forget(key, stream)
            stream.settled = True
        if is_due:
            self._checked_at = now
        lost, self._lost = self._lost, Counter()
        return lost

    def under_way(self) -> Counter[str]:
        """Number of operations in flight, by name."""
        return Counter(name for stream in self._streams.values() for name in stream.under_way.values())

    def _number(self, stream: _Stream, sequence: int) -> bool:
        if sequence <= stream.highest:
            return stream.missing.take(sequence) or stream.overdue.take(sequence)
        if sequence - stream.highest > FARTHEST:
            return False
        if sequence > stream.highest + 1:
            self._lost[OperationLoss.DROPPED] += stream.missing.add(stream.highest + 1, sequence - 1)
        stream.highest = sequence
        return True

    def _follow(self, stream: _Stream, report: OperationReport) -> None:
        if report.end is not None:
            began = report.end.began
            is_known = stream.under_way.pop(began, None) is not None
            if not is_known and (began in stream.missing or began in stream.overdue):
                stream.ended_early.add(began)
        elif report.sequence in stream.ended_early:
            stream.ended_early.discard(report.sequence)
        elif len(stream.under_way) >= MOST_UNDER_WAY:
            self._lost[OperationLoss.OVERFLOW] += 1
        else:
            stream.under_way[report.sequence] = report.operation

    def _forget(self, key: tuple[int, str], stream: _Stream) -> None:
        """Drop the stream of an ended program: its operations in flight will never finish."""
        self._lost[OperationLoss.UNFINISHED] += len(stream.under_way)
        self._lost[OperationLoss.DROPPED] += len(stream.overdue) + len(stream.missing)
        del self._streams[key]
