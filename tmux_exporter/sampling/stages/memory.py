"""Stage: memory of each process without double counting of shared pages."""

from collections.abc import Mapping

from tmux_exporter.analysis.memory.shared_memory import MemoryFigures, SharedMemory
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sampling.stages.protocols import ProportionSource, SampleFacts

_COUNTED = (OwnerKind.PANE, OwnerKind.LEAKED)


class MemoryStage:
    """Plans which proportions are worth reading, and remembers them."""

    def __init__(self, proportions: ProportionSource | None) -> None:
        self._shared = SharedMemory()
        self._proportions = proportions
        self._owners: Mapping[ProcessId, Owner] = {}
        self._owned: frozenset[ProcessId] = frozenset()

    def observe(self, facts: SampleFacts, owners: Mapping[ProcessId, Owner]) -> MemoryFigures:
        """The memory figures of this sample."""
        if owners is not self._owners:
            self._owners = owners
            self._owned = frozenset(each for each, owner in owners.items() if owner.kind in _COUNTED)
        asked = self._shared.plan(facts.table, self._owned)
        if asked and self._proportions:
            self._shared.learn(self._proportions.read(asked))
        return self._shared.figures()
