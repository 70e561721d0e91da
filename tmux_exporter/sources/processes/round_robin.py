"""Round robin: give each member a turn within a given time, a few at a time."""

import math
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

_SPARE = 100


class Members(Protocol):
    """The living members."""

    def __len__(self) -> int:
        """How many there are."""

    def __contains__(self, member: object, /) -> bool:
        """Whether this one is among them."""


class RoundRobin:
    """Returns each member once within `seconds`, spread evenly over the calls."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._asked_at = -math.inf
        self._credit = 0.0

    def add(self, members: Iterable[int]) -> None:
        """Append these; a member that already waits keeps its place."""
        for member in members:
            self._waiting.setdefault(member, None)

    def due(self, now: float, present: Members) -> list[int]:
        """The members due at the monotonic time `now`. Drops those that are not `present`."""
        # Most short-lived members end long before their turn.
        if len(self._waiting) > 2 * len(present) + _SPARE:
            self._waiting = OrderedDict.fromkeys(each for each in self._waiting if each in present)
        passed = min(1.0, (now - self._asked_at) / self._seconds)
        self._asked_at = now
        self._credit += len(self._waiting) * passed
        # Tolerate the rounding error of a sum of fractions.
        number = min(int(self._credit + 1e-6), len(self._waiting))
        self._credit -= number
        due = []
        for _ in range(number):
            member, _ = self._waiting.popitem(last=False)
            if member in present:
                self._waiting[member] = None
                due.append(member)
        return due
