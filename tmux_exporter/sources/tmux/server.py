"""State of one tmux server between samples: listing, failures, pauses; pure.

A `Server` is one generation: a process that listens, or listened, at a path. Another process at that path is
another Server with a state of its own.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tmux_exporter.facts.label import Label, label_text, suffixed
from tmux_exporter.facts.process import Problem, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Query, QueryFailure, ServerView
from tmux_exporter.sources.tmux.listeners import Listener

FORGET_AFTER = 15 * 60.0
"""Seconds for which an ended server stays in reports."""

BACK_OFF_LIMIT = 60.0
"""Longest pause after a failure, in seconds."""

PACE_SHARE = 0.004
"""Share of one core that our listings may cost a tmux server: while it answers, it serves no pane.

Measured by the lowest of its last costs; the mean is a seventh higher, and must stay below 0.5 %.
"""

PACE_LIMIT = 60.0
"""Longest pause after an answer, in seconds. Only an overloaded server reaches it."""

COSTS_KEPT = 3
"""The lowest of the last costs counts: each of them includes work that the server did for panes."""

_TIRING = frozenset(QueryFailure) - {QueryFailure.NOSERVER, QueryFailure.DENIED}
"""Failures after which the next query waits; the others cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOutcome:
    """The result of one query: a listing or a failure.

    `process` is the peer, None without a connection. `at` is the monotonic time of the query, `cpu_seconds`
    the CPU time of the answer, None if unknown.
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
    """One server. `process` is None only if the process that listens could not be identified.

    `holds_path` is False once another server answers at its path. `listing` is the last complete answer. No
    query is due before `rest_until`; `failures` counts consecutive failures that lengthen the pause.
    `queries` are those of this sample. `pane_processes` were proven to be panes of it.
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
        """The version in its last listing."""
        return self.listing.version if self.listing else None


def tmux_problem(reason: QueryFailure, detail: str) -> Problem:
    """A problem of this source."""
    return Problem(source="tmux", reason=reason.value, detail=detail)


def is_gone(process: ProcessId, table: ProcessTable) -> bool:
    """True if the table proves that the process ended."""
    seen = table.find(process)
    return table.complete and (seen is None or not seen.alive)


def is_stopped(process: ProcessId | None, table: ProcessTable) -> bool:
    """True if the process is stopped by a signal or a debugger: it cannot answer."""
    seen = table.find(process) if process else None
    return seen is not None and seen.state in ("T", "t")


def is_due(
    server: Server | None, path: str, table: ProcessTable, listeners: Mapping[ProcessId, Listener], now: float
) -> bool:
    """True if the holder of a path is due in this sample.

    A pause ends early if the process has ended, lost its path, or was continued.
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
    """The server after an answer or a failure; `interval` is the shortest pause after a failure."""
    queries = (*server.queries, Query(seconds=outcome.seconds, failure=outcome.failure))
    if outcome.failure is None:
        costs = server.costs
        if outcome.cpu_seconds is not None:
            # A server has one thread: it cannot have used more CPU than the time of the answer.
            costs = (*costs, min(outcome.cpu_seconds, outcome.seconds))[-COSTS_KEPT:]
        return replace(
            server,
            up=True,
            listing=outcome.listing,
            problem=None,
            ended_at=None,
            rest_until=outcome.at + min(PACE_LIMIT, min(costs, default=0.0) / PACE_SHARE),
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
        # Samples are a little early or late: a tenth less avoids a pause that is a whole interval longer.
        rest_until=outcome.at + 0.9 * rest,
    )


def failing(server: Server, failure: QueryFailure, detail: str) -> Server:
    """The server if it is known without a query that it cannot be used."""
    return replace(server, up=False, problem=tmux_problem(failure, detail))


def ended(server: Server, now: float) -> Server:
    """The server after the table has proven its end."""
    return replace(
        failing(server, QueryFailure.NOSERVER, "the server ended"),
        ended_at=now,
        listing=None,
        pane_processes=frozenset(),
    )


def view_of(server: Server, label: str, listing: Listing | None) -> ServerView:
    """The view of a server, with the checked part of its listing."""
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


Key = str | ProcessId
"""The holder of a path is labelled by the path, so a restarted server keeps its label; others by process."""

_SWARM = re.compile(r"(claude-swarm)-\d+")


def key_of(server: Server) -> Key:
    """The identity for which a label is kept."""
    return server.path if server.holds_path or server.process is None else server.process


def assign_labels(
    servers: Sequence[Server], default_folders: Sequence[str], given: Mapping[Key, Label]
) -> dict[Key, Label]:
    """A label for each server; `given` are the last sample's, which are kept.

    The first of `default_folders` is the one that the user's own `tmux` uses: its sockets come first.
    """
    labels = {key: given[key] for key in map(key_of, servers) if key in given}
    taken = set(labels.values())

    def rank(server: Server) -> tuple[bool, int, str, ProcessId | tuple[()]]:
        folder = os.path.dirname(server.path)
        place = default_folders.index(folder) if folder in default_folders else len(default_folders)
        return not server.holds_path, place, server.path, server.process or ()

    for server in sorted(servers, key=rank):
        key = key_of(server)
        if key not in labels:
            labels[key] = next(label for label in _names(server.path, default_folders) if label not in taken)
            taken.add(labels[key])
    return labels


def _names(path: str, default_folders: Sequence[str]) -> Iterator[Label]:
    """Labels that fit a path, best first, without end; escaped, because file names may hold any byte."""
    folder, name = os.path.split(path)
    prefix = "" if folder in default_folders else f"{folder}/"
    if swarm := _SWARM.fullmatch(name):
        # A pid in the name would give a new label with every run.
        number = 1
        while True:
            yield suffixed(label_text(prefix + swarm[1]), f"-{number}")
            number += 1
    yield (label := label_text(prefix + name))
    yield label_text(path)
    number = 2
    while True:
        yield suffixed(label, f"#{number}")
        number += 1
