"""Counters of tmux queries: latency and failures by server since the exporter's start."""

from dataclasses import dataclass, field

from tmux_exporter.analysis.histogram import Buckets
from tmux_exporter.facts.report import Histogram
from tmux_exporter.facts.tmux import Query, QueryFailure, ServerView

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


@dataclass(slots=True)
class ServerQueries:
    """The queries of one server: latency, and failures by reason."""

    seconds: Buckets = field(default_factory=lambda: Buckets(BOUNDS))
    failures: dict[QueryFailure, int] = field(default_factory=lambda: dict.fromkeys(QueryFailure, 0))

    def add(self, query: Query) -> None:
        """Count one query; the latency of a failed query counts too."""
        self.seconds.add(query.seconds)
        if query.failure is not None:
            self.failures[query.failure] += 1

    def durations(self) -> Histogram:
        """The histogram of latencies."""
        return self.seconds.histogram()


class QueryStats:
    """The queries of every shown server, by its label; all counters start at 0."""

    def __init__(self) -> None:
        self._servers: dict[str, ServerQueries] = {}

    def observe(self, servers: tuple[ServerView, ...]) -> None:
        """Add the queries of one sample; drop servers that are no longer shown."""
        self._servers = {view.label: self.of(view.label) for view in servers}
        for view in servers:
            for query in view.queries:
                self._servers[view.label].add(query)

    def of(self, label: str) -> ServerQueries:
        """The queries of one server; all 0 for a label that was never shown."""
        return self._servers.get(label) or ServerQueries()
