"""Check each `pane_pid` of a listing against the process table; pure.

A tmux server is only a program of the same user. A wrong pid, by error or on purpose, would make us account
or end an unrelated process. The kernel decides: the process of a pane is a child of the server.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, QueryFailure
from tmux_exporter.sources.tmux.server import Server, tmux_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A listing without the pids that failed the check.

    `proven` are pane processes that are, or were in an earlier sample, children of the server; `lies` says
    which claims contradict the table, empty if none do.
    """

    listing: Listing
    proven: frozenset[ProcessId]
    lies: str = ""


class PaneChecks:
    """Believes servers sample by sample; checks a listing again where it or a process in it has changed."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._sound: dict[ProcessId, tuple[Sequence[Pane], frozenset[int]]] = {}

    def believe_all(
        self, servers: Iterable[Server], table: ProcessTable
    ) -> list[tuple[Server, Listing | None]]:
        """Each server with its proven panes, and its listing without pids that failed the check."""
        before, self._before = self._before, table.processes
        pids = changed_since(before, table)
        moved = {pid for pid in pids if _kin(before.get(pid)) != _kin(table.processes.get(pid))}
        sound, self._sound = self._sound, {}
        return [self._believe(server, table, moved, sound) for server in servers]

    def _believe(
        self,
        server: Server,
        table: ProcessTable,
        moved: Set[int],
        sound: Mapping[ProcessId, tuple[Sequence[Pane], frozenset[int]]],
    ) -> tuple[Server, Listing | None]:
        if server.listing is None:
            return server, None
        key, panes = server.listing.server, server.listing.panes
        known = sound.get(key)
        if known is not None and known[0] is panes and moved.isdisjoint(known[1]):
            self._sound[key] = known
            return server, server.listing
        found = believe(server, table)
        if found[1] is server.listing and table.complete:
            self._sound[key] = panes, frozenset((key.pid, *(each.pid for each in panes if each.pid)))
        return found


def _kin(process: Process | None) -> object:
    return process and (process.id, process.ppid)


def believe(server: Server, table: ProcessTable) -> tuple[Server, Listing | None]:
    """The server with its proven panes, and its listing without pids that failed the check."""
    if server.listing is None:
        return server, None
    checked = check_panes(server.listing, table, server.pane_processes)
    server = replace(server, pane_processes=checked.proven)
    # A pid in an older listing may have been reused: only a fresh listing can contradict the table.
    if checked.lies and server.up and server.queries:
        server = replace(
            server,
            problem=tmux_problem(QueryFailure.UNTRUSTED, checked.lies),
            queries=(*server.queries[:-1], replace(server.queries[-1], failure=QueryFailure.UNTRUSTED)),
        )
    return server, checked.listing


def check_panes(listing: Listing, table: ProcessTable, proven: frozenset[ProcessId]) -> Checked:
    """Accept a pane's pid only if it is, or was in an earlier sample, a child of the server, of any user.

    `proven` are those of earlier samples. A pid that is not in the table is newer than the table or has
    ended: unknown, but no contradiction.
    """
    kept: dict[int, ProcessId] = {}
    lies: list[Pane] = []
    panes = []
    for pane in listing.panes:
        process = table.processes.get(pane.pid) if pane.pid is not None else None
        verdict = _is_pane(process, listing.server, table.processes, proven) if process else False
        if process is not None and verdict and process.id.pid not in kept:
            kept[process.id.pid] = process.id
            panes.append(pane)
            continue
        if process is not None and (verdict or process.ppid != listing.server.pid):
            lies.append(pane)
        panes.append(pane if pane.pid is None else replace(pane, pid=None))
    claimed = {pane.pid for pane in listing.panes}
    unseen = {p for p in proven if p.pid in claimed and not table.complete and p.pid not in table.processes}
    unchanged = all(new is old for new, old in zip(panes, listing.panes, strict=True))
    return Checked(
        listing=listing if unchanged else replace(listing, panes=tuple(panes)),
        proven=frozenset(kept.values()) | unseen,
        lies=_reason(lies),
    )


def _is_pane(
    process: Process,
    server: ProcessId,
    processes: Mapping[int, Process],
    proven: frozenset[ProcessId],
) -> bool:
    if process.id in proven:
        return True
    parent = processes.get(server.pid)
    same_server = parent is not None and parent.id == server
    return same_server and process.ppid == server.pid


def _reason(lies: list[Pane]) -> str:
    if not lies:
        return ""
    first = lies[0]
    more = f", and {len(lies) - 1} more" if len(lies) > 1 else ""
    return f"pane {first.id} claims process {first.pid}, which is not its own{more}"
