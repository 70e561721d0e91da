"""Which counters of a closed list (states, kinds) are shown: those under which something has counted.

A counter of a session or agent that was never in this state, or never had this kind, would be 0 for ever. It
appears as 0 in the first sample in which something can count under it, and stays as long as its labels.
"""

from collections.abc import Container, Hashable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from tmux_exporter.analysis.label_expiry import LabelExpiry

K = TypeVar("K", bound=Hashable)


class Appeared(Generic[K]):
    """The keys that have appeared; call `observe` once per sample, in order.

    `version` changes whenever the keys do.
    """

    def __init__(self) -> None:
        self.version = 0
        self._keys: set[K] = set()
        self._new: AbstractSet[K] = frozenset()
        self._active: AbstractSet[K] | None = None
        self._expiry: LabelExpiry[K] = LabelExpiry()

    def observe(self, active: AbstractSet[K], shown: Container[K], at: float) -> None:
        """Note one sample, taken at the monotonic time `at`.

        Something counts under the `active` keys from this sample on. Keys that are not `shown` are forgotten
        when their counters are. Where `active` is the same object as in the last sample, none is new.
        """
        self._new = frozenset() if active is self._active else active - self._keys
        self._active = active
        expired = self._expiry.expired(self._keys, shown, at)
        if self._new or expired:
            self.version += 1
            self._keys |= self._new
            self._keys.difference_update(expired)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def value(self, key: K, counted: float) -> float:
        """What the counter of a key that has appeared shows: 0 in its first sample, then what was `counted`.

        What counted in the first sample shows in the second, so that `increase()` sees it.
        """
        return 0.0 if key in self._new else counted
