"""Stage: the pane or server that each process belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.report.remembered import known_by_memory, owners_of
from tmux_exporter.analysis.report.unchanged import CachedConclusion, ProcessSetVersion, tmux_version
from tmux_exporter.analysis.report.view import Members, PaneMembers, PaneProcessIds, pane_process_ids
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.sampling.stages.facts import Dependencies, SampleFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The owners of one sample.

    `members` are the living processes of each pane. `by_memory` are those that only earlier samples tie to
    their pane. What follows from owners and from tmux alone depends on `dependencies`.
    """

    owners: Mapping[ProcessId, Owner]
    members: Members
    by_memory: tuple[tuple[ProcessId, Owner], ...]
    dependencies: Dependencies


class OwnershipStage:
    """Attributes processes; remembers owners from sample to sample."""

    def __init__(self, earlier: Iterable[Remembered] = ()) -> None:
        """`earlier` is what another sampler of this machine knew."""
        self._known: Mapping[ProcessId, Owner] = owners_of(earlier)
        self._owned: CachedConclusion[Mapping[ProcessId, Owner]] = CachedConclusion()
        self._versions = ProcessSetVersion()
        self._our_versions = ProcessSetVersion()
        self._owners: Mapping[ProcessId, Owner] = {}
        self._pane_processes: PaneProcessIds = {}
        self._by_memory: tuple[tuple[ProcessId, Owner], ...] = ()
        self._members = PaneMembers()

    def observe(self, facts: SampleFacts) -> Ownership:
        """The owners of this sample."""
        table, view = facts.table, facts.view
        version, shown = self._versions.number(table), tmux_version(table, view)
        same = (version, shown) if table.complete else None
        owners = self._owned.of(same, lambda: attribute(table, view, self._known))
        # After an incomplete listing a missing process may still be alive: keep its owner.
        self._known = owners if table.complete else {**self._known, **owners}
        # While a conclusion stands it is the same object.
        if owners is not self._owners:
            self._owners = owners
            self._pane_processes, self._by_memory = pane_process_ids(owners), known_by_memory(owners)
        # Nothing further on depends on processes that have no owner.
        our_version = self._our_versions.number(table, {each.pid for each in owners})
        return Ownership(
            owners=owners,
            members=self._members.of(table, self._pane_processes),
            by_memory=self._by_memory,
            dependencies=same and (shown, self._owned.number, our_version),
        )
