"""What outlived the pane that started it, of which kind it is, and where it came from.

Attribution finds whose pane is gone (`OwnerKind.LEAKED`); the guards spare what is meant to stay or may not
be judged; two looks in a row are needed. Schedulers are judged by their own state instead: they are leaked
where nothing of what they wait for can come any more, also while the pane that made them is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.analysis.leaks import exemptions
from tmux_exporter.analysis.leaks.exemptions import Suspect, attended
from tmux_exporter.analysis.leaks.folders import Folders
from tmux_exporter.analysis.leaks.kinds import Kinds, own_kind
from tmux_exporter.analysis.leaks.origins import Place, Places
from tmux_exporter.analysis.programs.signatures import Signature, matcher
from tmux_exporter.facts.leaks import Leak, LeakKind
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Circumstances, Process, ProcessId, ProcessTable
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
"""States of a scheduler that will never arrive, or never end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """The leaks of one sample in the order of their pids, and who was spared, with the reason in words.

    `doubtful` are the places (server and session label) of those who were spared only for want of a second
    look.
    """

    found: tuple[Leak, ...] = ()
    spared: Mapping[ProcessId, str]
    doubtful: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """The living processes of one sample whose pane is gone, by pid, and whose circumstances to read."""

    processes: Mapping[int, Process]
    asked: tuple[ProcessId, ...]


def survivors(table: ProcessTable, owners: Mapping[ProcessId, Owner]) -> Survivors:
    """Those that may be leaked. Beside them their tmux servers are asked."""
    leaked = OwnerKind.LEAKED
    found = {}
    servers: dict[ProcessId, None] = {}
    for process_id, owner in owners.items():
        if owner.kind is leaked:
            process = table.processes.get(process_id.pid)
            if process is not None and process.id == process_id:
                found[process_id.pid] = process
                if owner.server is not None:
                    servers[owner.server] = None
    return Survivors(processes=found, asked=(*(each.id for each in found.values()), *servers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One sample. `circumstances` are those of `outlived.asked`, as far as they could be read.

    `folders` are the working folders of the panes' processes, as far as they are known.
    """

    table: ProcessTable
    owners: Mapping[ProcessId, Owner]
    outlived: Survivors
    schedulers: Sequence[Scheduler]
    signatures: tuple[Signature, ...]
    circumstances: Mapping[ProcessId, Circumstances]
    folders: Mapping[PaneKey, str] = field(default_factory=dict)


_NAMED_BY_FOLDER = (
    f"; its session is the only one that worked in its working folder (evidence: {Evidence.FOLDER})"
)

_Own = tuple[object, Circumstances | None, LeakKind | None]
"""A process's arguments and circumstances, and the kind that they show."""


class LeakBook:
    """Finds leaks, sample by sample; remembers where panes were and who was without one before."""

    def __init__(self, earlier: Iterable[Remembered] = ()) -> None:
        """`earlier` is what another book of this machine knew."""
        self._places = Places()
        self._folders = Folders()
        self._own: dict[ProcessId, _Own] = {}
        self._guessed: dict[ProcessId, Place] = {}
        for each in earlier:
            place = (each.server, each.session)
            if each.by_folder:
                self._guessed[each.process] = place
            elif each.session:
                self._places.recall(PaneKey(each.origin, each.pane), place)
        self._before = frozenset(each.process for each in earlier if each.leaked)

    def observe(self, view: TmuxView, session_labels: Mapping[tuple[ProcessId, str], str]) -> None:
        """Take in which panes there are; before `find`."""
        self._places.observe(view, session_labels)

    def place_of(self, pane: PaneKey) -> Place | None:
        """Where a pane is or was."""
        return self._places.of_pane(pane)

    def find(self, look: Look) -> Leaks:
        """The leaks of one sample."""
        self._folders.observe(look.folders)
        check_ins = self._check_ins(look)
        outlived = look.outlived.processes
        if not outlived:
            self._own = {}
            self._remember(look)
            return Leaks(found=check_ins, spared={})
        pairs = frozenset(
            each for one in look.schedulers for each in (one.process, one.sleep) if each is not None
        )
        held = attended(outlived)
        spared: dict[ProcessId, str] = {}
        left: dict[int, Process] = {}
        doubtful: dict[tuple[str, str], None] = {}
        for pid, process in outlived.items():
            owner = look.owners[process.id]
            server = look.circumstances.get(owner.server) if owner.server else None
            suspect = Suspect(
                process=process,
                circumstances=look.circumstances.get(process.id),
                above=_above(process, look.table),
                schedulers=pairs,
                attended=pid in held,
                server_unit=server.unit if server else None,
                home=look.table.namespaces,
                seen_before=process.id in self._before,
            )
            if why := exemptions.spared(suspect):
                spared[process.id] = why
                if why == exemptions.is_new(suspect):
                    doubtful[self._places.of(owner, process)] = None
            else:
                left[pid] = process
        self._remember(look)
        found = sorted((*check_ins, *self._others(left, look)), key=lambda leak: leak.process)
        return Leaks(found=tuple(found), spared=spared, doubtful=tuple(doubtful))

    def _others(self, left: Mapping[int, Process], look: Look) -> list[Leak]:
        match = matcher(look.signatures).match
        known: dict[ProcessId, _Own] = {}

        def own(process: Process) -> LeakKind | None:
            # Both are the same objects until an exec or the next look at them.
            facts = look.circumstances.get(process.id)
            before = self._own.get(process.id)
            if before is None or before[0] is not process.argv or before[1] is not facts:
                before = (process.argv, facts, own_kind(process, match(process), facts))
            known[process.id] = before
            return before[2]

        kinds = Kinds(left, look.table.processes, own)
        self._own = known
        found = []
        for pid, process in left.items():
            owner = look.owners[process.id]
            kind, why = kinds.of(pid)
            server, session = self._places.of(owner, process)
            facts = look.circumstances.get(process.id)
            by_folder = False
            if not session and facts is not None and facts.folder:
                server, session = self._folders.session_of(facts.folder, server, self._places.of_pane)
                # Who has looked for longer may have seen who else worked there.
                server, session = self._guessed.get(process.id, (server, session))
                by_folder = bool(session)
            leak = Leak(
                process=process.id,
                kind=kind,
                reason=f"{owner.reason}; {why}{_homeless(facts)}{_NAMED_BY_FOLDER if by_folder else ''}",
                server=server,
                session=session,
                pane=owner.pane,
                by_marker=owner.evidence is Evidence.AGENT_MARKER,
                by_folder=by_folder,
            )
            found.append(leak)
        return found

    def _check_ins(self, look: Look) -> tuple[Leak, ...]:
        found = []
        for each in look.schedulers:
            if each.state in LEAKED_STATES:
                server, session, pane = self._origin(each, look)
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

    def _origin(self, scheduler: Scheduler, look: Look) -> tuple[str, str, PaneKey | None]:
        """Where the pane was that made it, else what it aims at."""
        owner = look.owners.get(scheduler.process)
        process = look.table.processes.get(scheduler.process.pid)
        if process is not None and owner is not None and owner.server is not None:
            return (*self._places.of(owner, process), owner.pane)
        return (*self._places.of_session(scheduler.server, scheduler.session_id), None)

    def _remember(self, look: Look) -> None:
        now = frozenset(process.id for process in look.outlived.processes.values())
        # Whoever is missing from half a view may only have been missed.
        self._before = now if look.table.complete else self._before | now


def _homeless(facts: Circumstances | None) -> str:
    # As servers are that a removed worktree has left behind: whoever wanted them has taken it away.
    return "; its working folder is deleted" if facts is not None and facts.folder_deleted else ""


def _above(process: Process, table: ProcessTable) -> tuple[Process, ...]:
    """Its ancestors, nearest first, up to init; a circle (a race of the reading) is cut."""
    found: list[Process] = []
    seen = {process.id.pid}
    parent = table.processes.get(process.ppid)
    child = process
    while parent is not None and parent.id.pid > 1 and parent.id.pid not in seen:
        # A younger one got the number while the table was read.
        if parent.id.start_ticks > child.id.start_ticks:
            break
        found.append(parent)
        seen.add(parent.id.pid)
        child, parent = parent, table.processes.get(parent.ppid)
    return tuple(found)
