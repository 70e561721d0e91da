"""Histogram buckets: counts observations by upper bound, with exemplars."""

from bisect import bisect_left
from itertools import accumulate

from tmux_exporter.facts.report import Exemplar, Histogram


class Buckets:
    """Counts observations by the upper `bounds`; keeps the last exemplar of each bucket."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._exemplars: dict[int, Exemplar] = {}
        self._sum = 0.0

    def add(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Count one observation."""
        index = bisect_left(self._bounds, value)
        self._counts[index] += 1
        self._sum += value
        if exemplar is not None:
            self._exemplars[index] = exemplar

    def histogram(self, *, exemplars: bool = False) -> Histogram:
        """The current counts, cumulative, with or without exemplars."""
        counts = tuple(accumulate(self._counts))
        return Histogram(
            bounds=self._bounds,
            counts=counts[:-1],
            count=counts[-1],
            sum=self._sum,
            exemplars=dict(self._exemplars) if exemplars else {},
        )
