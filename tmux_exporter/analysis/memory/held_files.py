"""Memory of files that have no name and that nobody maps: memfds, deleted files of a tmpfs.

Their pages belong to those that hold them open, in equal parts. Listing the open files of a process costs
some 50 µs, so it is done once, again when their number changes, and once a minute while the process runs; and
of so many processes in a sample, those that have waited longest first.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import FileId, HeldFile, HeldFiles, Process, ProcessId, ProcessTable

AGAIN_SECONDS = 60.0
AT_FIRST = 2000
"""Processes that are listed in the first sample: those of 200 panes, which then cost no later one."""

IN_A_SAMPLE = 20
_SHARING_BYTES = 1 << 20
_COUNTED = (OwnerKind.PANE, OwnerKind.LEAKED)


class _Listed(NamedTuple):
    open_fds: int | None
    at: float


class UnmappedFiles:
    """Remembers what each process holds. Call `plan`, `learn`, `mappers`, then `figures` in each sample."""

    def __init__(self) -> None:
        self._before: Mapping[int, Process] = {}
        self._listed: dict[ProcessId, _Listed] = {}
        self._holders: dict[ProcessId, frozenset[HeldFile]] = {}
        self._due: dict[ProcessId, float] = {}
        self._asked: tuple[Process, ...] = ()
        self._most = AT_FIRST
        self._now = 0.0
        self._mapped: Collection[FileId] = frozenset()
        self._mapped_facts: object = None
        self._mapped_until = 0.0

    def plan(self, table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> tuple[ProcessId, ...]:
        """The processes whose open files to list now."""
        before, self._before, self._now = self._before, table.processes, table.taken_at
        for pid in changed_since(before, table):
            now, then = table.processes.get(pid), before.get(pid)
            if then is not None and (now is None or now.id != then.id or not now.alive):
                self._listed.pop(then.id, None)
                self._holders.pop(then.id, None)
                self._due.pop(then.id, None)
            if now is not None and now.alive and now.open_fds and now.uid == table.uid:
                self._note(now, owners)
        due = [each for each, at in self._due.items() if at <= self._now][: self._most]
        self._most = IN_A_SAMPLE
        for each in due:
            del self._due[each]
        self._asked = tuple(table.processes[each.pid] for each in due)
        return tuple(due)

    def learn(self, found: HeldFiles) -> None:
        """Store what was read of the planned ones; nothing of those that could not be read."""
        for each in self._asked:
            self._listed[each.id] = _Listed(each.open_fds, self._now)
            if files := found.get(each.id):
                self._holders[each.id] = files
            else:
                self._holders.pop(each.id, None)

    def mappers(self, table: ProcessTable) -> tuple[ProcessId, ...] | None:
        """The processes whose maps to read now, as they may map one of the files; None where none need be."""
        held = frozenset(file[:2] for files in self._holders.values() for file in files)
        if not held:
            return None
        sharing = tuple(
            each.id
            for each in table.processes.values()
            if (each.shared_memory_bytes or 0) >= _SHARING_BYTES and each.uid == table.uid
        )
        if (held, sharing) == self._mapped_facts and self._now < self._mapped_until:
            return None
        self._mapped_facts, self._mapped_until = (held, sharing), self._now + AGAIN_SECONDS
        return sharing

    def learn_mapped(self, mapped: Collection[FileId]) -> None:
        """Store which files are mapped: they are in the memory of those who map them."""
        self._mapped = mapped

    def figures(self) -> Mapping[ProcessId, int]:
        """Bytes of each process that holds something."""
        holders: dict[FileId, list[ProcessId]] = {}
        sizes: dict[FileId, int] = {}
        for process, files in self._holders.items():
            for file in files:
                if (which := file[:2]) not in self._mapped:
                    holders.setdefault(which, []).append(process)
                    sizes[which] = max(sizes.get(which, 0), file.bytes)
        found: dict[ProcessId, int] = {}
        for which, members in holders.items():
            for process in members:
                found[process] = found.get(process, 0) + sizes[which] // len(members)
        return found

    def _note(self, process: Process, owners: Mapping[ProcessId, Owner]) -> None:
        """Plan when a process that has changed is listed next."""
        owner, listed = owners.get(process.id), self._listed.get(process.id)
        if owner is None or owner.kind not in _COUNTED:
            return
        # A file that is being filled grows between two samples.
        at_once = listed is None or process.id in self._holders or listed.open_fds != process.open_fds
        due = self._now if at_once or listed is None else listed.at + AGAIN_SECONDS
        self._due[process.id] = min(due, self._due.get(process.id, due))
