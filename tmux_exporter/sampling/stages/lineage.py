"""Stage: what the kernel's fork events tell of processes that have left everything else behind."""

from collections.abc import Mapping

from tmux_exporter.config import Config
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import LineageReport
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.ownership import Ownership
from tmux_exporter.sampling.stages.protocols import LineageSource, SampleFacts


class LineageStage:
    """Follows forks where that is wanted.

    `ties` are the processes that only their lineage ties to a pane; they are for the attribution of the next
    sample. `orphan_cpu` are the nanoseconds by pane that orphans have used which no sample has seen, and for
    how many nobody asked them; None while no events come.
    """

    def __init__(self, source: LineageSource | None) -> None:
        self._source = source
        self._wanted = False
        self.orphan_cpu: Mapping[PaneKey, tuple[int, int]] | None = None

    def configure(self, config: Config) -> None:
        """Follow forks, or not, from now on."""
        if self._source:
            self._wanted = config.processes.lineage
            self._source.configure(wanted=self._wanted)

    @property
    def ties(self) -> Mapping[ProcessId, Owner]:
        """The owners by lineage."""
        return self._source.forks.ties if self._source and self._wanted else {}

    def observe(self, facts: SampleFacts, ownership: Ownership) -> None:
        """Take one sample."""
        self.orphan_cpu = None
        if not self._source or not self._wanted:
            return
        forks, ahead = self._source.forks, self._source.suspended_seconds()
        ended = self._source.use(
            lambda: forks.observe(facts.table, ownership.owners, ownership.changed, ahead)
        )
        found: dict[PaneKey, tuple[int, int]] = {}
        for each in ended:
            used, unasked = found.get(each.pane, (0, 0))
            found[each.pane] = used + each.nanoseconds, unasked + each.unasked
        if found or self._source.listening:
            self.orphan_cpu = found

    def report(self) -> LineageReport | None:
        """How it goes; None where it is not wanted."""
        if not self._source or not self._wanted:
            return None
        return LineageReport(listening=self._source.listening, lost_total=self._source.lost)
