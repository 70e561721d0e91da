"""Stage: the pane or server that each process belongs to."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmux_exporter.analysis.ownership.attribution import NO_TIES, Ties
from tmux_exporter.analysis.ownership.incremental import Attributor
from tmux_exporter.analysis.report.remembered import is_by_memory, owners_of, restored
from tmux_exporter.analysis.report.view import Members, PaneMembers
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.agents import SavedTie
from tmux_exporter.facts.owner import Evidence, Owner
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.protocols import SampleFacts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The owners of one sample; `changed` are the processes whose owner was added, replaced or removed.

    `members` are the living processes of each pane; in `changed_panes` one of them came, went or changed its
    identity. `by_memory` are those that only earlier samples tie to their pane. `corrected` counts owners
    and panes with wrong members that an audit has corrected.
    """

    owners: Mapping[ProcessId, Owner]
    changed: frozenset[ProcessId]
    members: Members
    changed_panes: frozenset[PaneKey]
    by_memory: tuple[tuple[ProcessId, Owner], ...]
    corrected: int


class OwnershipStage:
    """Attributes processes; remembers owners from sample to sample."""

    def __init__(self, earlier: Iterable[Remembered] = (), saved: Iterable[SavedTie] = ()) -> None:
        """`earlier` is what another sampler of this machine knew, `saved` what one before this did."""
        owners = {**restored(saved), **owners_of(earlier)}
        self._told = {each: owner for each, owner in owners.items() if owner.evidence is Evidence.LINEAGE}
        self._attributor = Attributor(
            {each: owner for each, owner in owners.items() if each not in self._told}
        )
        self._by_memory: tuple[tuple[ProcessId, Owner], ...] = ()
        self._members = PaneMembers()

    def observe(self, facts: SampleFacts, ties: Ties = NO_TIES) -> Ownership:
        """The owners of this sample; `ties` are what other sources say of processes."""
        ties = {**self._told, **ties} if self._told else ties
        found = self._attributor.observe(facts.table, facts.view, facts.changes.processes, ties)
        if found.changed:
            known = {each: owner for each, owner in self._by_memory if each not in found.changed}
            changed = ((each, found.owners.get(each)) for each in found.changed)
            known.update({each: owner for each, owner in changed if owner and is_by_memory(owner)})
            self._by_memory = tuple(sorted(known.items()))
        members = self._members.observe(facts.table, found, facts.changes.processes)
        wrong = {"processes": found.corrected, "panes": self._members.corrected}
        if any(wrong.values()):
            _log.error("owners corrected by an audit", extra=log_fields(**wrong))
        return Ownership(
            owners=found.owners,
            changed=found.changed,
            members=members,
            changed_panes=self._members.changed,
            by_memory=self._by_memory,
            corrected=sum(wrong.values()),
        )
