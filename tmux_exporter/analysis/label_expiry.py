"""Expiry of labels that are no longer shown: how long the exporter keeps the counters under them.

A session may be created again, an agent may come back. For a while its label continues from its last value,
so that a series loses nothing between two scrapes. Later it starts at 0, which PromQL reads as a reset.
"""

from collections.abc import Collection, Container, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

KEPT_SECONDS = 15 * 60.0
"""Longer than any interval between two scrapes."""

MAX_LABELS = 10_000
"""Labels that are kept; beyond this, the label that disappeared first expires."""


class LabelExpiry(Generic[K]):
    """When each label disappeared; ask once per sample, in order."""

    def __init__(self) -> None:
        self._since: dict[K, float] = {}
        self._shown: Container[K] | None = None

    def expired(self, counted: Collection[K], shown: Container[K], at: float) -> list[K]:
        """The `counted` labels that expire at the monotonic time `at`.

        Where `shown` is the same object as in the last call, only labels that are due are checked.
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
