"""Stage: processes that outlived their pane."""

from collections.abc import Iterable, Mapping, Sequence

from tmux_exporter.analysis.leaks.find import LeakBook, Leaks, Look, survivors
from tmux_exporter.analysis.leaks.folders import pane_processes
from tmux_exporter.analysis.programs.signatures import SIGNATURES, merge
from tmux_exporter.analysis.report.remembered import remembered
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sampling.protocols import CircumstanceSource
from tmux_exporter.sampling.stages.facts import SampleFacts
from tmux_exporter.sampling.stages.ownership import Ownership


class LeakStage:
    """Finds leaks; remembers where panes were.

    `unsettled`: one more sample would tell a leak from a process that was only ending.
    """

    def __init__(self, earlier: Iterable[Remembered], circumstances: CircumstanceSource | None) -> None:
        """`earlier` is what another sampler of this machine knew."""
        self._book = LeakBook(earlier)
        self._circumstances = circumstances
        self.unsettled = False

    def observe(self, facts: SampleFacts, ownership: Ownership, schedulers: Sequence[Scheduler]) -> Leaks:
        """The leaks of this sample."""
        self._book.observe(facts.view, facts.labels)
        outlived = survivors(facts.table, ownership.owners)
        asked = self._circumstances
        look = Look(
            table=facts.table,
            owners=ownership.owners,
            outlived=outlived,
            schedulers=schedulers,
            signatures=merge(SIGNATURES, facts.config.agents.signatures),
            circumstances=asked.read(outlived.asked) if asked else {},
            folders=_folders(facts.table, facts.view, asked) if asked else {},
        )
        found = self._book.find(look)
        self.unsettled = bool(found.doubtful)
        return found

    def remembered(self, ownership: Ownership, leaks: Leaks) -> tuple[Remembered, ...]:
        """What a sampler that has taken no sample has to be told."""
        return remembered(ownership.by_memory, leaks.found, self._book.place_of)


def _folders(table: ProcessTable, view: TmuxView, asked: CircumstanceSource) -> Mapping[PaneKey, str]:
    panes = pane_processes(table, view)
    folders = asked.folders(panes.values())
    return {key: folders[process] for key, process in panes.items() if process in folders}
