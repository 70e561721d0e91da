"""Finds schedulers, shells that sleep and then send keys to a pane, and decides the state of each.

A scheduler is a pair of processes: the shell and its sleep. Parent, terminal and session are the same for a
useful scheduler and an abandoned one. Only its command line, its server and the panes of that server decide.
The text that it would type is never kept.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tmux_exporter.analysis.schedulers.candidates import SchedulerCandidate, ScriptReader
from tmux_exporter.analysis.schedulers.destinations import Destination, ServerIndex
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript, delay_of
from tmux_exporter.analysis.schedulers.tmux_program import doubt
from tmux_exporter.analysis.schedulers.warnings import PaneStates, remarks
from tmux_exporter.config import SchedulerSettings
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import Scheduler, SchedulerRemark, SchedulerState, ShellFacts
from tmux_exporter.facts.tmux import TmuxView

FIRING_SECONDS = 5.0
"""A sleep with less time left than this counts as over: the sample may be outdated in a moment."""

OVERDUE_SECONDS = 30.0
"""A sleep overdue for longer was stopped, or the machine was suspended."""

_STARTING_SECONDS = 2.0
_PRECEDENCE = {state: rank for rank, state in enumerate(SchedulerState)}
_GOOD_STATES = frozenset({SchedulerState.ARMED, SchedulerState.MISDIRECTED})
_ARRIVING = frozenset({SchedulerState.ARMED, SchedulerState.ARMED_ORIGIN_GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """The facts of one sample that decide the state of every scheduler."""

    table: ProcessTable
    servers: ServerIndex
    now: float
    settings: SchedulerSettings
    panes: PaneStates
    shells: Mapping[ProcessId, ShellFacts] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    state: SchedulerState
    reason: str


def find_schedulers(
    table: ProcessTable,
    owners: Mapping[ProcessId, Owner],
    view: TmuxView,
    default_socket: str,
    now: float,
    *,
    settings: SchedulerSettings | None = None,
    panes: PaneStates | None = None,
    candidates: Sequence[SchedulerCandidate] | None = None,
    shells: Mapping[ProcessId, ShellFacts] | None = None,
) -> tuple[Scheduler, ...]:
    """Every scheduler of this uid, in the order of their pids.

    `default_socket` is tmux's default for this uid when TMUX_TMPDIR is not set; `now` is wall time. A target
    is missing only by a listing of its running server that was taken after the scheduler started.
    `candidates` are those of the table, if known; `shells` are the answers to their `shell_questions`, None
    where these cannot be answered.
    """
    if candidates is None:
        candidates = ScriptReader().candidates(table)
    if not candidates:
        return ()
    sample = _Sample(
        table=table,
        servers=ServerIndex(table, view, default_socket),
        now=now,
        settings=settings or SchedulerSettings(),
        panes=panes or PaneStates(),
        shells=shells,
    )
    found = [(each, _scheduler(each, _origin(each, owners), sample)) for each in candidates]
    duplicates = _duplicates(found, sample.settings)
    return tuple(
        sorted(
            (_as_duplicate(each, duplicates.get(each.process)) for _, each in found),
            key=lambda scheduler: scheduler.process,
        )
    )


def _origin(candidate: SchedulerCandidate, owners: Mapping[ProcessId, Owner]) -> Owner | None:
    # The state of a scheduler may end it; an agent marker is too weak for that.
    owner = owners.get(candidate.shell.id)
    return None if owner is not None and owner.evidence is Evidence.AGENT_MARKER else owner


def _scheduler(candidate: SchedulerCandidate, owner: Owner | None, sample: _Sample) -> Scheduler:
    script, sleep = candidate.script, candidate.sleep
    due = _due(sleep, sample.table)
    destinations: tuple[Destination, ...] = ()
    targets: tuple[str, ...] = ()
    found_remarks: tuple[SchedulerRemark, ...] = ()
    if not isinstance(script, PureScript):
        verdict = _Verdict(state=SchedulerState.OPAQUE, reason=f"it cannot be judged: {script.reason}")
    elif (doubtful := _doubted(candidate, script, sample)) is not None:
        verdict = doubtful
    else:
        destinations = tuple(
            sample.servers.destination(send, candidate.shell, candidate.since) for send in script.sends
        )
        targets = tuple(dict.fromkeys(send.target for send in script.sends if send.target is not None))
        verdict = _judge(candidate, script, destinations, owner, sample)
        began = sample.table.start_time(candidate.since)
        found_remarks = remarks(
            script, destinations, began, panes=sample.panes, table=sample.table, servers=sample.servers
        )
    if not candidate.program_known:
        verdict = _unknown("its program file is not readable, so it may be no shell")
    server, session_id = _session_of(destinations, owner, sample.servers)
    return Scheduler(
        process=candidate.shell.id,
        sleep=sleep.id if sleep else None,
        state=verdict.state,
        reason=verdict.reason,
        targets=targets,
        server=server,
        session_id=session_id,
        due=due,
        aimed=tuple(
            dict.fromkeys(
                destination.view.process
                for destination in destinations
                if destination.view and destination.view.process
            )
        ),
        judged_at=_judged_at(destinations, sample.servers.taken_at),
        panes=tuple(
            dict.fromkeys(destination.pane for destination in destinations if destination.pane is not None)
        ),
        remarks=found_remarks,
        sockets=tuple(
            dict.fromkeys(
                destination.socket for destination in destinations if destination.socket is not None
            )
        ),
    )


def _doubted(candidate: SchedulerCandidate, script: PureScript, sample: _Sample) -> _Verdict | None:
    """The verdict where its `tmux` may be another program."""
    if sample.shells is None:
        return None
    found = doubt(candidate, script, sample.shells.get(candidate.shell.id))
    return None if found is None else _Verdict(state=found[0], reason=found[1])


def _duplicates(
    found: list[tuple[SchedulerCandidate, Scheduler]], settings: SchedulerSettings
) -> dict[ProcessId, ProcessId]:
    """Maps schedulers that will fire to a newer duplicate."""
    entries = [
        PendingScheduler(
            process=each.process,
            since=candidate.since.start_ticks,
            keys=(candidate.script.keys, each.panes),
            wait=candidate.script.sleep_args,
            due=each.due,
        )
        for candidate, each in found
        if each.state in _ARRIVING and each.due is not None and isinstance(candidate.script, PureScript)
    ]
    return find_duplicates(entries, settings.duplicate_within)


def _as_duplicate(scheduler: Scheduler, newer: ProcessId | None) -> Scheduler:
    if newer is None:
        return scheduler
    reason = f"a newer one, process {newer.pid}, types the same into the same pane"
    return replace(scheduler, state=SchedulerState.DUPLICATE, reason=reason)


def _judge(
    candidate: SchedulerCandidate,
    script: PureScript,
    destinations: tuple[Destination, ...],
    owner: Owner | None,
    sample: _Sample,
) -> _Verdict:
    """The first state that applies, in the precedence of the closed list."""
    unknown = _own_unknown(candidate, script, sample) or _destinations_unknown(destinations)
    if unknown:
        return _unknown(unknown)
    sleep = candidate.sleep
    if sleep is None or not _is_first_sleep(sleep, candidate.shell, script, sample.table):
        return _Verdict(state=SchedulerState.FIRING, reason="its first sleep is over")
    due = _due(sleep, sample.table)
    if due is None:
        return _Verdict(state=SchedulerState.IMMORTAL, reason="its sleep never ends")
    if -OVERDUE_SECONDS <= due - sample.now < FIRING_SECONDS:
        return _Verdict(state=SchedulerState.FIRING, reason="its sleep ends within seconds")
    if script.delay > sample.settings.horizon:
        reason = f"its sleep takes {script.delay / 86400:.6g} days, longer than schedulers.horizon"
        return _Verdict(state=SchedulerState.IMMORTAL, reason=reason)
    worst = min(destinations, key=lambda destination: _PRECEDENCE[destination.state])
    if worst.state is not SchedulerState.ARMED:
        return _Verdict(state=worst.state, reason=worst.reason)
    if due < sample.now:
        why = "it is stopped" if sleep.state in ("T", "t") else "was the machine suspended?"
        return _Verdict(state=SchedulerState.OVERDUE, reason=f"its sleep is due and still runs: {why}")
    origin_is_gone = owner is not None and owner.kind is OwnerKind.LEAKED
    if origin_is_gone or sample.servers.origin_gone(candidate.shell, candidate.since):
        reason = f"{worst.reason}; the pane that scheduled it is gone"
        return _Verdict(state=SchedulerState.ARMED_ORIGIN_GONE, reason=reason)
    return _Verdict(state=SchedulerState.ARMED, reason=worst.reason)


def _own_unknown(candidate: SchedulerCandidate, script: PureScript, sample: _Sample) -> str:
    """Why the processes themselves do not allow a verdict; empty where they do."""
    table = sample.table
    if not table.complete:
        return "not all processes could be listed"
    if any(child.argv is None for child in candidate.children):
        return "its child's command line is not readable"
    shell = candidate.shell
    forked = [child.id.start_ticks for child in candidate.children if child.argv == shell.argv]
    if forked:
        age = (min(forked) - shell.id.start_ticks) / table.clock_ticks_per_second
    elif not candidate.children:
        age = sample.now - table.start_time(shell.id)
        if candidate.program == "busybox" and age < script.delay:
            return "it has no sleep of its own: some shells of busybox sleep without one"
    else:
        return ""
    return "its sleep is only just starting" if age < _STARTING_SECONDS else ""


def _destinations_unknown(destinations: tuple[Destination, ...]) -> str:
    """Why its destinations are not known; empty where they are."""
    for destination in destinations:
        if destination.state is SchedulerState.UNKNOWN:
            return destination.reason
    good = {destination.state in _GOOD_STATES for destination in destinations}
    return "only some of its targets are there" if len(good) > 1 else ""


def _is_first_sleep(sleep: Process, shell: Process, script: PureScript, table: ProcessTable) -> bool:
    """Whether the running sleep is the one before the first send."""
    if sleep.argv is None or sleep.argv[1:] != script.sleep_args:
        return False
    # The start decides only where a later sleep has the same arguments: a shell may be older than its exec.
    late = sleep.id.start_ticks - shell.id.start_ticks > _STARTING_SECONDS * table.clock_ticks_per_second
    return not (script.repeated and late)


def _due(sleep: Process | None, table: ProcessTable) -> float | None:
    """The wall time at which the sleep ends; a lower bound, because time in suspend does not count."""
    delay = delay_of(sleep.argv[1:]) if sleep is not None and sleep.argv is not None else None
    if sleep is None or delay is None or delay == float("inf"):
        return None
    return table.start_time(sleep.id) + delay


def _session_of(
    destinations: tuple[Destination, ...], owner: Owner | None, servers: ServerIndex
) -> tuple[ProcessId | None, str | None]:
    """Server and session of the resolved target, else of the pane that started it, else the server alone."""
    for key in (*(destination.pane for destination in destinations), owner.pane if owner else None):
        pane = servers.pane(key)
        if key is not None and pane is not None:
            return key.server, pane.session_id
    for destination in destinations:
        if destination.view is not None and destination.view.process is not None:
            return destination.view.process, None
    return (owner.server if owner else None), None


def _judged_at(destinations: tuple[Destination, ...], searched_at: float | None) -> float | None:
    """Monotonic time of the oldest listing that the destinations depend on; None where one has no listing.

    A destination without a server depends on the search for servers, at `searched_at`.
    """
    taken = [
        searched_at
        if destination.state is SchedulerState.SERVERLESS
        else destination.view.listing.taken_at
        if destination.view and destination.view.listing
        else None
        for destination in destinations
    ]
    known = [each for each in taken if each is not None]
    return min(known) if known and len(known) == len(taken) else None


def _unknown(reason: str) -> _Verdict:
    return _Verdict(state=SchedulerState.UNKNOWN, reason=reason)


SAME_TIME_SECONDS = 60.0
"""Two schedulers due within this time count as due at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScheduler:
    """A scheduler that will fire. `keys` identifies its keys and panes, `wait` its sleep.

    `since` is its start in ticks: the later one is newer; of two with the same start, the larger pid.
    """

    process: ProcessId
    since: int
    keys: Hashable
    wait: Hashable
    due: float

    @property
    def age(self) -> tuple[int, int]:
        """Larger for a newer one."""
        return self.since, self.process.pid


def find_duplicates(entries: Iterable[PendingScheduler], within: float) -> dict[ProcessId, ProcessId]:
    """Maps each entry with a newer duplicate to that duplicate; the newest of all is never a key.

    A duplicate sends the same keys to the same panes, and either has the same sleep and is due less than
    `within` seconds later, or is due at the same time.
    """
    found: dict[ProcessId, ProcessId] = {}
    by_keys: dict[Hashable, list[PendingScheduler]] = {}
    by_wait: dict[Hashable, list[PendingScheduler]] = {}
    for entry in entries:
        by_keys.setdefault(entry.keys, []).append(entry)
        by_wait.setdefault((entry.keys, entry.wait), []).append(entry)
    for alike in by_keys.values():
        if len(alike) > 1:
            found.update(_near(sorted(alike, key=lambda entry: entry.due)))
    for alike in by_wait.values():
        alike.sort(key=lambda entry: entry.age)
        for older, newer in pairwise(alike):
            if abs(newer.due - older.due) < within:
                found[older.process] = newer.process
    return found


def _near(ordered: list[PendingScheduler]) -> dict[ProcessId, ProcessId]:
    """Entries, sorted by due time, that have a newer one due at the same time."""
    found: dict[ProcessId, ProcessId] = {}
    # A monotonic queue of entries within reach of the current one: the first is the newest in reach.
    window: deque[PendingScheduler] = deque()
    ahead = 0
    for entry in ordered:
        while ahead < len(ordered) and ordered[ahead].due - entry.due < SAME_TIME_SECONDS:
            while window and window[-1].age < ordered[ahead].age:
                window.pop()
            window.append(ordered[ahead])
            ahead += 1
        while entry.due - window[0].due >= SAME_TIME_SECONDS:
            window.popleft()
        if window[0].process != entry.process:
            found[entry.process] = window[0].process
    return found
