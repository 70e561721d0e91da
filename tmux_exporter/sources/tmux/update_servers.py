"""Update the known tmux servers with the findings of one sample; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tmux_exporter.facts.process import Problem, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.listeners import Listener
from tmux_exporter.sources.tmux.server import (
    FORGET_AFTER,
    QueryOutcome,
    Server,
    after,
    ended,
    failing,
    is_gone,
    is_stopped,
    tmux_problem,
)
from tmux_exporter.sources.tmux.socket_files import PathState, SocketPath

_FAILURE_AT = {
    PathState.MISSING: QueryFailure.NOSERVER,
    PathState.PLAIN: QueryFailure.NOSERVER,
    PathState.FOREIGN: QueryFailure.UNTRUSTED,
    PathState.LINK: QueryFailure.UNTRUSTED,
    PathState.UNREADABLE: QueryFailure.DENIED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The findings of one sample; `sites` and `outcomes` are by path, `now` is monotonic."""

    now: float
    table: ProcessTable
    sites: Mapping[str, SocketPath]
    listeners: Mapping[ProcessId, Listener]
    outcomes: Mapping[str, QueryOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedServers:
    """All servers after a sample; `stale_sockets` counts socket files without a server, now and before."""

    servers: tuple[Server, ...]
    stale_sockets: int
    problems: tuple[Problem, ...]


def update_servers(
    servers: Sequence[Server], findings: Findings, *, hold: float, interval: float
) -> UpdatedServers:
    """The servers after a sample.

    `hold`: seconds for which the listing of a server that does not answer is kept. `interval`: the shortest
    pause after a failure.
    """
    ledger = _ServerUpdate(servers, findings, interval)
    bound = {listener.path for listener in findings.listeners.values()}

    def rank(path: str) -> tuple[bool, bool, str]:
        # Servers that answered come first, before one is assumed at a path; a server that answers at two
        # paths is entered under the path to which it was bound.
        outcome = findings.outcomes.get(path)
        return outcome is None or outcome.process is None, path not in bound, path

    for path in sorted(findings.sites, key=rank):
        ledger.visit(findings.sites[path], findings.outcomes.get(path))
    ledger.add_unheard_listeners()
    ledger.end_the_gone()
    ledger.promote()
    return UpdatedServers(
        servers=tuple(_aged(server, findings, hold) for server in ledger.servers()),
        stale_sockets=ledger.stale,
        problems=tuple(ledger.problems),
    )


class _ServerUpdate:
    """The servers during the update: each path has at most one holder, and any number of hidden servers."""

    def __init__(self, servers: Sequence[Server], findings: Findings, interval: float) -> None:
        fresh = [replace(server, queries=()) for server in servers]
        self.holders = {server.path: server for server in fresh if server.holds_path}
        self.hidden = {s.process: s for s in fresh if not s.holds_path and s.process is not None}
        self.findings = findings
        self.interval = interval
        self.heard: set[ProcessId] = set()
        self.stale = 0
        self.problems: list[Problem] = []

    def servers(self) -> list[Server]:
        """All of them, holders by path first."""
        behind = sorted(self.hidden.values(), key=lambda s: (s.path, s.process or ()))
        return [self.holders[path] for path in sorted(self.holders)] + behind

    def visit(self, site: SocketPath, outcome: QueryOutcome | None) -> None:
        """Enter what was found at one path."""
        if outcome is not None and outcome.process is not None:
            self._heard_of(site.path, outcome.process, outcome)
        elif outcome is not None and outcome.failure is not None:
            self._refused(site.path, outcome.failure, outcome)
        elif site.state is not PathState.SOCKET:
            self._not_asked(site, _FAILURE_AT[site.state])

    def _heard_of(self, path: str, process: ProcessId, outcome: QueryOutcome) -> None:
        if process in self.heard:
            return
        self.heard.add(process)
        server = self._take(process) or Server(path=path, process=process)
        self._displace(path)
        self.holders[path] = after(replace(server, path=path, holds_path=True), outcome, self.interval)

    def _take(self, process: ProcessId) -> Server | None:
        for path, holder in self.holders.items():
            if holder.process == process:
                return self.holders.pop(path)
        return self.hidden.pop(process, None)

    def _displace(self, path: str) -> None:
        """Free a path: a server that still listens becomes hidden, another one is forgotten."""
        old = self.holders.pop(path, None)
        if old is None or old.process is None or old.ended_at is not None:
            return
        # The table may be older than a restart; the listeners are current.
        if old.process in self.findings.listeners:
            self.hidden[old.process] = replace(old, holds_path=False)

    def _refused(self, path: str, failure: QueryFailure, outcome: QueryOutcome) -> None:
        """Enter a query that found no peer."""
        server = self._holder(path)
        if failure is QueryFailure.NOSERVER:
            if server is not None and server.process is not None:
                self.holders[path] = after(server, outcome, self.interval)
            elif self._ended_holder(path) is None:
                self.holders.pop(path, None)
                self.stale += 1
        elif failure is QueryFailure.DENIED and server is None:
            if self._ended_holder(path) is None:
                self.problems.append(tmux_problem(failure, f"{path}: {outcome.detail}"))
        else:
            server = server or Server(path=path, process=None)
            self.holders[path] = after(server, outcome, self.interval)

    def _not_asked(self, site: SocketPath, failure: QueryFailure) -> None:
        """Enter a path that must not or cannot be queried."""
        server = self._holder(site.path)
        detail = site.detail or site.state.value
        if site.state is PathState.FOREIGN and self._ended_holder(site.path) is None:
            server = server or Server(path=site.path, process=None)
            outcome = QueryOutcome(
                process=None,
                at=self.findings.now,
                seconds=0.0,
                failure=failure,
                detail=f"never asked: {detail}",
            )
            self.holders[site.path] = after(server, outcome, self.interval)
        elif server is not None and server.process is not None:
            self.holders[site.path] = failing(server, failure, detail)
        elif self._ended_holder(site.path) is None:
            self.holders.pop(site.path, None)
            if site.state is PathState.PLAIN:
                self.stale += 1
            elif site.state is not PathState.MISSING:
                self.problems.append(tmux_problem(failure, f"{site.path}: {detail}"))

    def _holder(self, path: str) -> Server | None:
        """The living holder of a path, or the one process that is known to listen there."""
        holder = self.holders.get(path)
        if holder is not None and holder.ended_at is None:
            return holder
        placed = {other.process for other in self.holders.values()}
        listeners = self.findings.listeners.items()
        claimers = [p for p, listener in listeners if listener.path == path and p not in placed]
        if len(claimers) != 1:
            return None
        known = self.hidden.pop(claimers[0], None)
        return replace(known, path=path, holds_path=True) if known else Server(path=path, process=claimers[0])

    def _ended_holder(self, path: str) -> Server | None:
        holder = self.holders.get(path)
        return holder if holder is not None and holder.ended_at is not None else None

    def add_unheard_listeners(self) -> None:
        """Enter the servers that listen but did not answer at their path."""
        known = {holder.process for holder in self.holders.values()} | set(self.hidden)
        for process, listener in self.findings.listeners.items():
            if process not in known:
                self.hidden[process] = Server(path=listener.path, process=process, holds_path=False)

    def end_the_gone(self) -> None:
        """Separate servers that ended from living ones that cannot be reached."""
        for path, holder in list(self.holders.items()):
            if holder.process is None or holder.ended_at is not None or holder.up:
                continue
            if is_gone(holder.process, self.findings.table):
                if _reason(holder) is QueryFailure.NOSERVER or self._never_asked(path):
                    self.holders[path] = ended(holder, self.findings.now)
            elif _reason(holder) is QueryFailure.NOSERVER:
                self.holders[path] = failing(holder, QueryFailure.NOSERVER, self._why_unreached(holder))
        for process, server in list(self.hidden.items()):
            if is_gone(process, self.findings.table):
                del self.hidden[process]
            else:
                self.hidden[process] = failing(server, QueryFailure.NOSERVER, self._why_unreached(server))

    def _never_asked(self, path: str) -> bool:
        site = self.findings.sites.get(path)
        return site is not None and site.state in (PathState.FOREIGN, PathState.LINK)

    def _why_unreached(self, server: Server) -> str:
        listener = self.findings.listeners.get(server.process) if server.process else None
        if server.process is None or listener is None:
            return "its process lives, but nothing answers at its socket"
        if not listener.same_mounts:
            return "it lives in another mount namespace, where its socket is another file"
        if not server.holds_path and server.path in self.holders:
            return (
                "another server took its socket's place; "
                f"`kill -USR1 {server.process.pid}` takes it back, and hides the other one"
            )
        site = self.findings.sites.get(server.path)
        what = "missing" if site is None or site.state is PathState.MISSING else "no longer its own"
        return f"its socket file is {what}; `kill -USR1 {server.process.pid}` makes it anew"

    def promote(self) -> None:
        """Give a path without a living holder to a hidden server."""
        for process, server in list(self.hidden.items()):
            holder = self.holders.get(server.path)
            if holder is None or holder.ended_at is not None:
                alone = replace(self.hidden.pop(process), holds_path=True)
                self.holders[server.path] = failing(alone, QueryFailure.NOSERVER, self._why_unreached(alone))
        for path, holder in list(self.holders.items()):
            if holder.ended_at is not None and self.findings.now - holder.ended_at >= FORGET_AFTER:
                del self.holders[path]


def _reason(server: Server) -> QueryFailure | None:
    return QueryFailure(server.problem.reason) if server.problem else None


def _aged(server: Server, findings: Findings, hold: float) -> Server:
    """The server without a listing that is too old."""
    stopped = is_stopped(server.process, findings.table)
    listing = server.listing
    if listing is not None and not server.up and findings.now - listing.taken_at > hold:
        listing = None
    if stopped is server.stopped and listing is server.listing:
        return server
    return replace(server, stopped=stopped, listing=listing)
