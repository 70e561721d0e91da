"""Stage: the kernel's own accounts of panes that have cgroups to themselves.

A pane is read only where something in it ran, so that one at rest costs nothing. What changes while nothing
runs (a process of others that comes into the cgroup, memory that is reclaimed) is seen within a minute; that
members of a pane at rest without a cgroup of its own were moved into one, within eight.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tmux_exporter.analysis.ownership.ledgers import Holding, holding, is_new_to, left_by, tie, unclaimed
from tmux_exporter.facts.cgroups import is_pane_scope
from tmux_exporter.facts.ledgers import (
    NO_GAIN,
    Counts,
    CpuGain,
    CpuSource,
    LedgerCount,
    LedgerFolders,
    PaneLedger,
    PaneScope,
    fullest,
)
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.ownership import Ownership
from tmux_exporter.sampling.stages.protocols import LedgerSource, SampleFacts

FRESH_SECONDS = 60.0
_MOST_PATIENCE = 8


@dataclass(slots=True)
class _Pane:
    """What is known of one pane: its last members, the cgroups of some of them, and those that are its own.

    `used` has the CPU time of each own cgroup at the last reading, `counted` what else it counts. At `due`
    everything is read again.
    """

    members: Sequence[Process] = ()
    due: float = 0.0
    patience: int = 1
    turn: int = 0
    places: dict[ProcessId, tuple[object, LedgerFolders | None]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    counted: Mapping[str, Counts] = field(default_factory=dict)
    memory: tuple[str, ...] = ()
    ledger: PaneLedger = field(default_factory=PaneLedger)

    @property
    def alone(self) -> bool:
        """Whether all that is known of it is in cgroups that others are in too."""
        return bool(self.places) and not self.used and not self.memory


@dataclass(frozen=True, slots=True)
class _Own:
    """The own cgroups of a pane with their pids, and the members that are known to be in others."""

    folders: Mapping[str, frozenset[int]]
    outside: frozenset[ProcessId]
    settled: bool


class LedgerStage:
    """Finds the cgroups of panes, and reads them.

    `ties` are the processes that only the scope of a pane, there or gone, ties to it; they are for the
    attribution of the next sample. `unsettled`: one more sample would tell what is left in a scope.
    """

    def __init__(self, source: LedgerSource) -> None:
        self.ties: Mapping[ProcessId, Owner] = {}
        self.unsettled = False
        self._source = source
        self._panes: dict[PaneKey, _Pane] = {}
        self._shared_until: dict[str, float] = {}
        self._scopes: dict[str, PaneKey] = {}
        self._kills_below: dict[str, int] = {}
        self._unknown_scopes: tuple[PaneScope, ...] = ()
        self._left: dict[str, Owner] = {}
        self._scopes_due = 0.0
        self._processes: Mapping[int, Process] = {}

    def observe(self, facts: SampleFacts, ownership: Ownership) -> Mapping[PaneKey, PaneLedger]:
        """The accounts of this sample, of panes that have any or had some in the last one."""
        self._table, self._owners = facts.table, ownership.owners
        self._detail = facts.config.metrics.pane_detail
        self._held: dict[tuple[str, PaneKey], Holding] = {}
        self._pids: dict[str, frozenset[int] | None] = {}
        self._told: dict[str, float] = {}
        now = facts.table.taken_at
        panes, found = {}, {}
        for pane, members in ownership.members.items():
            kept = panes[pane] = self._panes.get(pane) or _Pane()
            before = kept.ledger
            if kept.members is not members and kept.alone:
                # What is new in it most likely ends soon: it is asked within a minute.
                kept.due = min(kept.due, now + FRESH_SECONDS)
            if now >= kept.due or (kept.members is not members and not kept.alone):
                self._look(pane, kept, members, now)
            elif before.cpu.nanoseconds or any(before.counts.values()):
                counts = dict.fromkeys(before.counts, 0)
                kept.ledger = replace(before, cpu=before.cpu._replace(nanoseconds=0), counts=counts)
            if before.cpu.active or kept.memory or kept.used or kept.ledger.counts:
                found[pane] = kept.ledger
        found.update(self._ended(self._panes.keys() - panes.keys()))
        self._panes = panes
        self._look_for_left_scopes(facts)
        if self._scopes or self._left or self.ties:
            self._look_at_scopes()
        self._processes = facts.table.processes
        return found

    def _look(self, pane: PaneKey, kept: _Pane, members: Sequence[Process], now: float) -> None:
        places, was_due = kept.places, now >= kept.due
        if was_due:
            # Where nothing has a cgroup of its own, the first process shows one first; the others in turn.
            kept.turn += 1
            asked = {_oldest(members).id, members[kept.turn % len(members)].id}
            alone = not kept.used and not kept.memory
            kept.places = {each: at for each, at in places.items() if alone and each not in asked}
        cpu = self._own(pane, kept, members, "cpu")
        memory = self._own(pane, kept, members, "memory")
        gain = self._gain(kept, members, cpu)
        amounts = [self._source.memory_bytes(each) for each in memory.folders]
        counted = [each for each in amounts if each is not None]
        folders = {**cpu.folders, **memory.folders}
        every = list(folders)
        if self._detail:
            every += [found for each in folders.items() for found in self._source.beside(*each)]
        pids = filter(None, map(self._source.pids, every)) if self._detail else ()
        kept.ledger = PaneLedger(
            cpu=gain,
            memory_bytes=sum(counted) if counted and len(counted) == len(amounts) else None,
            memory_outside=memory.outside,
            cpu_from=_source(cpu),
            counts=self._counts(kept, members, every),
            pids=fullest(pids),
            cgroups=tuple(folders),
        )
        kept.memory = tuple(memory.folders)
        if was_due:
            # Where nothing has an own cgroup, and nothing moved, all members are asked again ever later.
            rests = places and places == kept.places and not cpu.folders and not memory.folders
            kept.patience = min(2 * kept.patience, _MOST_PATIENCE) if rests else 1
        fresh = _fresh_seconds(pane) * kept.patience
        kept.due = now + fresh if cpu.settled and memory.settled else now
        kept.members = members
        living = {each.id for each in members}
        kept.places = {each: place for each, place in kept.places.items() if each in living}
        for each in cpu.folders:
            if is_pane_scope(posixpath.basename(each)):
                self._scopes[each] = pane

    def _own(self, pane: PaneKey, kept: _Pane, members: Sequence[Process], kind: str) -> _Own:
        """The own cgroups of one kind: those of before, and those of members that are in none of these."""
        before: Iterable[str] = kept.used if kind == "cpu" else kept.memory
        known = {each.id for each in kept.members} or {_oldest(members).id}
        own: dict[str, frozenset[int]] = {}
        covered: set[int] = set()
        outside: set[ProcessId] = set()
        settled = True

        def takes(folder: str) -> bool:
            found = self._holding(folder, pane)
            nonlocal settled
            settled &= not found.undecided
            if found.own:
                own[folder] = self._pids[folder] or frozenset()
                covered.update(own[folder])
            return found.own

        for folder in before:
            takes(folder)
        for process in members:
            if process.id.pid in covered:
                continue
            if process.id not in known:
                # Most of those that are new end soon; the others are asked in the next sample.
                settled = False
                continue
            place = self._place(kept, process)
            folder = getattr(place, kind) if place is not None else ""
            if folder in own:
                # It moved or ended after it was asked.
                kept.places.pop(process.id, None)
                settled = False
            elif place is not None and not (folder and takes(folder)):
                outside.add(process.id)
        return _Own(own, frozenset(outside), settled)

    def _place(self, kept: _Pane, process: Process) -> LedgerFolders | None:
        """The cgroups of a process; read again after an exec, before which tmux moves it."""
        place = kept.places.get(process.id)
        if place is None or place[0] is not process.argv:
            place = kept.places[process.id] = (process.argv, self._source.folders(process.id.pid))
        return place[1]

    def _holding(self, folder: str, pane: PaneKey) -> Holding:
        if (found := self._held.get((folder, pane))) is None:
            found = self._held[folder, pane] = self._judge(folder, pane)
        return found

    def _judge(self, folder: str, pane: PaneKey) -> Holding:
        if self._shared_until.get(folder, 0.0) > self._table.taken_at:
            return Holding(own=False)
        if folder not in self._pids:
            self._pids[folder] = self._source.members(folder)
        pids = self._pids[folder]
        if pids is None:
            return Holding(own=False)
        found = holding(
            pids,
            pane,
            self._table,
            self._owners,
            earlier=self._processes,
            is_scope=is_pane_scope(posixpath.basename(folder)),
        )
        if not found.own:
            if len(self._shared_until) > len(self._panes) + 100:
                self._shared_until.clear()
            self._shared_until[folder] = self._table.taken_at + FRESH_SECONDS
        return found

    def _gain(self, kept: _Pane, members: Sequence[Process], own: _Own) -> CpuGain:
        before, used = kept.used, {}
        gained, active = 0, False
        outside = set(own.outside)
        for folder, pids in own.folders.items():
            now = self._source.cpu_nanoseconds(folder)
            if now is None:
                outside.update(each.id for each in members if each.id.pid in pids)
                continue
            used[folder] = now
            if folder in before:
                gained += max(0, now - before[folder])
                active = True
            elif self._is_of_a_new_pane(kept, members, folder):
                gained += now
                active = True
            else:
                outside.update(each.id for each in members if each.id.pid in pids)
        kept.used = used
        return CpuGain(gained, frozenset(outside), active=True) if active else NO_GAIN

    def _counts(self, kept: _Pane, members: Sequence[Process], folders: Iterable[str]) -> Counts:
        """By how much each count of these cgroups has grown since the last reading; 0 at the first."""
        gains: dict[LedgerCount, float] = {}
        counted = {}
        for folder in folders:
            before, now = kept.counted.get(folder), self._source.counts(folder, detail=self._detail)
            for each, count in now.items():
                gain = count - before.get(each, count) if before is not None else 0
                gains[each] = gains.get(each, 0) + max(0, gain)
                if each is LedgerCount.OOM_KILLS:
                    parent = posixpath.dirname(folder)
                    self._told[parent] = self._told.get(parent, 0) + max(0, gain)
            is_new = before is None and self._is_of_a_new_pane(kept, members, folder)
            # What a new pane has counted already shows in the next sample, so that `increase()` sees it.
            counted[folder] = dict.fromkeys(now, 0.0) if is_new else now
        kept.counted = counted
        return gains

    def _ended(self, gone: Iterable[PaneKey]) -> Mapping[PaneKey, PaneLedger]:
        """What was killed in cgroups that went with their pane: systemd ends a scope after a kill in it.

        The cgroup above still counts it. Where several went from below one, nobody can say whose it was.
        """
        below: dict[str, list[PaneKey]] = {each: [] for each in self._told}
        for pane in gone:
            for folder, counted in self._panes[pane].counted.items():
                if LedgerCount.OOM_KILLS in counted:
                    below.setdefault(posixpath.dirname(folder), []).append(pane)
        found = {}
        for parent, ended in below.items():
            kills, before = self._source.kills_below(parent), self._kills_below.pop(parent, None)
            if kills is None:
                continue
            self._kills_below[parent] = kills
            rest = kills - before - self._told.get(parent, 0) if before is not None else 0
            if rest > 0 and len(ended) == 1:
                found[ended[0]] = PaneLedger(counts={LedgerCount.OOM_KILLS: rest})
        return found

    def _is_of_a_new_pane(self, kept: _Pane, members: Sequence[Process], folder: str) -> bool:
        """Whether all that a cgroup has used is of a pane that no sample has seen yet."""
        is_new = self._processes and not kept.members and is_new_to(self._processes, _oldest(members).id)
        return bool(is_new) and is_pane_scope(posixpath.basename(folder))

    def _look_for_left_scopes(self, facts: SampleFacts) -> None:
        """Once a minute, find scopes of panes that were gone before this began; judge them a sample later."""
        for scope in self._unknown_scopes:
            if scope.folder not in self._scopes and (owner := left_by(scope, facts.table, facts.view)):
                self._left[scope.folder] = owner
        self._unknown_scopes, is_first = (), not self._scopes_due
        if facts.table.taken_at >= self._scopes_due:
            self._scopes_due = facts.table.taken_at + FRESH_SECONDS
            known = {posixpath.basename(each) for each in (*self._scopes, *self._left)}
            self._unknown_scopes = tuple(self._source.scopes(known))
        self.unsettled = is_first and bool(self._unknown_scopes)

    def _look_at_scopes(self) -> None:
        """Find the processes that only the scope of their pane ties to it, also once the pane is gone."""
        ties = {}
        for folder, pane in list(self._scopes.items()):
            if pane in self._panes and (folder, pane) not in self._held:
                # Nothing ran in it.
                ties.update({each: owner for each, owner in self.ties.items() if owner.pane == pane})
                continue
            found = self._holding(folder, pane)
            if self._pids.get(folder, frozenset()) is None:
                del self._scopes[folder]
            ties.update(dict.fromkeys(found.unclaimed, tie(pane)))
        for folder, owner in list(self._left.items()):
            pids = self._source.members(folder)
            if pids is None:
                del self._left[folder]
            ties.update(dict.fromkeys(unclaimed(pids or (), self._table, self._owners, owner), owner))
        if ties != self.ties:
            self.ties = ties
            self.unsettled |= bool(self._left)


def _oldest(members: Sequence[Process]) -> Process:
    return min(members, key=lambda each: each.id.start_ticks)


def _source(cpu: _Own) -> CpuSource:
    if not cpu.folders:
        return CpuSource.PROCESSES
    return CpuSource.MIXED if cpu.outside else CpuSource.CGROUP


def _fresh_seconds(pane: PaneKey) -> float:
    """Not the same for all, so that not all of them are read again in one sample."""
    return FRESH_SECONDS * (1 - int(pane.pane[1:] or 0) % 32 / 64)
