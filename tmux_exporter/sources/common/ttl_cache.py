"""Cache with a TTL of 60 seconds or more, for values that rarely change."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TTL_SECONDS = 60.0
PATIENT_SECONDS = 8 * TTL_SECONDS

_FEW = 100


class _Kept(NamedTuple, Generic[V]):
    until: float
    ttl: float
    value: V | None


class TtlCache(Generic[K, V]):
    """The result of `read` for each key, at most a minute old; None where `read` failed.

    A value that was read twice alike is kept twice as long, up to `longest` seconds.
    """

    def __init__(self, read: Callable[[K], V | None], longest: float = TTL_SECONDS) -> None:
        self._read = read
        self._longest = longest
        self._values: dict[K, _Kept[V]] = {}
        self._sweep_at = 0.0

    def get(self, key: K, now: float) -> V | None:
        """The value of `key` at the monotonic time `now`."""
        if now >= self._sweep_at:
            self._values = {
                each: kept for each, kept in self._values.items() if kept.until + TTL_SECONDS > now
            }
            self._sweep_at = now + self._longest
        kept = self._values.get(key)
        if kept is None or kept.until <= now:
            try:
                value = self._read(key)
            except (OSError, ValueError):
                value = None
            same = kept is not None and value is not None and value == kept.value
            ttl = min(self._longest, 2 * kept.ttl) if same and kept is not None else TTL_SECONDS
            kept = self._values[key] = _Kept(now + ttl, ttl, value)
        return kept.value

    def known(self, keys: Iterable[K], now: float) -> dict[K, V]:
        """The values of those keys that have one."""
        found = {key: self.get(key, now) for key in keys}
        # Drop old entries: keys of processes that ended are never asked for again.
        if len(self._values) > 2 * len(found) + _FEW:
            self._values = {key: self._values[key] for key in found}
        return {key: value for key, value in found.items() if value is not None}
