"""Which process belongs to which pane, which outlived its pane, and what proves it.

The looks, strongest first, and what each can say:

1. tree: the nearest pane process or tmux server among the living ancestors. A server ends the walk: what it
   started belongs to its own panes or is its job, also when the server itself was started inside a pane.
2. kernel session: its leader's owner, where the tree told that. Only descendants of a leader are in its
   session, and its number is not given away while one of them lives.
3. tty: a process on the terminal of a pane. The number of a terminal goes to the next pane at once, and each
   container counts its own from 0: so the user, the foreground group (a property of the terminal) and the
   age must fit too. On Linux the kernel session has already said it; this is for systems that show none.
4. environment (`tmux_environment`), 5. memory (`tmux_memory`), 6. the session id of an agent
   (`agent_markers`), only for whom nothing else ties to anything.

A process inherits what its parent or session leader owes to a weak look (3 to 5), with that evidence: a chain
is as strong as its weakest link. LEAKED is the last word, never the first: any look that finds a pane that is
there wins over it, and servers, their jobs and tmux clients are never leaked, since they inherit the
environment of whatever started them.
"""

from collections.abc import Mapping
from dataclasses import replace

from tmux_exporter.analysis.ownership.agent_markers import AgentMarkers
from tmux_exporter.analysis.ownership.earlier_owners import by_memory
from tmux_exporter.analysis.ownership.tmux_environment import by_environment, names_tmux
from tmux_exporter.analysis.ownership.tmux_lookup import CLIENT_COMM, LiveServer, TmuxLookup
from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView


def attribute(
    table: ProcessTable, view: TmuxView, memory: Mapping[ProcessId, Owner]
) -> dict[ProcessId, Owner]:
    """Tie the living processes of one reading to panes and servers.

    `view` holds what tmux said after the table was read; `memory` is the result of the last call (after an
    incomplete reading: that result over the one before it). The answer holds every living process that
    belongs to something, whatever its user where the kernel proves it (a `sudo` in a pane), and as OTHER
    those of this user whose environment speaks of tmux without tying them to anything. All others are left
    out. Owners may be shared between processes and with `memory`.
    """
    return _Attribution(table, TmuxLookup(table, view), memory).result()


def is_unattributed(process: ProcessId, owner: Owner) -> bool:
    """Say whether the cost of a process is of tmux and yet of no pane, living or gone.

    These are the OTHER of `attribute`, and what a server runs beside its panes: run-shell, `#()`, pipe-pane.
    """
    return owner.kind is OwnerKind.OTHER or (owner.kind is OwnerKind.SERVER and owner.server != process)


class _Attribution:
    """One pass over the table: a process is decided after its parent and its session leader."""

    def __init__(self, table: ProcessTable, tmux: TmuxLookup, memory: Mapping[ProcessId, Owner]) -> None:
        self._table = table
        self._processes = table.processes
        self._tmux = tmux
        self._memory = memory
        self._owners: dict[int, Owner | None] = {}
        self._bequests: dict[int, Owner] = {}
        self._sessions: dict[int, Owner] = {}

    def result(self) -> dict[ProcessId, Owner]:
        for pid in self._concerned():
            self._settle(pid)
        owners = self._owners
        marked = AgentMarkers(self._table, self._tmux, owners).owners(self._memory)
        owners.update((pid, owner) for pid, owner in marked.items() if not self._is_excepted(pid))
        return {
            process.id: owner
            for pid, process in self._processes.items()
            if (owner := owners.get(pid)) is not None and process.alive
        }

    def _is_excepted(self, pid: int) -> bool:
        return pid in self._tmux.foreign or self._is_client(self._processes[pid])

    def _concerned(self) -> set[int]:
        """All that can have an owner: whom a look of its own may tie, and all that may inherit from one.

        Most processes of a machine are not among them, and the looks at each are dear.
        """
        tmux, memory = self._tmux, self._memory
        heirs: dict[int, list[int]] = {}
        found = {*tmux.servers, *tmux.roots} & self._processes.keys()
        for pid, process in self._processes.items():
            heirs.setdefault(process.ppid, []).append(pid)
            if process.session_id != pid:
                heirs.setdefault(process.session_id, []).append(pid)
            if (process.tty in tmux.ttys) or (process.id in memory) or names_tmux(process):
                found.add(pid)
        line = list(found)
        for pid in line:
            new = [heir for heir in heirs.get(pid, ()) if heir not in found]
            found.update(new)
            line += new
        return found

    def _settle(self, pid: int) -> None:
        """Decide a process and, before it, all it depends on; a circle (a race of the reading) is cut."""
        waiting = [pid]
        begun: set[int] = set()
        while waiting:
            current = waiting[-1]
            if current in self._owners:
                waiting.pop()
            elif current in begun:
                self._owners[current] = self._decide(self._processes[current])
                waiting.pop()
            else:
                begun.add(current)
                process = self._processes[current]
                needed = (self._parent(process), self._leader(process))
                pids = [elder.id.pid for elder in needed if elder is not None]
                waiting += [pid for pid in pids if pid not in self._owners]

    def _parent(self, process: Process) -> Process | None:
        return self._elder(process, process.ppid)

    def _leader(self, process: Process) -> Process | None:
        return self._elder(process, process.session_id)

    def _elder(self, process: Process, pid: int) -> Process | None:
        # A younger one got the number while the table was read.
        elder = self._processes.get(pid)
        if elder is None or elder is process or elder.id.start_ticks > process.id.start_ticks:
            return None
        return elder

    def _decide(self, process: Process) -> Owner | None:
        pid = process.id.pid
        if pid in self._tmux.foreign:
            return None
        if self._is_server(pid):
            return _server(process.id, "is a tmux server")
        if (key := self._tmux.roots.get(pid)) is not None:
            reason = f"is the process of {_named(key)} and a child of that server"
            return _owner(OwnerKind.PANE, Evidence.TREE, reason, key)
        parent = self._parent(process)
        if parent is not None and parent.id.pid in self._tmux.servers:
            owner = self._look_at_child(process, self._tmux.servers[parent.id.pid])
        else:
            owner = self._look(process, parent)
        if owner is not None and owner.kind is OwnerKind.LEAKED and self._is_client(process):
            reason = f"is a tmux client, which is never leaked; {owner.reason}"
            return Owner(kind=OwnerKind.OTHER, evidence=Evidence.NONE, reason=reason)
        return owner

    def _is_server(self, pid: int) -> bool:
        return pid in self._tmux.servers

    def _is_client(self, process: Process) -> bool:
        # A long argv[0] leaves no room for "client" in the name.
        runs_tmux = program_of(process) == "tmux" and process.id.pid not in self._tmux.servers
        return process.comm == CLIENT_COMM or runs_tmux

    def _look(self, process: Process, parent: Process | None) -> Owner | None:
        inherited = self._bequest(parent)
        if inherited is not None and inherited.evidence is Evidence.TREE:
            return inherited
        session = self._by_session(process)
        if session is not None and session.evidence is Evidence.KERNEL_SESSION:
            return session
        own = by_environment(process, self._tmux)
        remembered = by_memory(self._memory.get(process.id), self._tmux)
        looks = [self._by_tty(process), inherited, session, own, remembered]
        if remembered is not None and remembered.kind is OwnerKind.SERVER:
            # The jobs of a server that was started inside a pane name that pane of the outer server.
            looks.insert(0, remembered)
        found = [owner for owner in looks if owner is not None]
        return min(found, key=_weight) if found else None

    def _look_at_child(self, process: Process, server: LiveServer) -> Owner | None:
        """Judge a child of a server that no pane runs: a job, or a process that outlived its pane.

        tmux makes every pane's process the leader of a kernel session and leaves its jobs in its own. Who
        ignores the SIGHUP of kill-pane stays the server's child.
        """
        if server.id.pid in self._tmux.foreign:
            return None
        job = _server(server.id, f"is a child of tmux server {server.id.pid} but no pane's process: a job")
        if _is_in_the_session_of(process, server):
            return job
        own = by_environment(process, self._tmux)
        remembered = by_memory(self._memory.get(process.id), self._tmux)
        looks = [self._by_session(process), own, remembered]
        found = [owner for owner in looks if owner and owner.kind is not OwnerKind.SERVER]
        best = min(found, key=_weight) if found else job
        undecided = best.kind is OwnerKind.OTHER and best.evidence is Evidence.NONE
        return job if undecided else best

    def _by_session(self, process: Process) -> Owner | None:
        """Give the owner that a process has by its session leader; the whole session shares one."""
        leader = self._leader(process)
        owner = self._owners.get(leader.id.pid) if leader else None
        if leader is None or owner is None or owner.kind is OwnerKind.OTHER:
            return None
        pid = leader.id.pid
        if pid not in self._sessions:
            strong = owner.evidence in (Evidence.TREE, Evidence.KERNEL_SESSION)
            self._sessions[pid] = replace(
                owner,
                evidence=Evidence.KERNEL_SESSION if strong else owner.evidence,
                reason=f"is in the kernel session of pid {pid}, {self._described(leader.id, owner)}",
            )
        return self._sessions[pid]

    def _by_tty(self, process: Process) -> Owner | None:
        root = self._tmux.ttys.get(process.tty)
        if (
            root is None
            or process.uid != root.uid
            or process.foreground_pgid != root.foreground_pgid
            or process.id.start_ticks < root.id.start_ticks
        ):
            return None
        key = self._tmux.roots[root.id.pid]
        return _owner(OwnerKind.PANE, Evidence.TTY, f"is on the terminal of {_named(key)}", key)

    def _bequest(self, parent: Process | None) -> Owner | None:
        """Give the owner that the children of a process inherit; all of them share one."""
        owner = self._owners.get(parent.id.pid) if parent else None
        if parent is None or owner is None or owner.kind is OwnerKind.OTHER:
            return None
        pid = parent.id.pid
        if pid not in self._bequests:
            grandparent = self._parent(parent)
            if grandparent is not None and self._bequests.get(grandparent.id.pid) is owner:
                self._bequests[pid] = owner
            else:
                reason = f"descends from pid {pid}, {self._described(parent.id, owner)}"
                self._bequests[pid] = replace(owner, reason=reason)
        return self._bequests[pid]

    def _described(self, process: ProcessId, owner: Owner) -> str:
        """Name a process by its owner; short, so that reasons do not nest."""
        if owner.pane is None:
            server = owner.server.pid if owner.server else 0
            return f"tmux server {server}" if owner.server == process else f"a job of tmux server {server}"
        if process.pid in self._tmux.roots:
            return f"the process of {_named(owner.pane)}"
        verb = "belongs to" if owner.kind is OwnerKind.PANE else "outlived"
        return f"which {verb} {_named(owner.pane)} (evidence: {owner.evidence})"


def _is_in_the_session_of(process: Process, server: LiveServer) -> bool:
    return process.session_id == server.process.session_id


def _weight(owner: Owner) -> int:
    """Order what several looks say; among equals the stronger look, asked first, holds."""
    match owner.kind:
        case OwnerKind.PANE:
            return 0
        case OwnerKind.SERVER:
            # TMUX without TMUX_PANE is the least of all proofs: whoever unsets one variable looks like a job.
            return 2 if owner.evidence is Evidence.ENVIRONMENT else 0
        case OwnerKind.LEAKED:
            return 1
        case OwnerKind.OTHER:
            return 3


def _named(key: PaneKey) -> str:
    return f"pane {key.pane} of tmux server {key.server.pid}"


def _owner(kind: OwnerKind, evidence: Evidence, reason: str, key: PaneKey) -> Owner:
    return Owner(kind=kind, evidence=evidence, reason=reason, server=key.server, pane=key)


def _server(server: ProcessId, reason: str) -> Owner:
    return Owner(kind=OwnerKind.SERVER, evidence=Evidence.TREE, reason=reason, server=server)
