"""Counters of what cgroups of panes count besides CPU time (OOM kills, I/O, pressure), by label."""

from collections.abc import Container, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from tmux_exporter.analysis.label_expiry import LabelExpiry
from tmux_exporter.facts.ledgers import NO_COUNTS, Counts, PaneLedger
from tmux_exporter.facts.tmux import PaneKey

K = TypeVar("K", bound=Hashable)


class LedgerCounters(Generic[K]):
    """Call `observe` once per sample, in order. Each count of a label begins with 0."""

    def __init__(self) -> None:
        self._totals: dict[K, Counts] = {}
        self._keys: Mapping[PaneKey, AbstractSet[K]] = {}
        self._expiry: LabelExpiry[K] = LabelExpiry()

    def observe(
        self,
        ledgers: Mapping[PaneKey, PaneLedger],
        panes: Mapping[PaneKey, AbstractSet[K]],
        agents: Iterable[tuple[PaneKey, K]],
    ) -> None:
        """Count one sample for the labels of panes, and of the agents in them.

        What a pane that has gone had counted counts for the labels that it had.
        """
        keys: dict[PaneKey, AbstractSet[K]] = {}
        for pane, ledger in ledgers.items():
            if ledger.counts:
                keys[pane] = panes.get(pane) or self._keys.get(pane, frozenset())
        for pane, agent in agents if keys else ():
            if pane in keys:
                keys[pane] |= {agent}
        for pane, labels in keys.items():
            gains = ledgers[pane].counts
            for key in labels:
                before = self._totals.get(key, NO_COUNTS)
                if any(gains.values()) or not gains.keys() <= before.keys():
                    grown = {each: before.get(each, 0) + gain for each, gain in gains.items()}
                    self._totals[key] = {**before, **grown}
        self._keys = keys

    def of(self, key: K) -> Counts:
        """The counts of a label, as far as its cgroups have them; the same object until one grows."""
        return self._totals.get(key, NO_COUNTS)

    def retain(self, shown: Container[K], at: float) -> None:
        """As that of GroupCounters."""
        for key in self._expiry.expired(self._totals, shown, at):
            del self._totals[key]
