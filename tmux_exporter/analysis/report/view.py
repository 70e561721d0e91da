"""Snapshot: all facts and conclusions of one sample, the input of `summary` and `explain`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.analysis.leaks.find import Leaks
from tmux_exporter.analysis.memory.shared_memory import PLAIN, MemoryFigures
from tmux_exporter.analysis.ownership.incremental import Owners
from tmux_exporter.facts.agents import Agent, TrackedAgent
from tmux_exporter.facts.changes import AuditTurns, ProcessChanges
from tmux_exporter.facts.ledgers import PaneLedger
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import PaneReport
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.spending import UsageLimit
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, TmuxView
from tmux_exporter.facts.workspaces import Workspaces

PaneProcessIds = Mapping[PaneKey, Sequence[ProcessId]]
"""The process ids of each pane in the order of pids, dead processes excluded."""

Members = Mapping[PaneKey, Sequence[Process]]
"""The living processes of each pane, in the order of their pids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One sample. `session_labels` maps (server, session id) to the session's finished label.

    `agents` are those that run; `tracked_agents` are these and those that do not.
    `living` are those of `owners`, where they are known already.
    `orphan_cpu` are nanoseconds that ended orphans used and no sample has seen, and for how many nobody asked
    them; None while no fork events come. `workspaces` are the folders and `ports` the listening processes
    of agents by their process, as far as they are known; `limits` those at which files say that they stand.
    """

    table: ProcessTable
    view: TmuxView
    owners: Mapping[ProcessId, Owner]
    agents: tuple[Agent, ...]
    schedulers: tuple[Scheduler, ...]
    session_labels: Mapping[tuple[ProcessId, str], str]
    tracked_agents: tuple[TrackedAgent, ...] = ()
    leaks: Leaks = field(default_factory=lambda: Leaks(exempt={}))
    memory: MemoryFigures = PLAIN
    living: Members | None = None
    ledgers: Mapping[PaneKey, PaneLedger] = field(default_factory=dict)
    orphan_cpu: Mapping[PaneKey, tuple[int, int]] | None = None
    ports: Mapping[ProcessId, Mapping[str, int]] = field(default_factory=dict)
    workspaces: Mapping[ProcessId, Workspaces] = field(default_factory=dict)
    limits: Mapping[ProcessId, UsageLimit] = field(default_factory=dict)

    def listings(self) -> tuple[tuple[ServerView, Listing], ...]:
        """The servers that have a listing, fresh or held."""
        return tuple((view, view.listing) for view in self.view.servers if view.listing is not None)

    def panes(self) -> dict[PaneKey, tuple[ServerView, Pane]]:
        """Every listed pane with its server."""
        return {
            PaneKey(listing.server, pane.id): (view, pane)
            for view, listing in self.listings()
            for pane in listing.panes
        }

    def roots(self, panes: Iterable[Pane | PaneReport]) -> tuple[ProcessId, ...]:
        """The process that tmux started in each of these panes, where it is there."""
        pids = [pane.pid for pane in panes if pane.pid is not None]
        return tuple(self.table.processes[pid].id for pid in pids if pid in self.table.processes)

    @property
    def complete(self) -> bool:
        """Nothing is unknown; of a server that is known to have ended nothing is."""
        return (
            self.table.complete
            and all(server.up or server.ended for server in self.view.servers)
            and not self.view.problems
        )

    def limited(self) -> set[ProcessId]:
        """The processes whose memory limits bound sessions, panes and agents."""
        panes = (pane for _, listing in self.listings() for pane in listing.panes)
        return {*self.roots(panes), *(agent.process for agent in self.agents)}

    def members(self) -> Members:
        """The living processes of each pane that has any."""
        if self.living is not None:
            return self.living
        return {key: processes_of(ids, self.table) for key, ids in pane_process_ids(self.owners).items()}


def pane_process_ids(owners: Mapping[ProcessId, Owner]) -> PaneProcessIds:
    """The processes of each pane."""
    found: dict[PaneKey, list[ProcessId]] = {}
    for process_id in sorted(owners):
        owner = owners[process_id]
        if owner.kind is OwnerKind.PANE and owner.pane is not None:
            found.setdefault(owner.pane, []).append(process_id)
    return found


def processes_of(ids: Sequence[ProcessId], table: ProcessTable) -> tuple[Process, ...]:
    """Those of a roster that are in the table."""
    return tuple(process for each in ids if (process := table.find(each)) is not None)


class PaneMembers:
    """The living processes of each pane, updated only for panes with a changed process.

    `changed` are the panes in which a process came, went or changed its identity in the last sample. A pane
    without any change keeps the same sequence object. `corrected` counts the panes that an audit of the last
    sample found wrong, before it corrected them.
    """

    def __init__(self) -> None:
        self.changed: frozenset[PaneKey] = frozenset()
        self.corrected = 0
        self._audit = AuditTurns(0.25)
        self._pane_of: dict[ProcessId, PaneKey] = {}
        self._ids: dict[PaneKey, tuple[ProcessId, ...]] = {}
        self._found: Members = {}

    def observe(self, table: ProcessTable, owners: Owners, changes: ProcessChanges) -> Members:
        """The members by pane, in the order of pids."""
        changed = self._move(owners)
        changed |= self._panes_of(changes.identities, table)
        stale = changed | self._panes_of(changes.figures, table)
        if stale:
            found = dict(self._found)
            for pane in stale:
                if ids := self._ids.get(pane):
                    found[pane] = processes_of(ids, table)
                else:
                    found.pop(pane, None)
            self._found = found
        self.corrected = 0
        if self._audit.come(table.taken_at):
            rosters = pane_process_ids(owners.owners)
            anew = {pane: processes_of(ids, table) for pane, ids in rosters.items()}
            wrong = {pane for pane in anew.keys() | self._found if anew.get(pane) != self._found.get(pane)}
            if wrong:
                self._ids = {pane: tuple(ids) for pane, ids in rosters.items()}
                self._pane_of = {process: pane for pane, ids in rosters.items() for process in ids}
                self._found, self.corrected = anew, len(wrong)
                changed |= wrong
        self.changed = frozenset(changed)
        return self._found

    def _move(self, owners: Owners) -> set[PaneKey]:
        """Follow changed owners; return the panes that processes left and joined."""
        left: dict[PaneKey, set[ProcessId]] = {}
        joined: dict[PaneKey, set[ProcessId]] = {}
        for process in owners.changed:
            if (old := self._pane_of.pop(process, None)) is not None:
                left.setdefault(old, set()).add(process)
            owner = owners.owners.get(process)
            if owner is not None and owner.kind is OwnerKind.PANE and owner.pane is not None:
                self._pane_of[process] = owner.pane
                joined.setdefault(owner.pane, set()).add(process)
        for pane in left.keys() | joined.keys():
            ids = set(self._ids.pop(pane, ())) - left.get(pane, set()) | joined.get(pane, set())
            if ids:
                self._ids[pane] = tuple(sorted(ids))
        return left.keys() | joined.keys()

    def _panes_of(self, pids: Iterable[int], table: ProcessTable) -> set[PaneKey]:
        processes = (process for pid in pids if (process := table.processes.get(pid)) is not None)
        return {pane for each in processes if (pane := self._pane_of.get(each.id)) is not None}
