"""Lookup of tmux servers, pane processes and terminals by process, and whether a pane still exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import SERVER_COMM, Listing, PaneKey, ServerView, TmuxView


class Presence(StrEnum):
    """Whether a pane exists; `GONE` needs a listing that is newer than the process table."""

    HERE = "here"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """A tmux server process of the table.

    `socket` is None for a server that only its process name shows. `panes` are the pane ids of its `listing`,
    held or not. `fresh`: the listing was taken after the table, so a pane missing from it is gone. `ended`:
    the server was found dead after the table was read.
    """

    process: Process
    socket: str | None = None
    listing: Listing | None = None
    panes: frozenset[str] = frozenset()
    fresh: bool = False
    ended: bool = False

    @property
    def id(self) -> ProcessId:
        """Identity of the server process."""
        return self.process.id


class TmuxLookup:
    """The servers, pane processes and panes of one sample.

    `servers` are by pid; `foreign` are pids of tmux servers of other users. `roots` maps pids of pane
    processes to their panes, `ttys` terminals to pane processes. `listed` are all pids that a listing claims.
    """

    def __init__(self, table: ProcessTable, view: TmuxView) -> None:
        self._table = table
        self.servers: dict[int, LiveServer] = {}
        self.foreign: set[int] = set()
        self.roots: dict[int, PaneKey] = {}
        self.ttys: dict[int, Process] = {}
        self.listed: set[int] = set()
        for known in view.servers:
            self._add_server(known)
        self._add_nameless()
        for server in self.servers.values():
            self._add_roots(server)

    def move_to(self, table: ProcessTable) -> None:
        """Ask a later table, in which servers and pane processes are what they were, about all others."""
        self._table = table

    def server_facts(self) -> Mapping[int, object]:
        """What each server is, whatever its panes are."""
        return {
            pid: (each.id, each.socket, each.ended, pid in self.foreign) for pid, each in self.servers.items()
        }

    def presence(self, key: PaneKey) -> Presence:
        """Whether a pane exists."""
        server = self.servers.get(key.server.pid)
        if server is None or server.id != key.server:
            return Presence.GONE if self.has_ended(key.server) else Presence.UNKNOWN
        if key.pane in server.panes and not server.ended:
            return Presence.HERE
        return Presence.GONE if server.fresh or server.ended else Presence.UNKNOWN

    def has_ended(self, server: ProcessId) -> bool:
        """Whether a server is known to have ended; a complete process table proves it without tmux."""
        live = self.servers.get(server.pid)
        if live is not None and live.id == server:
            return live.ended
        process = self._table.find(server)
        return self._table.complete and (process is None or not process.alive)

    def _add_server(self, known: ServerView) -> None:
        if known.process is None:
            return
        process = self._table.find(known.process)
        if process is None or not process.alive:
            return
        listing = known.listing if known.listing and known.listing.server == process.id else None
        fresh = known.up and listing is not None and listing.taken_at >= self._table.taken_at
        other = self.servers.get(process.id.pid)
        # One server may have two socket files: the better answer counts.
        if other is None or (fresh and not other.fresh):
            self.servers[process.id.pid] = LiveServer(
                process=process,
                socket=known.socket,
                listing=listing,
                panes=frozenset(pane.id for pane in listing.panes) if listing else frozenset(),
                fresh=fresh,
                ended=known.ended,
            )

    def _add_nameless(self) -> None:
        uids = {server.process.uid for server in self.servers.values()}
        for pid, process in self._table.processes.items():
            if process.comm == SERVER_COMM and pid not in self.servers and process.alive:
                self.servers[pid] = LiveServer(process=process)
                # Only root can read the environment of another user's process.
                others = process.environ is None or self._table.uid not in (None, process.uid)
                if process.uid not in uids and others:
                    self.foreign.add(pid)

    def _add_roots(self, server: LiveServer) -> None:
        for pane in server.listing.panes if server.listing else ():
            self.listed.add(pane.pid or 0)
            process = self._table.processes.get(pane.pid) if pane.pid and not pane.dead else None
            if process is None or not self._is_root(process, pane.id, server):
                continue
            self.roots[process.id.pid] = PaneKey(server.id, pane.id)
            older = self.ttys.get(process.tty)
            if process.tty and (older is None or older.id.start_ticks < process.id.start_ticks):
                self.ttys[process.tty] = process

    @staticmethod
    def _is_root(process: Process, pane: str, server: LiveServer) -> bool:
        # A server may report any pid; only the kernel proves that the process is its child.
        if process.ppid != server.id.pid or process.id.start_ticks < server.id.start_ticks:
            return False
        # With an old listing the pid may belong to another pane of the same server by now.
        return server.fresh or environment(process).get("TMUX_PANE", pane) == pane


def environment(process: Process) -> Mapping[str, str]:
    """The kept environment of a process, empty where it could not be read."""
    return process.environ or {}
