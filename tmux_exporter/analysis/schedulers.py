"""Scheduled check-ins: shells that sleep and then send keys to a pane, and what will become of each.

A scheduler is a pair of processes, the shell and its sleep. Its parent, its terminal and its session say
nothing: a live one and an abandoned one look alike in all of them. Only its own command line, its server and
the panes of that server tell. The text that it would type is never kept.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tmux_exporter.analysis.scheduler_aims import Aim, Servers
from tmux_exporter.analysis.shell_grammar import (
    SHELLS,
    OpaqueScript,
    PureScript,
    delay_of,
    is_sleep,
    read_command,
)
from tmux_exporter.model import (
    Owner,
    Process,
    ProcessId,
    ProcessTable,
    Scheduler,
    SchedulerState,
    TmuxView,
)

FIRING_SECONDS = 5.0
"""A sleep that has less left than this counts as over: what is seen now may no longer be true in a moment."""

OVERDUE_SECONDS = 30.0
"""A sleep that is due for longer does not wait by the clock: it is stopped, or the machine was suspended."""

_STARTING_SECONDS = 2.0
_DELETED = " (deleted)"
_GOOD_FATES = frozenset({SchedulerState.ARMED, SchedulerState.MISDIRECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A shell whose command line reads as a scheduler, and its living children."""

    shell: Process
    script: PureScript | OpaqueScript
    program_known: bool
    children: tuple[Process, ...]

    @property
    def sleep(self) -> Process | None:
        """Its only child, if that is a sleep."""
        return self.children[0] if len(self.children) == 1 and is_sleep(self.children[0].argv) else None

    @property
    def since(self) -> ProcessId:
        """The process that began it: a shell may be older than the exec that made it a scheduler."""
        return self.sleep.id if self.sleep is not None else self.shell.id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """What every scheduler of one sample is judged by."""

    table: ProcessTable
    servers: Servers
    now: float


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
) -> tuple[Scheduler, ...]:
    """Every scheduler of this uid, in the order of their pids.

    `default_socket` is tmux's default for this uid when TMUX_TMPDIR is not set; `now` is wall time. A target
    is only called missing by a listing of its living server that was taken after the scheduler began.
    """
    candidates = _candidates(table)
    if not candidates:
        return ()
    sample = _Sample(table=table, servers=Servers(table, view, default_socket), now=now)
    found = [_scheduler(candidate, owners.get(candidate.shell.id), sample) for candidate in candidates]
    return tuple(sorted(found, key=lambda scheduler: scheduler.process))


def _candidates(table: ProcessTable) -> list[_Candidate]:
    scripts: dict[int, tuple[PureScript | OpaqueScript, bool]] = {}
    for pid, process in table.processes.items():
        if process.argv is None or len(process.argv) < 3 or not process.alive:
            continue
        # Only where the program file is not readable does argv[0] count; a login shell's begins with a dash.
        shell = _shell(process.exe if process.exe is not None else process.argv[0].lstrip("-"))
        if shell and (script := read_command(process.argv, shell)) is not None:
            scripts[pid] = script, process.exe is not None
    children: dict[int, list[Process]] = {pid: [] for pid in scripts}
    for process in table.processes.values() if scripts else ():
        if process.ppid in children and process.alive:
            children[process.ppid].append(process)
    candidates = []
    for pid, (script, program_known) in scripts.items():
        shell_process = table.processes[pid]
        parent = table.processes.get(shell_process.ppid)
        # Between fork and exec a child has its parent's command line: it is the sleep or the tmux to be.
        if parent is not None and parent.id.pid in scripts and parent.argv == shell_process.argv:
            continue
        candidate = _Candidate(
            shell=shell_process, script=script, program_known=program_known, children=tuple(children[pid])
        )
        if isinstance(script, PureScript) or candidate.sleep is not None:
            candidates.append(candidate)
    return candidates


@lru_cache(maxsize=1024)
def _shell(program: str) -> str:
    """The shell that a program file is, else nothing."""
    name = posixpath.basename(program.removesuffix(_DELETED))
    return name if name in SHELLS else ""


def _scheduler(candidate: _Candidate, owner: Owner | None, sample: _Sample) -> Scheduler:
    script, sleep = candidate.script, candidate.sleep
    due = _due(sleep, sample.table)
    if isinstance(script, PureScript):
        aims = tuple(sample.servers.aim(send, candidate.shell, candidate.since) for send in script.sends)
        targets = tuple(dict.fromkeys(send.target for send in script.sends if send.target is not None))
        verdict = _judge(candidate, script, aims, sample)
    else:
        aims, targets = (), ()
        verdict = _Verdict(state=SchedulerState.OPAQUE, reason=f"it cannot be judged: {script.reason}")
    if not candidate.program_known:
        verdict = _unknown("its program file is not readable, so it may be no shell")
    server, session_id = _place(aims, owner, sample.servers)
    return Scheduler(
        process=candidate.shell.id,
        sleep=sleep.id if sleep else None,
        state=verdict.state,
        reason=verdict.reason,
        targets=targets,
        server=server,
        session_id=session_id,
        due=due,
        aimed=tuple(dict.fromkeys(aim.view.process for aim in aims if aim.view and aim.view.process)),
        judged_at=_judged_at(aims),
    )


def _judge(candidate: _Candidate, script: PureScript, aims: tuple[Aim, ...], sample: _Sample) -> _Verdict:
    """The first state of the closed list that holds, in its order of precedence."""
    unknown = _own_unknown(candidate, sample) or _aims_unknown(aims)
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
    worst = next((aim for aim in aims if aim.fate is not SchedulerState.ARMED), aims[0])
    if worst.fate is not SchedulerState.ARMED:
        return _Verdict(state=worst.fate, reason=worst.reason)
    if due < sample.now:
        return _Verdict(state=SchedulerState.OVERDUE, reason="its sleep is due and still runs")
    if sample.servers.origin_gone(candidate.shell, candidate.since):
        reason = f"{worst.reason}; the pane that scheduled it is gone"
        return _Verdict(state=SchedulerState.ARMED_ORIGIN_GONE, reason=reason)
    return _Verdict(state=SchedulerState.ARMED, reason=worst.reason)


def _own_unknown(candidate: _Candidate, sample: _Sample) -> str:
    """Why the pair of processes itself cannot be judged."""
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
    else:
        return ""
    return "its sleep is only just starting" if age < _STARTING_SECONDS else ""


def _aims_unknown(aims: tuple[Aim, ...]) -> str:
    """Why it is not known where its keys would go."""
    for aim in aims:
        if aim.fate is SchedulerState.UNKNOWN:
            return aim.reason
    fates = {aim.fate for aim in aims}
    return "only some of its targets are there" if len(fates) > 1 and not fates <= _GOOD_FATES else ""


def _is_first_sleep(sleep: Process, shell: Process, script: PureScript, table: ProcessTable) -> bool:
    """Whether the sleep that runs is the one before the first send."""
    if sleep.argv is None or sleep.argv[1:] != script.sleep_args:
        return False
    # Only where a later sleep is the same does its start have to tell: a shell may be older than its exec.
    late = sleep.id.start_ticks - shell.id.start_ticks > _STARTING_SECONDS * table.clock_ticks_per_second
    return not (script.repeated and late)


def _due(sleep: Process | None, table: ProcessTable) -> float | None:
    """When the sleep ends, in wall time; a lower bound, for it does not count a suspended machine's time."""
    delay = delay_of(sleep.argv[1:]) if sleep is not None and sleep.argv is not None else None
    if sleep is None or delay is None or delay == float("inf"):
        return None
    return table.start_time(sleep.id) + delay


def _place(
    aims: tuple[Aim, ...], owner: Owner | None, servers: Servers
) -> tuple[ProcessId | None, str | None]:
    """Server and session of the resolved target, else of the pane that made it, else the server alone."""
    for key in (*(aim.pane for aim in aims), owner.pane if owner else None):
        pane = servers.pane(key)
        if key is not None and pane is not None:
            return key.server, pane.session_id
    for aim in aims:
        if aim.view is not None and aim.view.process is not None:
            return aim.view.process, None
    return (owner.server if owner else None), None


def _judged_at(aims: tuple[Aim, ...]) -> float | None:
    """When the oldest listing was taken on which the aims rest; None where one of them has no listing."""
    taken = [aim.view.listing.taken_at if aim.view and aim.view.listing else None for aim in aims]
    known = [each for each in taken if each is not None]
    return min(known) if known and len(known) == len(taken) else None


def _unknown(reason: str) -> _Verdict:
    return _Verdict(state=SchedulerState.UNKNOWN, reason=reason)
