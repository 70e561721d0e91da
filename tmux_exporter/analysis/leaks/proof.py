"""What earlier samples prove of leaked processes: the pane each was seen in, since when each is quiet."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Connection, LeakDetails, Process, ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.tmux import PaneKey

_STRONG = frozenset({Evidence.TREE, Evidence.KERNEL_SESSION, Evidence.TTY})


class Use(NamedTuple):
    """What a leaked process and all below it do: `listens` and `quiet_since` as in Leak."""

    listens: bool | None
    quiet_since: float | None


class LeakProof:
    """Remembers the panes of processes, and when a leaked process was last connected to."""

    def __init__(self, earlier: Iterable[Remembered] = ()) -> None:
        """`earlier` is what another sampler of this machine knew."""
        known = tuple(earlier)
        self._panes = {each.process: PaneKey(each.origin, each.pane) for each in known if each.proven}
        self._quiet = {each.process: each.quiet_since for each in known if each.quiet_since is not None}

    def observe(self, changed: Iterable[ProcessId], owners: Mapping[ProcessId, Owner]) -> None:
        """Note in which pane each process is seen, for those whose owner has changed."""
        for process in changed:
            owner = owners.get(process)
            if owner is None:
                self._panes.pop(process, None)
            elif owner.kind is OwnerKind.PANE and owner.evidence in _STRONG and owner.pane is not None:
                self._panes[process] = owner.pane

    def is_proven(self, process: ProcessId, pane: PaneKey | None) -> bool:
        """Whether a sample has seen it in this pane by more than its environment."""
        return pane is not None and self._panes.get(process) == pane

    def uses(
        self, left: Mapping[int, Process], details: Mapping[ProcessId, LeakDetails], now: float
    ) -> Mapping[ProcessId, Use]:
        """What each leaked process and all below it do; call it once a sample, which begins at `now`."""
        below = _branches(left)
        found = {
            process.id: _use([details.get(each) for each in below[pid]], self._quiet.get(process.id, now))
            for pid, process in left.items()
        }
        self._quiet = {each: use.quiet_since for each, use in found.items() if use.quiet_since is not None}
        return found


def _branches(left: Mapping[int, Process]) -> Mapping[int, list[ProcessId]]:
    """Each leaked process with the leaked ones below it."""
    found: dict[int, list[ProcessId]] = {pid: [] for pid in left}
    for pid, process in left.items():
        above: int = pid
        seen: set[int] = set()
        while above in left and above not in seen:
            seen.add(above)
            found[above].append(process.id)
            above = left[above].ppid
    return found


def _use(tree: list[LeakDetails | None], quiet_since: float) -> Use:
    listening = [None if each is None else each.listens for each in tree]
    ends = [None if each is None else each.connections for each in tree]
    return Use(
        listens=True if True in listening else None if None in listening else False,
        quiet_since=None if is_connected(ends) in (True, None) else quiet_since,
    )


def is_connected(tree: Iterable[frozenset[Connection] | None]) -> bool | None:
    """Whether one of the processes of a tree is connected to something outside it; None: not known."""
    known = list(tree)
    ends = {end for each in known if each is not None for end in each}
    if any((other, own) not in ends for own, other in ends):
        return True
    return None if None in known else False
