"""Stage: processes that outlived their pane."""

from collections.abc import Iterable, Mapping, Sequence

from tmux_exporter.analysis.leaks.find import LeakFinder, Leaks, LeakSample, find_orphans
from tmux_exporter.analysis.leaks.origins import pane_processes
from tmux_exporter.analysis.leaks.terminals import Terminals
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import merge
from tmux_exporter.analysis.report.remembered import remembered
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.ownership import Ownership
from tmux_exporter.sampling.stages.protocols import LeakDetailSource, SampleFacts

FOLDER_SECONDS = 60.0
"""How long the working folder of a pane stands: it only names the session of a leak."""


class LeakStage:
    """Finds leaks; remembers where panes were.

    `unsettled`: one more sample would tell a leak from a process that was only ending.
    """

    def __init__(
        self,
        earlier: Iterable[Remembered],
        leak_details: LeakDetailSource | None,
        left: Iterable[tuple[PaneKey, SessionKey]] = (),
    ) -> None:
        """`earlier` is what another sampler of this machine knew, `left` where panes were before this one."""
        self._finder = LeakFinder(earlier, left)
        self._leak_details = leak_details
        self.unsettled = False
        self._panes: Mapping[PaneKey, ProcessId] = {}
        self._folders_due = 0.0

    def observe(self, facts: SampleFacts, ownership: Ownership, schedulers: Sequence[Scheduler]) -> Leaks:
        """The leaks of this sample."""
        if facts.changes.tmux:
            self._finder.observe(facts.view, facts.labels)
        self._finder.proof.observe(ownership.changed, ownership.owners)
        table, owners, asked = facts.table, ownership.owners, self._leak_details
        orphans = find_orphans(table, dict(ownership.by_memory))
        details = asked.read(orphans.to_read) if asked else {}
        others = Terminals(orphans.processes, details, table, owners).possible_holders()
        shown = asked.descriptors(others) if asked and others else {}
        sample = LeakSample(
            table=table,
            owners=owners,
            orphans=orphans,
            schedulers=schedulers,
            signatures=merge(SIGNATURES, facts.config.agents.signatures),
            leak_details=details,
            other_holders={each: shown.get(each) for each in others},
            folders=self._read_folders(facts, asked) if asked else {},
        )
        found = self._finder.find(sample)
        self.unsettled = bool(found.unconfirmed)
        return found

    def remembered(self, ownership: Ownership, leaks: Leaks) -> tuple[Remembered, ...]:
        """What a sampler that has taken no sample has to be told."""
        return remembered(
            ownership.by_memory, leaks.found, self._finder.origin_of, self._finder.proof.is_proven
        )

    def left(self, ownership: Ownership) -> tuple[tuple[PaneKey, SessionKey], ...]:
        """Where the panes are or were of which processes may outlive this sampler."""
        panes = sorted({owner.pane for _, owner in ownership.by_memory if owner.pane is not None})
        found = ((each, self._finder.origin_of(each)) for each in panes)
        return tuple((each, origin) for each, origin in found if origin is not None)

    def _read_folders(self, facts: SampleFacts, asked: LeakDetailSource) -> Mapping[PaneKey, str]:
        """The working folders of the panes' first processes; empty while the last ones are fresh enough."""
        before, now = self._panes, facts.table.taken_at
        if facts.changes.tmux or facts.changes.processes.identities:
            self._panes = pane_processes(facts.table, facts.view)
        if self._panes == before and now < self._folders_due:
            return {}
        self._folders_due = now + FOLDER_SECONDS
        folders = asked.folders(self._panes.values())
        return {key: folders[process] for key, process in self._panes.items() if process in folders}
