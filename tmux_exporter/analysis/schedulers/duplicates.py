"""Duplicate schedulers: pending ones whose keys and panes are those of a newer scheduler."""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from tmux_exporter.facts.process import ProcessId

SAME_TIME_SECONDS = 60.0
"""Two schedulers due within this time count as due at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScheduler:
    """A scheduler that will fire. `keys` identifies its keys and panes, `wait` its sleep.

    `since` is its start in ticks: the later one is newer; of two with the same start, the larger pid.
    """

    process: ProcessId
    since: int
    keys: Hashable
    wait: Hashable
    due: float

    @property
    def age(self) -> tuple[int, int]:
        """Larger for a newer one."""
        return self.since, self.process.pid


def find_duplicates(entries: Iterable[PendingScheduler], within: float) -> dict[ProcessId, ProcessId]:
    """Maps each entry with a newer duplicate to that duplicate; the newest of all is never a key.

    A duplicate sends the same keys to the same panes, and either has the same sleep and is due less than
    `within` seconds later, or is due at the same time.
    """
    found: dict[ProcessId, ProcessId] = {}
    by_keys: dict[Hashable, list[PendingScheduler]] = {}
    by_wait: dict[Hashable, list[PendingScheduler]] = {}
    for entry in entries:
        by_keys.setdefault(entry.keys, []).append(entry)
        by_wait.setdefault((entry.keys, entry.wait), []).append(entry)
    for alike in by_keys.values():
        if len(alike) > 1:
            found.update(_near(sorted(alike, key=lambda entry: entry.due)))
    for alike in by_wait.values():
        alike.sort(key=lambda entry: entry.age)
        for older, newer in pairwise(alike):
            if abs(newer.due - older.due) < within:
                found[older.process] = newer.process
    return found


def _near(ordered: list[PendingScheduler]) -> dict[ProcessId, ProcessId]:
    """Entries, sorted by due time, that have a newer one due at the same time."""
    found: dict[ProcessId, ProcessId] = {}
    # A monotonic queue of entries within reach of the current one: the first is the newest in reach.
    window: deque[PendingScheduler] = deque()
    ahead = 0
    for entry in ordered:
        while ahead < len(ordered) and ordered[ahead].due - entry.due < SAME_TIME_SECONDS:
            while window and window[-1].age < ordered[ahead].age:
                window.pop()
            window.append(ordered[ahead])
            ahead += 1
        while entry.due - window[0].due >= SAME_TIME_SECONDS:
            window.popleft()
        if window[0].process != entry.process:
            found[entry.process] = window[0].process
    return found
