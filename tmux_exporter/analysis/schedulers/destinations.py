"""Destination of a scheduler's `tmux send-keys`: which server and which pane would get the keys.

No tmux server is queried; what the listings do not prove stays unknown.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from tmux_exporter.analysis.schedulers.send_keys import Send
from tmux_exporter.analysis.schedulers.tmux_targets import Resolution, TmuxTargetKind, resolve
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, Session, TmuxView


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The result of one send if it ran now: a state that depends on the target, or UNKNOWN.

    `pane` is the resolved target; where `state` is UNKNOWN it comes from a held listing, for labels only.
    `socket` is the canonical path without a server, where `state` is SERVERLESS.
    """

    state: SchedulerState
    reason: str
    view: ServerView | None = None
    pane: PaneKey | None = None
    socket: str | None = None


@dataclass(frozen=True, slots=True)
class _Address:
    """A socket path, and the pid of the server that gave it where it comes from a TMUX variable."""

    socket: str
    pid: int | None = None


class ServerIndex:
    """The tmux servers of one sample, by their sockets and processes."""

    def __init__(self, table: ProcessTable, view: TmuxView, default_socket: str) -> None:
        """`default_socket` is tmux's own default for this uid when TMUX_TMPDIR is not set."""
        self._table = table
        self._view = view
        self._default_socket = default_socket
        # Of two servers with one path, the one that answers owns the file; the other's socket was deleted.
        by_liveness = sorted(view.servers, key=lambda each: each.up)
        self._by_socket = {posixpath.normpath(each.socket): each for each in by_liveness}
        self._by_pid = {each.process.pid: each for each in view.servers if each.process is not None}
        self._panes: dict[PaneKey, Pane] = {
            PaneKey(each.listing.server, pane.id): pane
            for each in view.servers
            if each.listing is not None
            for pane in each.listing.panes
        }

    @property
    def taken_at(self) -> float | None:
        """Monotonic time of the search for servers."""
        return self._view.taken_at

    def pane(self, key: PaneKey | None) -> Pane | None:
        """A listed pane, fresh or held."""
        return self._panes.get(key) if key is not None else None

    def session(self, key: PaneKey) -> Session | None:
        """The session that a listed pane belongs to."""
        pane, view = self._panes.get(key), self._by_pid.get(key.server.pid)
        if pane is None or view is None or view.listing is None:
            return None
        return next((each for each in view.listing.sessions if each.id == pane.session_id), None)

    def destination(self, send: Send, process: Process, since: ProcessId) -> Destination:
        """The destination of `send` in the shell `process`, a scheduler since the start of `since`."""
        own = self._table.namespaces
        if own and process.namespaces and process.namespaces.pid != own.pid:
            return _unknown("it runs in a pid namespace of its own, as in a container")
        address = _address(send, process, self._default_socket)
        if not isinstance(address, _Address):
            return _unknown(address)
        view = self._view_at(address)
        if view is None:
            return self._without_server(address, process)
        if not self._same_mounts(process, view):
            return _unknown("its tmux server has other mounts, so its socket may be another file", view)
        if view.ended:
            reason = "its tmux server has ended"
            return Destination(state=SchedulerState.SERVERLESS, reason=reason, view=view, socket=view.socket)
        listing, server = view.listing, view.process
        resolution = resolve(send.target, listing) if listing is not None else None
        pane = (
            PaneKey(listing.server, resolution.pane_id)
            if listing and resolution and resolution.pane_id
            else None
        )
        if not view.up or listing is None or resolution is None or server is None:
            why = f" ({view.problem.reason})" if view.problem is not None else ""
            return _unknown(f"its tmux server does not answer now{why}", view, pane)
        older = process.id.start_ticks < server.start_ticks
        if address.pid is not None and (address.pid != server.pid or older):
            if not older and self._may_live(address.pid, process):
                return _unknown(
                    "its TMUX variable names another process than the server at that socket", view
                )
            reason = "its tmux server is gone and another one has the same socket"
            return Destination(state=SchedulerState.STALE_GENERATION, reason=reason, view=view, pane=pane)
        fresh = self._is_after(listing, since)
        return self._judged(resolution, view, pane, older=older, fresh=fresh)

    def _view_at(self, address: _Address) -> ServerView | None:
        view = self._by_socket.get(posixpath.normpath(address.socket))
        if view is None and (canonical := self._canonical(address.socket)) is not None:
            view = self._by_socket.get(canonical)
        if view is None and address.pid is not None:
            # The path in TMUX may be relative or contain a symlink; the server's pid identifies it as well.
            view = self._by_pid.get(address.pid)
        return view

    def _canonical(self, socket: str) -> str | None:
        """The canonical path of a socket, where only known servers can listen."""
        path, canonical_paths = posixpath.normpath(socket), self._view.canonical_paths
        folder, name = posixpath.split(path)
        return canonical_paths.get(path) or (
            posixpath.join(canonical_paths[folder], name) if folder in canonical_paths else None
        )

    def _without_server(self, address: _Address, process: Process) -> Destination:
        """The destination where no known server of this user listens at the socket."""
        if address.pid is not None and self._may_live(address.pid, process):
            return _unknown("its tmux server cannot be looked for: it may be another user's")
        if self._view.problems:
            return _unknown("no tmux server is known at its socket, but not all could be looked for")
        # Another spelling of the path could still reach a server, or another program may listen there.
        canonical = self._canonical(address.socket)
        if canonical is None:
            return _unknown("no tmux server is known at its socket")
        if not self._same_mounts(process, None):
            return _unknown("it has other mounts than the exporter, so its socket may be another file")
        known = address.pid is not None
        reason = "its tmux server has ended" if known else "no tmux server runs at its socket"
        return Destination(state=SchedulerState.SERVERLESS, reason=reason, socket=canonical)

    def _may_live(self, pid: int, process: Process) -> bool:
        """Whether the server whose pid is in a process's TMUX may still run."""
        seen = self._table.processes.get(pid)
        if seen is None or not seen.alive or seen.id.start_ticks > process.id.start_ticks:
            return False
        # Our own processes are readable; one that is no tmux has reused the pid of an ended server.
        ours = seen.uid == process.uid and seen.exe is not None
        named = seen.comm.startswith("tmux") or posixpath.basename(seen.exe or "").startswith("tmux")
        return named or not ours

    def _same_mounts(self, process: Process, view: ServerView | None) -> bool:
        """Whether process and server (or, without a server, the exporter) see the same file at a path."""
        other = self._table.namespaces
        server = view.process if view is not None and not view.ended else None
        if server is not None:
            seen = self._table.find(server)
            other = seen.namespaces if seen is not None else None
        return not (other and process.namespaces) or other.mount == process.namespaces.mount

    def _judged(
        self, resolution: Resolution, view: ServerView, pane: PaneKey | None, *, older: bool, fresh: bool
    ) -> Destination:
        match resolution.kind:
            case TmuxTargetKind.UNSUPPORTED:
                return _unknown(f"a target cannot be judged: {resolution.reason}", view)
            case TmuxTargetKind.NONE if not fresh:
                # The session may have been created between that listing and the scheduler.
                return _unknown("a target is missing in a listing older than the scheduler", view)
            case TmuxTargetKind.NONE if older:
                return _unknown("a target is missing in a server younger than the scheduler", view)
            case TmuxTargetKind.NONE:
                reason = f"no target exists: {resolution.reason}"
                return Destination(state=SchedulerState.DANGLING, reason=reason, view=view)
            case TmuxTargetKind.PREFIX | TmuxTargetKind.FNMATCH:
                how = "the beginning of" if resolution.kind is TmuxTargetKind.PREFIX else "a pattern for"
                reason = f"a target is not there itself; tmux takes it as {how} another name"
                return Destination(state=SchedulerState.MISDIRECTED, reason=reason, view=view, pane=pane)
            case TmuxTargetKind.ID | TmuxTargetKind.EXACT:
                there = self.pane(pane)
                reason = (
                    "a target's pane is dead and reads nothing"
                    if there and there.dead
                    else "its target is there"
                )
                return Destination(state=SchedulerState.ARMED, reason=reason, view=view, pane=pane)

    def _is_after(self, listing: Listing, since: ProcessId) -> bool:
        """Whether a process existed when a listing was taken, so that the listing proves an absence.

        A big server is not listed in every sample. Ticks since boot include time in suspend and the monotonic
        clock does not, so an error means "not proven".
        """
        started = since.start_ticks / self._table.clock_ticks_per_second
        return listing.taken_at >= self._table.taken_at or started < listing.taken_at

    def origin_gone(self, process: Process, since: ProcessId) -> bool:
        """Whether the pane that started `process` is proven to be gone while its server runs."""
        pid, pane = _tmux_pid(process.environ or {}), (process.environ or {}).get("TMUX_PANE")
        view = self._by_pid.get(pid) if pid is not None else None
        if not pane or view is None or not view.up or view.listing is None:
            return False
        server, listing = view.listing.server, view.listing
        proven = self._is_after(listing, since) and server.start_ticks <= process.id.start_ticks
        return proven and PaneKey(server, pane) not in self._panes


def _unknown(reason: str, view: ServerView | None = None, pane: PaneKey | None = None) -> Destination:
    return Destination(state=SchedulerState.UNKNOWN, reason=reason, view=view, pane=pane)


def _address(send: Send, process: Process, default_socket: str) -> _Address | str:
    """The socket that tmux would use, in tmux's own order; else a text with the reason why it is unknown."""
    if send.socket is not None:
        return _Address(send.socket)
    environ = process.environ
    if environ is None:
        return "its environment is not readable, so its server is not known"
    folder = posixpath.dirname(default_socket)
    if environ.get("TMUX_TMPDIR"):
        folder = f"{environ['TMUX_TMPDIR']}/tmux-{process.uid}"
    if send.label is not None:
        return _Address(f"{folder}/{send.label}")
    # tmux ignores a TMUX that is empty or begins with a comma.
    socket = environ.get("TMUX", "").split(",")[0]
    if not socket:
        return _Address(f"{folder}/{posixpath.basename(default_socket)}")
    pid = _tmux_pid(environ)
    return _Address(socket, pid) if pid is not None else "its TMUX variable names no server process"


def _tmux_pid(environ: Mapping[str, str]) -> int | None:
    """The second field of TMUX=socket,server pid,session."""
    fields = environ.get("TMUX", "").split(",")
    digits = len(fields) > 1 and fields[1].isascii() and fields[1].isdecimal()
    return int(fields[1]) if digits and len(fields[1]) < 12 else None
