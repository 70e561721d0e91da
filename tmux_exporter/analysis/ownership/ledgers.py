"""Whose a cgroup is: that of one pane if every process in it belongs to that pane.

A scope that tmux itself has made for a pane says more: a process in it that nothing else ties to anybody was
started there, for a cgroup is inherited and left only by somebody's deliberate act.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey


class Holding(NamedTuple):
    """Whether a cgroup holds processes of one pane only, and those of them that nothing else ties to anybody.

    `undecided`: it has a process that is too young to be judged.
    """

    own: bool
    unclaimed: tuple[ProcessId, ...] = ()
    undecided: bool = False


def holding(
    pids: Iterable[int],
    pane: PaneKey,
    table: ProcessTable,
    owners: Mapping[ProcessId, Owner],
    *,
    earlier: Mapping[int, Process],
    is_scope: bool,
) -> Holding:
    """Judge a cgroup by its members.

    `earlier` are the processes of the sample before. `is_scope`: tmux made it for a pane.
    A pid that the table does not have began later, and in this cgroup as its parent: it says nothing.
    """
    unclaimed = []
    undecided = False
    for pid in pids:
        process = table.processes.get(pid)
        if process is None or not process.alive:
            continue
        owner = owners.get(process.id)
        if owner is not None and owner.pane == pane and owner.kind in (OwnerKind.PANE, OwnerKind.LEAKED):
            continue
        if owner is not None and owner.kind is not OwnerKind.OTHER:
            return Holding(own=False)
        if is_scope:
            unclaimed.append(process.id)
        elif earlier and is_new_to(earlier, process.id):
            # Its environment may not be there yet.
            undecided = True
        else:
            return Holding(own=False)
    return Holding(own=True, unclaimed=tuple(unclaimed), undecided=undecided)


def is_new_to(earlier: Mapping[int, Process], process: ProcessId) -> bool:
    """Whether a process is not among these."""
    known = earlier.get(process.pid)
    return known is None or known.id != process


def tie(pane: PaneKey) -> Owner:
    """The owner of a process that only the scope of a pane ties to it."""
    return Owner(
        kind=OwnerKind.PANE,
        evidence=Evidence.CGROUP,
        reason=f"is in the cgroup that tmux made for pane {pane.pane} of tmux server {pane.server.pid}",
        server=pane.server,
        pane=pane,
    )
