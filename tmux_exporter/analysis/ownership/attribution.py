"""Attribution: which pane owns a process, which processes outlived their pane, and the evidence.

Evidence, strongest first:

1. tree: the nearest pane process or tmux server among the living ancestors. The walk ends at a server: its
   children belong to its own panes or are its jobs, also when the server itself was started inside a pane.
2. kernel session: the owner of the session leader, where the tree proves that owner. Only descendants of a
   leader are in its session, and its id is not reused while one of them lives.
3. tty: the process uses the terminal of a pane. The number of a terminal is reused at once by the next pane,
   and each container counts from 0: so user, foreground process group (a property of the terminal) and age
   must match too. On Linux the kernel session covers this; it is for systems that show no sessions.
4. cgroup: the scope that tmux made for a pane, only for what nothing else ties to anybody (`ledgers`).
5. environment (`tmux_environment`), 6. memory (`by_memory`), 7. lineage (`lineage`), 8. the session id of an
   agent (`agent_markers`), only for processes without any other evidence.

Children and session members inherit an owner found by weak evidence (3 to 7), with that evidence: a chain is
as strong as its weakest link. LEAKED never wins over evidence of an existing pane. Servers, their jobs and
tmux clients are never leaked, because they inherit the environment of the process that started them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tmux_exporter.analysis.ownership.agent_markers import AgentMarkers, carries_marker
from tmux_exporter.analysis.ownership.tmux_environment import by_environment, names_tmux
from tmux_exporter.analysis.ownership.tmux_lookup import LiveServer, Presence, TmuxLookup
from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import CLIENT_COMM, PaneKey, TmuxView


def attribute(
    table: ProcessTable, view: TmuxView, memory: Mapping[ProcessId, Owner]
) -> dict[ProcessId, Owner]:
    """Find the owners of the living processes of one sample: panes and servers.

    `view` was read after the table. `memory` is the result of the last call (after an incomplete sample: that
    result merged over the earlier one). The result has every living process with an owner, of any user where
    the kernel proves it (a `sudo` in a pane), and as OTHER those of this user whose environment names tmux
    without proving an owner. Other processes are not in it. Owner objects may be shared between processes and
    with `memory`.
    """
    tmux = TmuxLookup(table, view)
    return _with_markers(decide(table, tmux, memory), table, tmux, memory)


def _with_markers(
    decided: "Attribution", table: ProcessTable, tmux: TmuxLookup, memory: Mapping[ProcessId, Owner]
) -> dict[ProcessId, Owner]:
    """The owners of living processes, also those that only an agent's session id proves."""
    carriers = [each for each in table.processes.values() if carries_marker(each)]
    marked = AgentMarkers(table, tmux, decided.owners, carriers).owners(memory)
    owners = decided.owners | {pid: owner for pid, owner in marked.items() if not decided.is_excepted(pid)}
    return {
        process.id: owner
        for pid, process in table.processes.items()
        if (owner := owners.get(pid)) is not None and process.alive
    }


Ties = Mapping[ProcessId, Owner]
"""The panes that other sources than processes and tmux name for processes, also panes that are gone."""

NO_TIES: Ties = MappingProxyType({})


def decide(
    table: ProcessTable, tmux: TmuxLookup, memory: Mapping[ProcessId, Owner], ties: Ties = NO_TIES
) -> "Attribution":
    """Decide all owners, except those that only an agent's session id proves."""
    decided = Attribution(table, tmux, memory, ties)
    for pid in _may_have_owner(table, tmux, memory, ties):
        decided.decide_in_order(pid)
    return decided


def _may_have_owner(
    table: ProcessTable, tmux: TmuxLookup, memory: Iterable[ProcessId], ties: Iterable[ProcessId]
) -> list[int]:
    """Pids that can have an owner: by evidence of their own, or inherited from a parent or leader.

    Most come after what they inherit from. This skips most processes of a machine, because evaluating
    evidence is expensive.
    """
    processes, ttys, known = table.processes, tmux.ttys, {each.pid for each in (*memory, *ties)}
    dependents: defaultdict[int, list[int]] = defaultdict(list)
    found = {*tmux.servers, *tmux.roots} & processes.keys()
    for pid, process in processes.items():
        dependents[process.ppid].append(pid)
        if process.session_id not in (pid, process.ppid):
            dependents[process.session_id].append(pid)
        if pid in known or process.tty in ttys or names_tmux(process):
            found.add(pid)
    queue = list(found)
    for pid in queue:
        new = [dependent for dependent in dependents.get(pid, ()) if dependent not in found]
        found.update(new)
        queue += new
    return queue


def is_unattributed(process: ProcessId, owner: Owner) -> bool:
    """Whether the usage of a process belongs to tmux but to no pane, existing or gone.

    That is true for OTHER, and for jobs that a server runs beside its panes: run-shell, `#()`, pipe-pane.
    """
    return owner.kind is OwnerKind.OTHER or (owner.kind is OwnerKind.SERVER and owner.server != process)


class Attribution:
    """Decides owners one by one: a process after its parent and its kernel session leader.

    `owners` are by pid; None: no owner. `has_cycle`: parents or leaders form a cycle (a race when reading);
    where it was broken depends on the order of the calls.
    """

    def __init__(
        self,
        table: ProcessTable,
        tmux: TmuxLookup,
        memory: Mapping[ProcessId, Owner],
        ties: Ties = NO_TIES,
    ) -> None:
        self.owners: dict[int, Owner | None] = {}
        self.has_cycle = False
        self._inherited_from: dict[int, Owner] = {}
        self._sessions: dict[int, Owner] = {}
        self.look_at(table, tmux, memory, ties)

    def look_at(
        self, table: ProcessTable, tmux: TmuxLookup, memory: Mapping[ProcessId, Owner], ties: Ties = NO_TIES
    ) -> None:
        """Decide from these facts from now on; earlier decisions stay until `forget`."""
        self._processes = table.processes
        self._uid = table.uid
        self._tmux = tmux
        self._memory = memory
        self._ties = ties

    def forget(self, pids: Iterable[int]) -> None:
        """Drop these decisions; the caller passes their dependents too."""
        for pid in pids:
            self.owners.pop(pid, None)
            self._inherited_from.pop(pid, None)
            self._sessions.pop(pid, None)

    def is_excepted(self, pid: int) -> bool:
        """Whether an agent's session id proves nothing here: another user's server, a tmux client."""
        return pid in self._tmux.foreign or self._is_client(self._processes[pid])

    def decide_in_order(self, pid: int) -> None:
        """Decide a process after all that it depends on; a cycle, from a race while reading, is broken."""
        waiting = [pid]
        visited: set[int] = set()
        while waiting:
            current = waiting[-1]
            if current in self.owners:
                waiting.pop()
                continue
            process = self._processes[current]
            parent, leader = self._parent(process), self._leader(process)
            olders = [each.id.pid for each in (parent, leader) if each is not None]
            if current not in visited and (needed := [pid for pid in olders if pid not in self.owners]):
                visited.add(current)
                self.has_cycle |= not visited.isdisjoint(needed)
                waiting += needed
            else:
                self.owners[current] = self._decide(process, parent)
                waiting.pop()

    def _parent(self, process: Process) -> Process | None:
        return self._older(process, process.ppid)

    def _leader(self, process: Process) -> Process | None:
        return self._older(process, process.session_id)

    def _older(self, process: Process, pid: int) -> Process | None:
        # A process that started later has reused the pid while the table was read.
        older = self._processes.get(pid)
        if older is None or older is process or older.id.start_ticks > process.id.start_ticks:
            return None
        return older

    def _decide(self, process: Process, parent: Process | None) -> Owner | None:
        pid = process.id.pid
        if pid in self._tmux.foreign:
            return None
        if self._is_server(pid):
            return _server(process.id, "is a tmux server")
        if (key := self._tmux.roots.get(pid)) is not None:
            reason = f"is the process of {_named(key)} and a child of that server"
            return _owner(OwnerKind.PANE, Evidence.TREE, reason, key)
        if parent is not None and parent.id.pid in self._tmux.servers:
            owner = self._of_server_child(process, self._tmux.servers[parent.id.pid])
        else:
            owner = self._by_evidence(process, parent)
        if owner is not None and owner.kind is OwnerKind.LEAKED and self._is_client(process):
            reason = f"is a tmux client, which is never leaked; {owner.reason}"
            return Owner(kind=OwnerKind.OTHER, evidence=Evidence.NONE, reason=reason)
        if owner is not None and owner.kind is OwnerKind.OTHER and self._uid not in (None, process.uid):
            # Root reads every environment: that of another user names servers of theirs.
            return None
        return owner

    def _is_server(self, pid: int) -> bool:
        return pid in self._tmux.servers

    def _is_client(self, process: Process) -> bool:
        # A long argv[0] truncates "client" from the name.
        runs_tmux = program_of(process) == "tmux" and process.id.pid not in self._tmux.servers
        return process.comm == CLIENT_COMM or runs_tmux

    def _by_evidence(self, process: Process, parent: Process | None) -> Owner | None:
        inherited = self._inherited(parent)
        if inherited is not None and inherited.evidence is Evidence.TREE:
            return inherited
        session = self._by_session(process)
        if session is not None and session.evidence is Evidence.KERNEL_SESSION:
            return session
        own = by_environment(process, self._tmux)
        remembered = by_memory(self._memory.get(process.id), self._tmux)
        tied = by_tie(self._ties.get(process.id), self._tmux)
        by_evidence = [self._by_tty(process), inherited, session, own, remembered]
        # A cgroup is stronger than an environment, lineage weaker than what a sample has seen.
        by_evidence.insert(3 if tied is not None and tied.evidence is Evidence.CGROUP else 5, tied)
        if remembered is not None and remembered.kind is OwnerKind.SERVER:
            # Jobs of a server started inside a pane have the TMUX_PANE of the outer server.
            by_evidence.insert(0, remembered)
        found = [owner for owner in by_evidence if owner is not None]
        return min(found, key=_weight) if found else None

    def _of_server_child(self, process: Process, server: LiveServer) -> Owner | None:
        """Decide a child of a server that is no pane process: a job, or a process that outlived its pane.

        tmux makes each pane process the leader of a kernel session; jobs stay in the server's session. A
        process that ignores the SIGHUP of kill-pane stays a child of the server.
        """
        if server.id.pid in self._tmux.foreign:
            return None
        job = _server(server.id, f"is a child of tmux server {server.id.pid} but no pane's process: a job")
        if _is_in_the_session_of(process, server):
            return job
        own = by_environment(process, self._tmux)
        remembered = by_memory(self._memory.get(process.id), self._tmux)
        by_evidence = [self._by_session(process), own, remembered]
        found = [owner for owner in by_evidence if owner and owner.kind is not OwnerKind.SERVER]
        best = min(found, key=_weight) if found else job
        undecided = best.kind is OwnerKind.OTHER and best.evidence is Evidence.NONE
        return job if undecided else best

    def _by_session(self, process: Process) -> Owner | None:
        """The owner by the kernel session leader; the whole session shares one object."""
        leader = self._leader(process)
        owner = self.owners.get(leader.id.pid) if leader else None
        if leader is None or owner is None or owner.kind is OwnerKind.OTHER:
            return None
        if owner.kind is OwnerKind.SERVER and not leader.alive:
            # A zombie that its server has not reaped yet: a job, or the process of a pane that is gone.
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

    def _inherited(self, parent: Process | None) -> Owner | None:
        """The owner that children of a process inherit; all of them share one object."""
        owner = self.owners.get(parent.id.pid) if parent else None
        if parent is None or owner is None or owner.kind is OwnerKind.OTHER:
            return None
        pid = parent.id.pid
        if pid not in self._inherited_from:
            grandparent = self._parent(parent)
            if grandparent is not None and self._inherited_from.get(grandparent.id.pid) is owner:
                self._inherited_from[pid] = owner
            else:
                reason = f"descends from pid {pid}, {self._described(parent.id, owner)}"
                self._inherited_from[pid] = replace(owner, reason=reason)
        return self._inherited_from[pid]

    def _described(self, process: ProcessId, owner: Owner) -> str:
        """Describe a process by its owner, shortly, so that reasons do not nest."""
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
    """Sort key of owners by different evidence; among equals the stronger evidence, listed first, wins."""
    match owner.kind:
        case OwnerKind.PANE:
            return 0
        case OwnerKind.SERVER:
            # TMUX without TMUX_PANE is the weakest evidence: unsetting one variable makes a process look like
            # a job.
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


def by_memory(owner: Owner | None, tmux: TmuxLookup) -> Owner | None:
    """The owner of the last sample, updated; None where there was none.

    A member of a pane stays a member while the pane exists or nothing certain is known. Once the pane is gone
    the process is LEAKED, for good: a server never reuses a pane id. A job of a server stays its job, and has
    no owner once the server has ended.
    """
    if owner is None or owner.kind is OwnerKind.OTHER:
        return None
    if owner.evidence in (Evidence.AGENT_MARKER, Evidence.LINEAGE):
        # Decided again, the first by `agent_markers`: the session may continue elsewhere by now.
        return None
    if owner.kind is OwnerKind.SERVER:
        # The environment is read again anyway; as memory it would get too much weight.
        if owner.server is None or owner.evidence is Evidence.ENVIRONMENT or tmux.has_ended(owner.server):
            return None
        return _as_remembered(owner)
    if owner.pane is None:
        return _as_remembered(owner)
    presence = tmux.presence(owner.pane)
    if presence is Presence.GONE and owner.kind is OwnerKind.PANE:
        gone = f"pane {owner.pane.pane} of tmux server {owner.pane.server.pid} is gone"
        remembered = _as_remembered(owner)
        return replace(remembered, kind=OwnerKind.LEAKED, reason=f"{remembered.reason}; {gone}")
    if presence is Presence.HERE and owner.kind is OwnerKind.LEAKED:
        return replace(_as_remembered(owner), kind=OwnerKind.PANE)
    return _as_remembered(owner)


def by_tie(tie: Owner | None, tmux: TmuxLookup) -> Owner | None:
    """The owner that another source names, by whether its pane is there; None without one."""
    if tie is None or tie.pane is None or tmux.presence(tie.pane) is not Presence.GONE:
        return tie
    gone = f"pane {tie.pane.pane} of tmux server {tie.pane.server.pid} is gone"
    return replace(tie, kind=OwnerKind.LEAKED, reason=f"{tie.reason}; {gone}")


def _as_remembered(owner: Owner) -> Owner:
    # The reason must not grow with each sample, and an unchanged owner stays the same object.
    if owner.evidence is Evidence.MEMORY:
        return owner
    return replace(owner, evidence=Evidence.MEMORY, reason=f"seen earlier: {owner.reason}")
