"""Which limit on memory holds for a set of processes."""

from collections.abc import Iterable

from tmux_exporter.facts.process import Cgroup, MemoryBounds, ProcessId


def lowest_limit(
    bounds: MemoryBounds, processes: Iterable[ProcessId], configured: Iterable[int | None]
) -> int | None:
    """The most that these processes may use together, in bytes; None where nothing bounds them.

    Of the cgroups only those count that hold all of the processes: where each pane has a cgroup of its own,
    its limit is none of a session with two panes. A process whose cgroup is not known is passed over.
    """
    shared = _shared([bounds.cgroups[each] for each in processes if each in bounds.cgroups])
    above = (shared[:depth] for depth in range(len(shared) + 1)) if shared is not None else ()
    known = [bounds.host, *(bounds.limits.get(cgroup) for cgroup in above), *configured]
    return min((limit for limit in known if limit is not None), default=None)


def _shared(cgroups: list[Cgroup]) -> Cgroup | None:
    """The lowest cgroup that holds all of these, None of none."""
    if not cgroups:
        return None
    first, last = min(cgroups), max(cgroups)
    # What the smallest and the largest of some sequences begin with, all between them begin with too.
    depth = next(
        (place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None
    )
    return first if depth is None else first[:depth]
