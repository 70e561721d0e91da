"""Whose a cgroup is: that of one pane if every process in it belongs to that pane.

A scope that tmux itself has made for a pane says more: a process in it that nothing else ties to anybody was
started there, for a cgroup is inherited and left only by somebody's deliberate act.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tmux_exporter.facts.ledgers import PaneScope
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView


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


def unclaimed(
    pids: Iterable[int], table: ProcessTable, owners: Mapping[ProcessId, Owner], by: Owner
) -> list[ProcessId]:
    """Those of these processes that nothing else ties to anybody; `by` is what this itself has said."""
    living = (each for pid in pids if (each := table.processes.get(pid)) is not None and each.alive)
    return [
        each.id
        for each in living
        if (owner := owners.get(each.id)) is None
        or owner.kind is OwnerKind.OTHER
        or (owner.kind is by.kind and owner.pane is None and owner.server == by.server)
    ]


def is_new_to(earlier: Mapping[int, Process], process: ProcessId) -> bool:
    """Whether a process is not among these."""
    known = earlier.get(process.pid)
    return known is None or known.id != process


_CLOCK_SECONDS = 2.0
"""Starts of processes and times of files are by different clocks."""


def left_by(scope: PaneScope, table: ProcessTable, view: TmuxView) -> Owner | None:
    """The owner of what is in the scope of a pane that no sample has seen; None where the pane may be there.

    `scope` was found before the table was read and the servers were asked.
    """
    server = table.processes.get(scope.server_pid)
    if server is None or not server.alive or table.start_time(server.id) > scope.made_at + _CLOCK_SECONDS:
        # Its pid belongs to nobody or to a later process.
        identity = ProcessId(scope.server_pid, 0)
        return _left(identity, "which has ended") if table.complete else None
    known = next((each for each in view.servers if each.process == server.id), None)
    if known is None or not known.up or known.listing is None or known.listing.taken_at < table.taken_at:
        return None
    # Of a dead pane nobody can say which process it had.
    if any(pane.pid is None or pane.pid == scope.pane_pid for pane in known.listing.panes):
        return None
    return _left(server.id, f"whose panes have no process {scope.pane_pid} any more")


def _left(server: ProcessId, why: str) -> Owner:
    reason = f"is in the cgroup that tmux made for a pane of tmux server {server.pid}, {why}"
    return Owner(kind=OwnerKind.LEAKED, evidence=Evidence.CGROUP, reason=reason, server=server)


def tie(pane: PaneKey) -> Owner:
    """The owner of a process that only the scope of a pane ties to it."""
    return Owner(
        kind=OwnerKind.PANE,
        evidence=Evidence.CGROUP,
        reason=f"is in the cgroup that tmux made for pane {pane.pane} of tmux server {pane.server.pid}",
        server=pane.server,
        pane=pane,
    )
