"""Stage: processes that outlived their pane."""

from collections.abc import Iterable, Mapping, Sequence

from tmux_exporter.analysis.leaks.find import LeakFinder, Leaks, LeakSample, find_orphans
from tmux_exporter.analysis.leaks.folders import pane_processes
from tmux_exporter.analysis.programs.signatures import SIGNATURES, merge
from tmux_exporter.analysis.report.remembered import remembered
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sampling.protocols import LeakDetailSource
from tmux_exporter.sampling.stages.facts import SampleFacts
from tmux_exporter.sampling.stages.ownership import Ownership


class LeakStage:
    """Finds leaks; remembers where panes were.

    `unsettled`: one more sample would tell a leak from a process that was only ending.
    """

    def __init__(self, earlier: Iterable[Remembered], leak_details: LeakDetailSource | None) -> None:
        """`earlier` is what another sampler of this machine knew."""
        self._finder = LeakFinder(earlier)
        self._leak_details = leak_details
        self.unsettled = False

    def observe(self, facts: SampleFacts, ownership: Ownership, schedulers: Sequence[Scheduler]) -> Leaks:
        """The leaks of this sample."""
        self._finder.observe(facts.view, facts.labels)
        orphans = find_orphans(facts.table, ownership.owners)
        asked = self._leak_details
        sample = LeakSample(
            table=facts.table,
            owners=ownership.owners,
            orphans=orphans,
            schedulers=schedulers,
            signatures=merge(SIGNATURES, facts.config.agents.signatures),
            leak_details=asked.read(orphans.to_read) if asked else {},
            folders=_folders(facts.table, facts.view, asked) if asked else {},
        )
        found = self._finder.find(sample)
        self.unsettled = bool(found.unconfirmed)
        return found

    def remembered(self, ownership: Ownership, leaks: Leaks) -> tuple[Remembered, ...]:
        """What a sampler that has taken no sample has to be told."""
        return remembered(ownership.by_memory, leaks.found, self._finder.origin_of)


def _folders(table: ProcessTable, view: TmuxView, asked: LeakDetailSource) -> Mapping[PaneKey, str]:
    panes = pane_processes(table, view)
    folders = asked.folders(panes.values())
    return {key: folders[process] for key, process in panes.items() if process in folders}
