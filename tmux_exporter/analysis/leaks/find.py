"""Finds leaked processes: those that outlived the pane that started them, their kind and their origin.

Attribution finds processes whose pane is gone (`OwnerKind.LEAKED`). Exemptions skip those that are meant to
keep running or cannot be inspected. A process counts as leaked only after two samples. The state of a
scheduler decides instead: it is leaked if it can never deliver its keys or never ends, even while its pane
exists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tmux_exporter.analysis.leaks import exemptions
from tmux_exporter.analysis.leaks.exemptions import Suspect, holding_terminal
from tmux_exporter.analysis.leaks.kinds import LeakKinds, own_kind
from tmux_exporter.analysis.leaks.origins import PaneFolders, PaneOrigins
from tmux_exporter.analysis.leaks.proof import LeakProof
from tmux_exporter.analysis.leaks.terminals import Terminals
from tmux_exporter.analysis.programs.signatures import Signature, matcher
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.leaks import Leak, LeakKind
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Descriptors, LeakDetails, Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState
from tmux_exporter.facts.tmux import PaneKey, TmuxView

LEAKED_STATES = frozenset(
    {
        SchedulerState.DANGLING,
        SchedulerState.SERVERLESS,
        SchedulerState.STALE_GENERATION,
        SchedulerState.IMMORTAL,
    }
)
"""States of a scheduler that never delivers its keys, or never ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """The leaks of one sample in the order of their pids, and the exempt processes with the reason in words.

    `unconfirmed` are the server and session labels of those that only lack a second sample.
    """

    found: tuple[Leak, ...] = ()
    exempt: Mapping[ProcessId, str]
    unconfirmed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """The living processes of one sample whose pane is gone, by pid, and the processes to read details of."""

    processes: Mapping[int, Process]
    to_read: tuple[ProcessId, ...]


def find_orphans(table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> Orphans:
    """The processes that may be leaked; details are read of them and of their tmux servers."""
    leaked = OwnerKind.LEAKED
    found = {}
    servers: dict[ProcessId, None] = {}
    for process_id, owner in owners.items():
        if owner.kind is leaked and (process := table.find(process_id)) is not None:
            found[process_id.pid] = process
            if owner.server is not None:
                servers[owner.server] = None
    return Orphans(processes=found, to_read=(*(each.id for each in found.values()), *servers))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakSample:
    """One sample. `leak_details` are those of `orphans.to_read` that could be read.

    `other_holders` are the open terminals of `Terminals.possible_holders`, None for an unreadable process.
    `folders` are the known working folders of pane processes.
    """

    table: ProcessTable
    owners: Mapping[ProcessId, Owner]
    orphans: Orphans
    schedulers: Sequence[Scheduler]
    signatures: tuple[Signature, ...]
    leak_details: Mapping[ProcessId, LeakDetails]
    other_holders: Mapping[ProcessId, Descriptors | None] = field(default_factory=dict)
    folders: Mapping[PaneKey, str] = field(default_factory=dict)


_NAMED_BY_FOLDER = (
    f"; its session is the only one that worked in its working folder (evidence: {Evidence.FOLDER})"
)

_Own = tuple[object, LeakDetails | None, LeakKind | None]
"""Arguments and details of a process, and the kind that they show."""


class LeakFinder:
    """Finds leaks in each sample; remembers where panes were, and which processes had no pane before."""

    def __init__(
        self, earlier: Iterable[Remembered] = (), left: Iterable[tuple[PaneKey, SessionKey]] = ()
    ) -> None:
        """`earlier` is what another exporter of this machine knew, `left` where panes were before us."""
        earlier = tuple(earlier)
        self.proof = LeakProof(earlier)
        self._origins = PaneOrigins()
        self._folders = PaneFolders()
        self._own: dict[ProcessId, _Own] = {}
        self._guessed: dict[ProcessId, SessionKey] = {}
        for each in earlier:
            origin = (each.server, each.session)
            if each.by_folder:
                self._guessed[each.process] = origin
            elif each.session:
                self._origins.recall(PaneKey(each.origin, each.pane), origin)
        for pane, origin in left:
            self._origins.recall(pane, origin)
        self._before = frozenset(each.process for each in earlier if each.leaked)

    def observe(self, view: TmuxView, session_labels: Mapping[tuple[ProcessId, str], str]) -> None:
        """Note which panes exist; call it before `find`."""
        self._origins.observe(view, session_labels)

    def origin_of(self, pane: PaneKey) -> SessionKey | None:
        """Server and session label of a pane, existing or gone."""
        return self._origins.of_pane(pane)

    def find(self, sample: LeakSample) -> Leaks:
        """The leaks of one sample."""
        self._folders.observe(sample.folders)
        schedulers = self._leaked_schedulers(sample)
        orphans = sample.orphans.processes
        if not orphans:
            self._own = {}
            self._remember(sample)
            return Leaks(found=schedulers, exempt={})
        pairs = frozenset(
            each for one in sample.schedulers for each in (one.process, one.sleep) if each is not None
        )
        suspects = {pid: self._suspect(process, sample, pairs) for pid, process in orphans.items()}
        terminals = Terminals(orphans, sample.leak_details, sample.table, sample.owners)
        nobody_at = terminals.unattended(
            sample.other_holders, lambda process: exemptions.is_meant(suspects[process.id.pid])
        )
        on_terminal = holding_terminal(orphans, nobody_at)
        exempt: dict[ProcessId, str] = {}
        left: dict[int, Process] = {}
        unconfirmed: dict[tuple[str, str], None] = {}
        for pid, process in orphans.items():
            owner = sample.owners[process.id]
            suspect = suspects[pid]
            if pid in on_terminal:
                suspect = replace(suspect, holds_terminal=True)
            if why := exemptions.exempt_reason(suspect):
                exempt[process.id] = why
                if why == exemptions.is_new(suspect):
                    unconfirmed[self._origins.of(owner, process)] = None
            else:
                left[pid] = process
        self._remember(sample)
        found = sorted((*schedulers, *self._classified(left, sample)), key=lambda leak: leak.process)
        return Leaks(found=tuple(found), exempt=exempt, unconfirmed=tuple(unconfirmed))

    def _suspect(self, process: Process, sample: LeakSample, pairs: frozenset[ProcessId]) -> Suspect:
        owner = sample.owners[process.id]
        server = sample.leak_details.get(owner.server) if owner.server else None
        return Suspect(
            process=process,
            leak_details=sample.leak_details.get(process.id),
            ancestors=_ancestors(process, sample.table),
            schedulers=pairs,
            server_unit=server.unit if server else None,
            own_namespaces=sample.table.namespaces,
            seen_before=process.id in self._before,
            proven=self.proof.is_proven(process.id, owner.pane),
        )

    def _classified(self, left: Mapping[int, Process], sample: LeakSample) -> list[Leak]:
        match = matcher(sample.signatures).match
        known: dict[ProcessId, _Own] = {}

        def own(process: Process) -> LeakKind | None:
            # Both stay the same objects until an exec or the next reading.
            facts = sample.leak_details.get(process.id)
            before = self._own.get(process.id)
            if before is None or before[0] is not process.argv or before[1] is not facts:
                before = (process.argv, facts, own_kind(process, match(process), facts))
            known[process.id] = before
            return before[2]

        uses = self.proof.uses(left, sample.leak_details, sample.table.taken_at)
        kinds = LeakKinds(left, sample.table.processes, own)
        self._own = known
        found = []
        for pid, process in left.items():
            owner = sample.owners[process.id]
            kind, why = kinds.of(pid)
            server, session = self._origins.of(owner, process)
            facts = sample.leak_details.get(process.id)
            by_folder = False
            if not session and facts is not None and facts.folder:
                server, session = self._folders.session_of(facts.folder, server, self._origins.of_pane)
                # An exporter that runs longer may have seen other sessions in that folder.
                server, session = self._guessed.get(process.id, (server, session))
                by_folder = bool(session)
            folder_note = _NAMED_BY_FOLDER if by_folder else ""
            leak = Leak(
                process=process.id,
                kind=kind,
                reason=f"{owner.reason}; {why}{_deleted_folder(facts)}{folder_note}",
                server=server,
                session=session,
                pane=owner.pane,
                by_marker=owner.evidence is Evidence.AGENT_MARKER,
                by_folder=by_folder,
                by_lineage=owner.evidence is Evidence.LINEAGE,
                by_environment=not self.proof.is_proven(process.id, owner.pane),
                listens=uses[process.id].listens,
                ports=facts.ports if facts is not None else frozenset(),
                quiet_since=uses[process.id].quiet_since,
            )
            found.append(leak)
        return found

    def _leaked_schedulers(self, sample: LeakSample) -> tuple[Leak, ...]:
        found = []
        for each in sample.schedulers:
            if each.state in LEAKED_STATES:
                server, session, pane = self._origin(each, sample)
                found += [
                    Leak(
                        process=member,
                        kind=LeakKind.SCHEDULER,
                        reason=f"it is a scheduler, {each.state}: {each.reason}",
                        server=server,
                        session=session,
                        pane=pane,
                    )
                    for member in (each.process, each.sleep)
                    if member is not None
                ]
        return tuple(sorted(found, key=lambda leak: leak.process))

    def _origin(self, scheduler: Scheduler, sample: LeakSample) -> tuple[str, str, PaneKey | None]:
        """Session of the pane that started it, else of its target."""
        owner = sample.owners.get(scheduler.process)
        process = sample.table.processes.get(scheduler.process.pid)
        if process is not None and owner is not None and owner.server is not None:
            return (*self._origins.of(owner, process), owner.pane)
        return (*self._origins.of_session(scheduler.server, scheduler.session_id), None)

    def _remember(self, sample: LeakSample) -> None:
        now = frozenset(process.id for process in sample.orphans.processes.values())
        # After an incomplete listing a missing process may still be alive, so keep it.
        self._before = now if sample.table.complete else self._before | now


def _deleted_folder(facts: LeakDetails | None) -> str:
    # As with dev servers of a removed worktree.
    return "; its working folder is deleted" if facts is not None and facts.folder_deleted else ""


def _ancestors(process: Process, table: ProcessTable) -> tuple[Process, ...]:
    """Ancestors, nearest first, up to init; stops at a cycle, which a race while reading can make."""
    found: list[Process] = []
    seen = {process.id.pid}
    parent = table.processes.get(process.ppid)
    child = process
    while parent is not None and parent.id.pid > 1 and parent.id.pid not in seen:
        # A process that started later has reused the pid while the table was read.
        if parent.id.start_ticks > child.id.start_ticks:
            break
        found.append(parent)
        seen.add(parent.id.pid)
        child, parent = parent, table.processes.get(parent.ppid)
    return tuple(found)
