"""Histogram buckets: counts observations by upper bound."""

from tmux_exporter.facts.report import Histogram


class Buckets:
    """Cumulative counts for each of `bounds`, the total count and the sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._count = 0
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one observation."""
        self._count += 1
        self._sum += value
        for place, bound in enumerate(self._bounds):
            self._counts[place] += value <= bound

    def histogram(self) -> Histogram:
        """The current counts."""
        return Histogram(bounds=self._bounds, counts=tuple(self._counts), count=self._count, sum=self._sum)
