"""File descriptors counted once: which processes have one table of open files (clone with CLONE_FILES).

A process has its parent's table from its start or never, and a table of its own after an exec. So only
processes forked without exec are asked, once each; those that share are asked in every sample.
"""

from collections.abc import Iterator, Mapping, Sequence

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable, SamePair

_MOST_ORPHANS = 8
"""A process whose parent has ended is compared with so many others of its family at most."""


class SharedTables:
    """Remembers who shares. Call `plan`, ask the kernel for the pairs, `learn`, then `found`."""

    def __init__(self) -> None:
        self._with: dict[ProcessId, ProcessId] = {}
        self._apart: set[ProcessId] = set()
        self._families: object = None
        # Families as they were when each was asked about.
        self._asked: frozenset[tuple[int, ...]] = frozenset()

    def plan(self, table: ProcessTable, families: Sequence[Sequence[int]]) -> tuple[SamePair, ...]:
        """The pairs to ask for. `families` are forked from one another; the same object has the same ones."""
        if families is self._families and not self._with:
            return ()
        self._families = families
        asked, self._asked = self._asked, frozenset(map(tuple, families))
        present = table.processes
        self._with = {
            one: other
            for one, other in self._with.items()
            if all((found := present.get(each.pid)) and found.id == each for each in (one, other))
        }
        groups = [[present[pid] for pid in family] for family in self._asked - asked]
        if asked - self._asked:
            self._apart = {each for each in self._apart if each.pid in present}
        return (*self._with.items(), *(pair for group in groups for pair in self._new(group)))

    def learn(self, same: Mapping[SamePair, bool | None]) -> None:
        """Store the answers; None where the kernel tells nothing: then each counts for itself."""
        for (one, other), answer in same.items():
            if answer:
                self._with[one] = other
                self._apart.discard(one)
            elif self._with.get(one, other) == other:
                self._with.pop(one, None)
                self._apart.add(one)

    def found(self) -> Mapping[ProcessId, ProcessId]:
        """Of those that share: the process by which their table is known."""
        return {each: self._first(each) for each in self._with}

    def _first(self, process: ProcessId) -> ProcessId:
        while (above := self._with.get(process)) is not None:
            process = above
        return process

    def _new(self, family: Sequence[Process]) -> Iterator[SamePair]:
        by_pid = {each.id.pid: each for each in family}
        orphans = [each for each in family if each.ppid not in by_pid]
        for process in family:
            if process.id in self._apart or process.id in self._with:
                continue
            if (parent := by_pid.get(process.ppid)) is not None:
                yield process.id, parent.id
                continue
            older = (each for each in orphans if _is_older(each, process))
            alike = [each for each in older if each.open_fds and each.open_fds == process.open_fds]
            yield from ((process.id, each.id) for each in alike[:_MOST_ORPHANS])


def _is_older(one: Process, other: Process) -> bool:
    return (one.id.start_ticks, one.id.pid) < (other.id.start_ticks, other.id.pid)
