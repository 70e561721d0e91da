"""Incremental attribution: decides again only changed processes and those that depend on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmux_exporter.analysis.ownership.agent_markers import AgentMarkers, carries_marker
from tmux_exporter.analysis.ownership.attribution import NO_TIES, Attribution, Ties, decide
from tmux_exporter.analysis.ownership.tmux_lookup import TmuxLookup
from tmux_exporter.facts.changes import AuditTurns, PerProcess, ProcessChanges
from tmux_exporter.facts.owner import Evidence, Owner
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import SERVER_COMM, TmuxView

_CERTAIN = (Evidence.TREE, Evidence.KERNEL_SESSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """The owners of one sample. `changed` are processes whose owner was added, replaced or removed.

    `corrected` counts the processes whose owner an audit found wrong in this sample, before it was corrected.
    """

    owners: Mapping[ProcessId, Owner]
    changed: frozenset[ProcessId]
    corrected: int = 0


class Attributor:
    """Returns for each sample what `attribute` returns with the previous result as its memory."""

    def __init__(self, memory: Mapping[ProcessId, Owner]) -> None:
        """`memory` are owners that are known before the first sample."""
        self._memory = memory
        self._owners: dict[ProcessId, Owner] = {}
        self._ids: dict[int, ProcessId] = {}
        self._marked: Mapping[int, Owner] = {}
        self._carriers = PerProcess(carries_marker)
        self._index = _Dependents()
        self._audit = AuditTurns(1.0)
        self._decided: Attribution | None = None
        self._ties = NO_TIES
        self._tmux: TmuxLookup | None = None
        self._lookups: list[tuple[object, TmuxLookup]] = []
        self._weak: set[int] = set()
        self._servers: frozenset[int] = frozenset()
        self._changed: frozenset[ProcessId] = frozenset()
        # Processes whose remembered owner differs from the one used for their last decision.
        self._recalled: frozenset[ProcessId] = frozenset()

    def observe(
        self, table: ProcessTable, view: TmuxView, changes: ProcessChanges, ties: Ties = NO_TIES
    ) -> Owners:
        """The owners of this sample; `changes` are those since the table of the last call."""
        self._index.update(table, changes.identities)
        self._carriers.update(table)
        tmux = self._look_up(table, view, changes)
        stale = self._stale(table, tmux, changes, ties)
        self._ties = ties
        decided, self._decided = self._decided, None
        if decided is not None and stale is not None:
            decided.look_at(table, tmux, self._memory, ties)
            decided.forget(stale)
            for pid in stale & table.processes.keys():
                decided.decide_in_order(pid)
        if decided is None or stale is None or decided.has_cycle:
            decided, stale = decide(table, tmux, self._memory, ties), None
        corrected = 0
        if stale is not None and self._audit.come(table.taken_at):
            anew = decide(table, TmuxLookup(table, view), self._memory, ties)
            if corrected := _differences(anew, decided):
                decided, stale = anew, None
        self._tmux = tmux
        before, memory = self._owners, self._memory
        self._take(decided, table, tmux, stale)
        self._recalled = self._changed
        if table.complete:
            self._memory = self._owners
            self._decided = None if decided.has_cycle else decided
            if memory is not before:
                ids = memory.keys() | self._owners.keys()
                self._recalled = frozenset(i for i in ids if memory.get(i) != self._owners.get(i))
        else:
            # After an incomplete listing a missing process may still be alive: keep its owner.
            self._memory = {**memory, **self._owners}
        return Owners(owners=self._owners, changed=self._changed, corrected=corrected)

    def _look_up(self, table: ProcessTable, view: TmuxView, changes: ProcessChanges) -> TmuxLookup:
        """The lookup of this sample; the previous one if nothing in it changed."""
        said = tuple(
            (each.process, each.socket, each.ended, each.up and is_fresh, each.listing and each.listing.panes)
            for each in view.servers
            for is_fresh in (each.listing is not None and each.listing.taken_at >= table.taken_at,)
        )
        if any(self._bears_on(known, table, changes) for _, known in self._lookups):
            self._lookups = []
        known = next((each for facts, each in self._lookups if facts == said), None)
        if known is None:
            known = TmuxLookup(table, view)
            # A listing that is not asked for in every sample is fresh in some of them only.
            self._lookups = [(said, known), *self._lookups[:1]]
        known.move_to(table)
        return known

    @staticmethod
    def _bears_on(known: TmuxLookup, table: ProcessTable, changes: ProcessChanges) -> bool:
        """Whether a changed process is, or may have become, a server or the process of a pane."""
        return any(
            pid in known.listed
            or pid in known.servers
            or ((process := table.processes.get(pid)) is not None and process.comm == SERVER_COMM)
            for pid in changes.identities
        )

    def _stale(
        self, table: ProcessTable, tmux: TmuxLookup, changes: ProcessChanges, ties: Ties
    ) -> set[int] | None:
        """The pids to decide again; None: all."""
        before, identities = self._tmux, set(changes.identities)
        if self._decided is None or before is None or not table.complete:
            return None
        if tmux.server_facts() != before.server_facts() or not identities.isdisjoint(self._servers):
            return None
        stale = identities | {process.pid for process in self._recalled}
        if ties is not self._ties:
            ids = ties.keys() | self._ties.keys()
            stale |= {each.pid for each in ids if ties.get(each) != self._ties.get(each)}
        if tmux is not before:
            pids = tmux.roots.keys() | before.roots.keys() if tmux.roots != before.roots else set()
            stale |= {pid for pid in pids if tmux.roots.get(pid) != before.roots.get(pid)}
            # Only weak evidence depends on whether a pane exists. Children inherit from zombies too.
            stale |= self._weak
            ttys = tmux.ttys.keys() | before.ttys.keys() if tmux.ttys != before.ttys else set()
            changed = {
                tty for tty in ttys if _terminal(tmux.ttys.get(tty)) != _terminal(before.ttys.get(tty))
            }
            stale |= self._index.on_terminals(changed)
        return self._index.with_dependents(stale)

    def _take(
        self, decided: Attribution, table: ProcessTable, tmux: TmuxLookup, stale: set[int] | None
    ) -> None:
        """Update the result for the stale pids, or for all."""
        marked: Mapping[int, Owner] = {}
        if self._carriers.found:
            carriers = [table.processes[pid] for pid in self._carriers.found]
            marked = AgentMarkers(table, tmux, decided.owners, carriers).owners(self._memory)
            marked = {pid: owner for pid, owner in marked.items() if not decided.is_excepted(pid)}
        before_marked, self._marked = self._marked, marked
        of_stale = decided.owners.keys() if stale is None else stale
        self._weak = {pid for pid in self._weak if pid not in of_stale and stale is not None} | {
            pid for pid in of_stale if (owner := decided.owners.get(pid)) and owner.evidence not in _CERTAIN
        }
        if stale is None:
            pids: Iterable[int] = self._ids.keys() | decided.owners.keys() | marked.keys()
        else:
            pids = stale | {
                pid for pid in marked.keys() | before_marked if marked.get(pid) != before_marked.get(pid)
            }
        owners, changed = self._owners, set()
        for pid in pids:
            process, id_ = table.processes.get(pid), self._ids.get(pid)
            owner = None
            if process is not None and process.alive:
                owner = marked.get(pid) or decided.owners.get(pid)
            now = process.id if process is not None and owner is not None else None
            if id_ == now and (now is None or self._owners[now] == owner):
                continue
            if owners is self._owners:
                owners = dict(owners)
            if id_ is not None and id_ != now:
                del owners[id_]
                changed.add(id_)
            if now is not None and owner is not None:
                owners[now] = owner
                self._ids[pid] = now
                changed.add(now)
            else:
                del self._ids[pid]
        self._owners, self._changed = owners, frozenset(changed)
        if changed:
            of_owners = {owner.server.pid for owner in owners.values() if owner.server is not None}
            self._servers = frozenset(of_owners)


def _differences(one: Attribution, other: Attribution) -> int:
    """How many owners differ. A process without an owner may have been decided in one of them only."""
    pids = one.owners.keys() | other.owners.keys()
    return sum(one.owners.get(pid) != other.owners.get(pid) for pid in pids)


def _terminal(root: Process | None) -> object:
    """What evidence by a terminal asks of the process of its pane."""
    return root and (root.id, root.uid, root.foreground_pgid)


class _Dependents:
    """Index of dependents: children by parent, members by kernel session leader, users by terminal."""

    def __init__(self) -> None:
        self._processes: Mapping[int, Process] = {}
        self._dependents: dict[int, tuple[int, ...]] = {}
        self._on_terminal: dict[int, tuple[int, ...]] = {}

    def update(self, table: ProcessTable, changed: Iterable[int]) -> None:
        """Update the index for changed pids: all whose parent, leader or terminal is another one."""
        before, self._processes = self._processes, table.processes
        gone, come = _Entries(before, changed), _Entries(table.processes, changed)
        for index, old, new in (
            (self._dependents, gone.dependents, come.dependents),
            (self._on_terminal, gone.on_terminal, come.on_terminal),
        ):
            for place in old.keys() | new.keys():
                left, came = old.get(place, set()), new.get(place, set())
                if left == came:
                    continue
                # Tuples: most places have few pids, and an empty set is larger than twenty of them.
                kept = [pid for pid in index.get(place, ()) if pid not in left]
                if pids := (*kept, *came):
                    index[place] = pids
                else:
                    del index[place]

    def on_terminals(self, terminals: Iterable[int]) -> set[int]:
        """The pids on these terminals."""
        return {pid for each in terminals for pid in self._on_terminal.get(each, ())}

    def with_dependents(self, pids: Iterable[int]) -> set[int]:
        """These pids and all that may inherit from them."""
        found = set(pids)
        queue = list(found)
        for pid in queue:
            new = [each for each in self._dependents.get(pid, ()) if each not in found]
            found.update(new)
            queue += new
        return found


class _Entries:
    """Entries of these pids in such an index: sets of pids by place."""

    def __init__(self, processes: Mapping[int, Process], pids: Iterable[int]) -> None:
        self.dependents: dict[int, set[int]] = {}
        self.on_terminal: dict[int, set[int]] = {}
        for pid in pids:
            if (process := processes.get(pid)) is not None:
                self.dependents.setdefault(process.ppid, set()).add(pid)
                self.dependents.setdefault(process.session_id, set()).add(pid)
                if process.tty:
                    self.on_terminal.setdefault(process.tty, set()).add(pid)
