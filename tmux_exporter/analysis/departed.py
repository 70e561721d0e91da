"""Labels that are not shown any more: for how long what was counted under them is kept.

A session that is made again, an agent that comes back to where it was: for a while the label goes on from
its own last value, so that a series loses nothing between two scrapes. After that it starts at 0, which is
read as a reset.
"""

from collections.abc import Collection, Hashable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

KEPT_SECONDS = 15 * 60.0
"""Longer than any interval between two scrapes."""

MAX_LABELS = 10_000
"""Labels that are kept; beyond, those are forgotten that went first."""


class LabelExpiry(Generic[K]):
    """When each label that is not shown was missed first; ask once per sample, in order."""

    def __init__(self) -> None:
        self._since: dict[K, float] = {}
        self._shown: AbstractSet[K] | None = None

    def expired(self, counted: Collection[K], shown: AbstractSet[K], at: float) -> list[K]:
        """Those of the `counted` labels that are to be forgotten at the monotonic time `at`.

        Where `shown` is the same object as before, only those are looked at that are due.
        """
        if shown is not self._shown:
            self._shown = shown
            since = {key: gone for key, gone in self._since.items() if key not in shown}
            for key in counted:
                if key not in shown:
                    since.setdefault(key, at)
            self._since = since
        found: list[K] = []
        for key, gone in self._since.items():
            if at - gone < KEPT_SECONDS and len(self._since) - len(found) <= MAX_LABELS:
                break
            found.append(key)
        for key in found:
            del self._since[key]
        return found
