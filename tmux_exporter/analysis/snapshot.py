"""All facts and conclusions of one sample together: what `summary` adds up and `explain` tells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tmux_exporter.agent_facts import AgentLife
from tmux_exporter.analysis.leaks import Leaks
from tmux_exporter.analysis.shared_pages import PLAIN, MemoryFigures
from tmux_exporter.model import (
    Agent,
    Listing,
    Owner,
    OwnerKind,
    Pane,
    PaneKey,
    Process,
    ProcessId,
    ProcessTable,
    Scheduler,
    ServerView,
    TmuxView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One sample. `session_labels` maps (server, session id) to the session's finished label.

    `agents` are those that run; `lives` are these and those that do not.
    """

    table: ProcessTable
    view: TmuxView
    owners: Mapping[ProcessId, Owner]
    agents: tuple[Agent, ...]
    schedulers: tuple[Scheduler, ...]
    session_labels: Mapping[tuple[ProcessId, str], str]
    lives: tuple[AgentLife, ...] = ()
    leaks: Leaks = field(default_factory=lambda: Leaks(spared={}))
    memory: MemoryFigures = PLAIN

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

    def roots(self, panes: Iterable[Pane]) -> tuple[ProcessId, ...]:
        """The process that tmux started in each of these panes, where it is there."""
        pids = [pane.pid for pane in panes if pane.pid is not None]
        return tuple(self.table.processes[pid].id for pid in pids if pid in self.table.processes)

    def members(self) -> dict[PaneKey, list[Process]]:
        """The living processes of each pane, in the order of their pids."""
        found: dict[PaneKey, list[Process]] = {key: [] for key in self.panes()}
        for process_id in sorted(self.owners):
            owner, process = self.owners[process_id], self.table.processes.get(process_id.pid)
            if owner.kind is not OwnerKind.PANE or owner.pane not in found or process is None:
                continue
            if process.id == process_id and process.alive:
                found[owner.pane].append(process)
        return found
