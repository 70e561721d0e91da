"""Cache with a TTL of 60 seconds, for values that rarely change."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TTL_SECONDS = 60.0

_FEW = 100


class TtlCache(Generic[K, V]):
    """The result of `read` for each key, at most a minute old; None where `read` failed."""

    def __init__(self, read: Callable[[K], V | None]) -> None:
        self._read = read
        self._values: dict[K, tuple[float, V | None]] = {}
        self._sweep_at = 0.0

    def get(self, key: K, now: float) -> V | None:
        """The value of `key` at the monotonic time `now`."""
        if now >= self._sweep_at:
            self._values = {each: kept for each, kept in self._values.items() if kept[0] > now}
            self._sweep_at = now + TTL_SECONDS
        kept = self._values.get(key)
        if kept is None or kept[0] <= now:
            try:
                value = self._read(key)
            except (OSError, ValueError):
                value = None
            kept = self._values[key] = (now + TTL_SECONDS, value)
        return kept[1]

    def known(self, keys: Iterable[K], now: float) -> dict[K, V]:
        """The values of those keys that have one."""
        found = {key: self.get(key, now) for key in keys}
        # Drop old entries: keys of processes that ended are never asked for again.
        if len(self._values) > 2 * len(found) + _FEW:
            self._values = {key: self._values[key] for key in found}
        return {key: value for key, value in found.items() if value is not None}
