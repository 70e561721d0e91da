"""What is remembered of one tmux server from sample to sample; pure.

A `Server` is one generation: a process that listens, or listened, at a path. Another process at that path is
another Server, and nothing of the old one is joined with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmux_exporter.facts.process import Problem, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Query, QueryFailure, ServerView
from tmux_exporter.sources.tmux.listeners import Listener

FORGET_AFTER = 15 * 60.0
"""Seconds for which an ended server is still shown."""

BACK_OFF_LIMIT = 60.0
"""Longest rest after a failure, in seconds."""

PACE_SHARE = 0.004
"""Share of one core that our listings may cost a tmux server: while it answers, it serves no pane.

By the least of its last costs; their mean is a seventh dearer, and is to stay below 0.5 %.
"""

PACE_LIMIT = 60.0
"""Longest rest after an answer, in seconds. Only a server that is flooded anyway gets there."""

COSTS_KEPT = 3
"""The least of the last costs is taken: what panes made the server do meanwhile is in each of them."""

_TIRING = frozenset(QueryFailure) - {QueryFailure.NOSERVER, QueryFailure.DENIED}
"""Failures after which the next question waits: the others cost nobody anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOutcome:
    """What came of one question: a listing, or a failure.

    `process` is the peer, None where no connection was made. `at` is the monotonic time of the question,
    `cpu_seconds` what answering cost the server, None where that is not known.
    """

    process: ProcessId | None
    at: float
    seconds: float
    listing: Listing | None = None
    failure: QueryFailure | None = None
    detail: str = ""
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server. `process` is None only where somebody listens whom we could not identify.

    `holds_path` is False once another server answers at its path. `listing` is the last complete answer as
    the server gave it. No question is due before `rest_until`; `failures` counts those in a row that call
    for a longer rest. `queries` are this sample's. `pane_processes` were once proven to be panes of it.
    """

    path: str
    process: ProcessId | None
    holds_path: bool = True
    up: bool = False
    listing: Listing | None = None
    problem: Problem | None = None
    ended_at: float | None = None
    rest_until: float = 0.0
    failures: int = 0
    costs: tuple[float, ...] = ()
    stopped: bool = False
    queries: tuple[Query, ...] = ()
    pane_processes: frozenset[ProcessId] = frozenset()

    @property
    def version(self) -> str | None:
        """The version it last gave."""
        return self.listing.version if self.listing else None


def tmux_problem(reason: QueryFailure, detail: str) -> Problem:
    """A problem of this source."""
    return Problem(source="tmux", reason=reason.value, detail=detail)


def is_gone(process: ProcessId, table: ProcessTable) -> bool:
    """True if the table proves that the process ended."""
    seen = table.processes.get(process.pid)
    return table.complete and (seen is None or seen.id != process or not seen.alive)


def is_stopped(process: ProcessId | None, table: ProcessTable) -> bool:
    """True if the process is stopped by a signal or a debugger: it cannot answer."""
    seen = table.processes.get(process.pid) if process else None
    return seen is not None and seen.id == process and seen.state in ("T", "t")


def is_due(
    server: Server | None,
    path: str,
    table: ProcessTable,
    listeners: Mapping[ProcessId, Listener],
    now: float,
) -> bool:
    """True if the holder of a path is to be asked in this sample.

    A rest ends early when the process it was granted to is gone, lost its path, or was continued.
    """
    if server is None or server.ended_at is not None or now >= server.rest_until:
        return True
    if server.process is None:
        return False
    claimers = [process for process, listener in listeners.items() if listener.path == path]
    return (
        is_gone(server.process, table)
        or (bool(claimers) and server.process not in claimers)
        or (server.stopped and not is_stopped(server.process, table))
    )


def after(server: Server, outcome: QueryOutcome, interval: float) -> Server:
    """The server once a question was answered or failed; `interval` is the shortest rest after a failure."""
    queries = (*server.queries, Query(seconds=outcome.seconds, failure=outcome.failure))
    if outcome.failure is None:
        costs = server.costs
        if outcome.cpu_seconds is not None:
            # One thread serves all: it cannot have used more than the time the answer took.
            costs = (*costs, min(outcome.cpu_seconds, outcome.seconds))[-COSTS_KEPT:]
        pace = min(PACE_LIMIT, min(costs, default=0.0) / PACE_SHARE)
        return replace(
            server,
            up=True,
            listing=outcome.listing,
            problem=None,
            ended_at=None,
            rest_until=outcome.at + pace,
            failures=0,
            costs=costs,
            queries=queries,
        )
    failed = failing(server, outcome.failure, outcome.detail)
    if outcome.failure not in _TIRING:
        return replace(failed, queries=queries)
    rest = min(BACK_OFF_LIMIT, interval * 2.0**server.failures)
    return replace(
        failed,
        queries=queries,
        failures=min(server.failures + 1, 16),
        # Samples come a little early or late: a tenth less keeps the rest from growing by a whole interval.
        rest_until=outcome.at + 0.9 * rest,
    )


def failing(server: Server, failure: QueryFailure, detail: str) -> Server:
    """The server once it is known, without a question, that it cannot be used."""
    return replace(server, up=False, problem=tmux_problem(failure, detail))


def ended(server: Server, now: float) -> Server:
    """The server once it is proven that it ended."""
    detail = "the server ended"
    return replace(
        failing(server, QueryFailure.NOSERVER, detail),
        ended_at=now,
        listing=None,
        pane_processes=frozenset(),
    )


def view_of(server: Server, label: str, listing: Listing | None) -> ServerView:
    """What is told of a server, with the listing as far as it is to be believed."""
    return ServerView(
        label=label,
        socket=server.path,
        process=server.process,
        up=server.up,
        ended=server.ended_at is not None,
        listing=listing,
        problem=server.problem,
        queries=server.queries,
    )
