"""Which process of a tree holds a figure: the deepest one that has most of it with all below it; pure."""

from collections.abc import Mapping, Sequence

from tmux_exporter.facts.process import ProcessId

SHARE = 2 / 3
"""A holder has at least this share."""

Branches = Mapping[ProcessId, Sequence[ProcessId]]


def branches(root: ProcessId, parents: Mapping[ProcessId, int]) -> Branches:
    """Each process with all below it, by the pids of parents; one without a parent hangs on the root."""
    by_pid = {each.pid: each for each in parents}
    found: dict[ProcessId, list[ProcessId]] = {each: [] for each in parents}
    for each in parents:
        above: ProcessId | None = each
        seen: set[int] = set()
        while above is not None and above.pid not in seen:
            found[above].append(each)
            seen.add(above.pid)
            above = by_pid.get(parents[above])
        if root.pid not in seen:
            found.setdefault(root, []).append(each)
    return found


def holder(root: ProcessId, below: Branches, figures: Mapping[ProcessId, float]) -> ProcessId | None:
    """The deepest process that holds SHARE of a figure with all below it.

    The root only where it alone holds that much; None where nobody does, or there is nothing to hold.
    """
    total = sum(figures.values())

    def holds(members: Sequence[ProcessId]) -> bool:
        return 0 < SHARE * total <= sum(figures.get(each, 0.0) for each in members)

    holders = [each for each in below if each != root and holds(below[each])]
    deepest = min(holders, key=lambda each: len(below[each]), default=None)
    return deepest or (root if holds((root,)) else None)
