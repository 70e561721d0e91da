"""Stage: memory and open files of each process without double counting of what is shared."""

from collections.abc import Mapping
from dataclasses import replace

from tmux_exporter.analysis.memory.held_files import UnmappedFiles
from tmux_exporter.analysis.memory.shared_memory import MemoryFigures, SharedMemory
from tmux_exporter.analysis.memory.shared_tables import SharedTables
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.sampling.stages.protocols import HeldFileSource, ProportionSource, SampleFacts

_COUNTED = (OwnerKind.PANE, OwnerKind.LEAKED)


class MemoryStage:
    """Plans which proportions are worth reading, and remembers them."""

    def __init__(self, proportions: ProportionSource | None, held: HeldFileSource | None = None) -> None:
        self._shared = SharedMemory()
        self._proportions = proportions
        self._owners: Mapping[ProcessId, Owner] = {}
        self._owned: frozenset[ProcessId] = frozenset()
        self._files = UnmappedFiles()
        self._tables = SharedTables()
        self._held = held

    def observe(self, facts: SampleFacts, owners: Mapping[ProcessId, Owner]) -> MemoryFigures:
        """The memory figures of this sample."""
        if owners is not self._owners:
            self._owners = owners
            self._owned = frozenset(each for each, owner in owners.items() if owner.kind in _COUNTED)
        asked = self._shared.plan(facts.table, self._owned)
        if asked and self._proportions:
            self._shared.learn(self._proportions.read(asked))
        figures, unmapped = self._shared.figures(), self._unmapped(facts.table, owners)
        tables = self._tables_of(facts.table)
        return replace(figures, unmapped=unmapped, tables=tables) if unmapped or tables else figures

    def _tables_of(self, table: ProcessTable) -> Mapping[ProcessId, ProcessId]:
        if self._held is None:
            return {}
        if asked := self._tables.plan(table, self._shared.families):
            self._tables.learn(self._held.same_tables(asked))
        return self._tables.found()

    def _unmapped(self, table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> Mapping[ProcessId, int]:
        if self._held is None:
            return {}
        if asked := self._files.plan(table, owners):
            self._files.learn(self._held.read(asked))
        if (mappers := self._files.mappers(table)) is not None:
            self._files.learn_mapped(self._held.mapped(mappers))
        return self._files.figures()
