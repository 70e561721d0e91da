"""The memory limit of a set of processes: the lowest of cgroup, host and configured limits."""

from collections.abc import Iterable

from tmux_exporter.facts.process import Cgroup, MemoryBounds, ProcessId


def lowest_limit(
    bounds: MemoryBounds, processes: Iterable[ProcessId], configured: Iterable[int | None]
) -> int | None:
    """The most that these processes may use together, in bytes; None without a limit.

    Only cgroups that contain all of the processes count: the limit of a cgroup per pane does not apply to a
    session with two panes. A process whose cgroup is not known is skipped.
    """
    shared = _shared([bounds.cgroups[each] for each in processes if each in bounds.cgroups])
    above = (shared[:depth] for depth in range(len(shared) + 1)) if shared is not None else ()
    known = [bounds.host, *(bounds.limits.get(cgroup) for cgroup in above), *configured]
    return min((limit for limit in known if limit is not None), default=None)


def _shared(cgroups: list[Cgroup]) -> Cgroup | None:
    """The deepest cgroup that contains all of these; None for an empty list."""
    if not cgroups:
        return None
    first, last = min(cgroups), max(cgroups)
    # A common prefix of the smallest and the largest sequence is a prefix of all between them.
    depth = next(
        (index for index, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None
    )
    return first if depth is None else first[:depth]
