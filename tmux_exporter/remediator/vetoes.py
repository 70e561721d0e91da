"""What no policy overrides: each veto is a small pure function with its own reason.

Two tables. VETOES speak on a report, before a decision and again on the last look. PROOFS speak on what /proc
shows of the two processes while both are held by pidfds. Every row must agree; the first that does not gives
the refusal.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.analysis.shell_grammar import SHELLS, PureScript, is_sleep, read_command
from tmux_exporter.model import Process, ProcessId, ProcessTable, SchedulerState
from tmux_exporter.remediation import Refusal
from tmux_exporter.remediator.rules import Policy
from tmux_exporter.report import Report, SchedulerReport


class Moment(NamedTuple):
    """One instant on both clocks."""

    wall: float
    monotonic: float


class Pair(NamedTuple):
    """A scheduler: its shell and the sleep that it waits for."""

    shell: ProcessId
    sleep: ProcessId


def pair_of(scheduler: SchedulerReport) -> Pair:
    """The two processes of a scheduler; of one without a sleep, which is vetoed, its shell twice."""
    return Pair(scheduler.process, scheduler.sleep or scheduler.process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scheduler as a report shows it; `own` are the pids of this process and of all above it."""

    scheduler: SchedulerReport
    report: Report
    policy: Policy
    moment: Moment
    own: frozenset[int]

    @property
    def pids(self) -> frozenset[int]:
        """The pids of its processes."""
        return frozenset(each.pid for each in pair_of(self.scheduler))


class Veto(NamedTuple):
    """A reason, and the function that has to be true for it not to be given."""

    refusal: Refusal
    allows: Callable[[Case], bool]


def is_dangling(case: Case) -> bool:
    """It is a pure scheduler with its first sleep, and none of its targets exists."""
    return case.scheduler.state is SchedulerState.DANGLING


def is_in_scope(case: Case) -> bool:
    """It aims at no other server than those that the policy is for."""
    scope = case.policy.servers
    return not scope or (bool(case.scheduler.aimed) and set(case.scheduler.aimed) <= set(scope))


def is_match(case: Case) -> bool:
    """It is what the policy is for; this is no veto: what is no match is not told of either."""
    return is_dangling(case) and is_in_scope(case)


def sees_all_processes(case: Case) -> bool:
    """The listing of the processes was complete."""
    return case.report.collector_success.get("processes", False)


def sees_its_servers(case: Case) -> bool:
    """Every server that it aims at has answered, completely and in this sample or lately."""
    known = {server.server: server for server in case.report.servers}
    aimed = [known.get(label) for label in case.scheduler.aimed]
    return bool(aimed) and all(
        server is not None and server.up and not server.held and server.problem is None for server in aimed
    )


def is_recent(case: Case) -> bool:
    """The oldest listing it was judged by is not older than the policy allows."""
    judged_at = case.scheduler.judged_at
    return judged_at is not None and 0 <= case.moment.monotonic - judged_at <= case.policy.max_age


def has_its_sleep(case: Case) -> bool:
    """There is a sleep to end: without one it may be sending its keys right now."""
    return case.scheduler.sleep is not None


def has_time(case: Case) -> bool:
    """It will not fire while it is looked at."""
    due = case.scheduler.due_timestamp_seconds
    return due is not None and due - case.moment.wall >= case.policy.remaining


def is_no_known_server(case: Case) -> bool:
    """Neither process is a tmux server: that would end every session in it."""
    return case.pids.isdisjoint(server.pid for server in case.report.servers)


def is_not_above_us(case: Case) -> bool:
    """Neither process is this one or above it."""
    return case.pids.isdisjoint(case.own)


VETOES = (
    Veto(Refusal.BLIND, sees_all_processes),
    Veto(Refusal.SERVER_UNKNOWN, sees_its_servers),
    Veto(Refusal.STALE, is_recent),
    Veto(Refusal.NOT_A_PAIR, has_its_sleep),
    Veto(Refusal.TOO_LATE, has_time),
    Veto(Refusal.TMUX_SERVER, is_no_known_server),
    Veto(Refusal.OWN_PROCESS, is_not_above_us),
)


def refusal(case: Case) -> Refusal | None:
    """Why the scheduler of this case must be left alone; None if nothing speaks against ending it."""
    return next((veto.refusal for veto in VETOES if not veto.allows(case)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What /proc shows of a pair; `children` are the living ones of the shell, `own` as in Case."""

    shell: Process
    sleep: Process
    children: tuple[Process, ...]
    complete: bool
    uid: int
    own: frozenset[int]

    @property
    def script(self) -> PureScript | None:
        """What the shell runs, if that is a pure scheduler."""
        if self.shell.argv is None or self.shell.exe is None:
            return None
        found = read_command(self.shell.argv, posixpath.basename(self.shell.exe))
        return found if isinstance(found, PureScript) else None


class Proof(NamedTuple):
    """A reason, and the function that has to be true for it not to be given."""

    refusal: Refusal
    holds: Callable[[Evidence], bool]


def gather(table: ProcessTable, pair: Pair, uid: int, own: frozenset[int]) -> Evidence | None:
    """The evidence about a pair; None where one of the two is gone, or another process has its pid."""
    shell, sleep = (table.processes.get(each.pid) for each in pair)
    if shell is None or sleep is None or (shell.id, sleep.id) != pair or not (shell.alive and sleep.alive):
        return None
    children = [each for each in table.processes.values() if each.ppid == pair.shell.pid and each.alive]
    return Evidence(
        shell=shell, sleep=sleep, children=tuple(children), complete=table.complete, uid=uid, own=own
    )


def lists_every_child(evidence: Evidence) -> bool:
    """A child that could not be seen may be a tmux that is already typing."""
    return evidence.complete


def are_of_this_user(evidence: Evidence) -> bool:
    """Both run as the user who runs us."""
    return evidence.shell.uid == evidence.sleep.uid == evidence.uid


def are_no_tmux(evidence: Evidence) -> bool:
    """Neither is a tmux, by its name or by its program: a server looks like an orphan in everything else."""
    return not any(
        each.comm.startswith("tmux") or posixpath.basename(each.exe or "") == "tmux"
        for each in (evidence.shell, evidence.sleep)
    )


def are_not_above_us(evidence: Evidence) -> bool:
    """Neither is this process or above it."""
    return evidence.own.isdisjoint((evidence.shell.id.pid, evidence.sleep.id.pid))


def is_a_shell(evidence: Evidence) -> bool:
    """The program file is a shell's: a command line may quote anything."""
    return posixpath.basename(evidence.shell.exe or "") in SHELLS


def is_a_pure_scheduler(evidence: Evidence) -> bool:
    """The shell's command line says sleep, then send-keys, and nothing else."""
    return evidence.script is not None


def has_only_its_sleep(evidence: Evidence) -> bool:
    """The one child of the shell is that sleep: with another one it is already firing."""
    return tuple(each.id for each in evidence.children) == (evidence.sleep.id,)


def sleeps_its_first_sleep(evidence: Evidence) -> bool:
    """The sleep is one, and the first of the script where that is pure."""
    script, argv = evidence.script, evidence.sleep.argv
    return argv is not None and is_sleep(argv) and (script is None or argv[1:] == script.sleep_args)


PROOFS = (
    Proof(Refusal.BLIND, lists_every_child),
    Proof(Refusal.OTHER_UID, are_of_this_user),
    Proof(Refusal.TMUX_SERVER, are_no_tmux),
    Proof(Refusal.OWN_PROCESS, are_not_above_us),
    Proof(Refusal.EVIDENCE, is_a_shell),
    Proof(Refusal.EVIDENCE, is_a_pure_scheduler),
    Proof(Refusal.EVIDENCE, has_only_its_sleep),
    Proof(Refusal.EVIDENCE, sleeps_its_first_sleep),
)


def objection(evidence: Evidence) -> Proof | None:
    """The first proof that fails; None if all hold."""
    return next((proof for proof in PROOFS if not proof.holds(evidence)), None)
