"""Last checks before a signal: what /proc shows of the target processes, held by pidfds; pure.

`gather` reduces the readings to the facts that the audit keeps; LAST_CHECKS judge them. Every row of a method
must hold; the first that fails gives the refusal. No policy overrides them.
"""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.analysis.leaks.proof import is_connected
from tmux_exporter.analysis.programs.process_names import display_name
from tmux_exporter.analysis.programs.program import argv_sha256
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript, is_sleep, read_command
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import Connection, Process, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, Method, Refusal, Signal
from tmux_exporter.facts.shells import POSIX_SHELLS, PROMPT_SHELLS
from tmux_exporter.remediator.decide.candidates import runs_one_of
from tmux_exporter.remediator.decide.order import Order, Stage
from tmux_exporter.remediator.policies.policy import OptIn, Protection, fits


class ProcessContext(NamedTuple):
    """Details read for few processes only; None if unreadable.

    `unit` is the innermost systemd unit, empty where there is none. `reachable` says that it has a socket at
    which others can reach it, `connections` are those that are established.
    """

    unit: str | None
    reachable: bool | None
    connections: frozenset[Connection] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProcess:
    """One process of the target; None means unreadable.

    `is_service` says that it is in a service of systemd that is not a tmux server's own, `holds_server` that
    a tmux server shares its service and is younger. `argv_sha256` is empty where it is not known.
    """

    process: ProcessId
    parent: int
    uid: int
    is_tmux: bool
    is_shell: bool
    is_at_home: bool | None
    is_service: bool | None
    holds_server: bool | None
    is_reachable: bool | None
    argv_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEvidence:
    """What /proc shows of the target's processes, in signal order.

    `children` are the living ones of the first, `named` is the hash of the command line that was judged,
    `by_hash` says that the policy names it, `uid` and `own` are ours: the user, and the pids of this process
    and of all above it. `is_protected` says that a policy file protects one of them by its name or its
    program. Of a leaked process `is_described` says that the policy names its program and that it is as old
    as the policy asks, `is_connected` that it or something below it is connected to something else. Of a
    scheduler `is_pure` says that its command line is nothing but sleep and send-keys, `is_first_sleep` that
    the second is its first sleep.
    """

    method: Method
    members: tuple[TargetProcess, ...]
    children: tuple[ProcessId, ...]
    complete: bool
    uid: int
    own: frozenset[int]
    named: str = ""
    allow: tuple[OptIn, ...] = ()
    is_protected: bool = False
    is_pure: bool = False
    is_first_sleep: bool = False
    by_hash: bool = True
    is_described: bool = False
    is_connected: bool | None = False


def target_processes(order: Order) -> tuple[ProcessId, ...]:
    """The processes held by pidfds; for a scheduler without a sleep its shell twice."""
    processes = order.target.processes
    return (processes[0], processes[-1]) if order.method is Method.SCHEDULER_PAIR else (order.first,)


def gather(
    table: ProcessTable,
    order: Order,
    around: Mapping[ProcessId, ProcessContext],
    uid: int,
    own: frozenset[int],
) -> ProcessEvidence | None:
    """The evidence for an order; None where one of its processes is gone, or another one has its pid."""
    found: list[Process] = []
    targets = target_processes(order)
    for each in targets:
        process = table.find(each)
        if process is None or not process.alive:
            return None
        found.append(process)
    first, last = found[0], found[-1]
    script = _script(first) if order.method is Method.SCHEDULER_PAIR else None
    children = [each.id for each in table.processes.values() if each.ppid == first.id.pid and each.alive]
    servers = servers_in(table)
    # A scheduler must have the grammar of sh; what a person may be typing into is any shell.
    shells = POSIX_SHELLS if order.method is Method.SCHEDULER_PAIR else PROMPT_SHELLS
    members = found
    if order.with_below:
        members = [*found, *(table.processes[each.pid] for each in descendants(table, targets))]
    return ProcessEvidence(
        method=order.method,
        members=tuple(_member(each, table, servers, around, shells) for each in members),
        children=tuple(children),
        complete=table.complete,
        uid=uid,
        own=own,
        named=order.target.argv_sha256,
        allow=order.policy.allow,
        by_hash=order.policy.by_hash,
        is_described=order.method is Method.LEAKED_PROCESS and _is_described(first, table, order),
        is_connected=_is_connected(targets, table, around)
        if order.method is Method.LEAKED_PROCESS
        else False,
        is_protected=any(is_protected(each, order.policy.protected) for each in members),
        is_pure=script is not None,
        is_first_sleep=last.argv is not None
        and is_sleep(last.argv)
        and (script is None or last.argv[1:] == script.sleep_args),
    )


def _is_described(process: Process, table: ProcessTable, order: Order) -> bool:
    """Whether a policy that names no hash names its program, and it is as old as that asks."""
    match = order.policy.match
    if match.opted_in or not match.leak_programs or match.age is None:
        return False
    # Since the boot; while the machine sleeps the first of the two stands still, so that it is younger.
    age = table.taken_at - process.id.start_ticks / table.clock_ticks_per_second
    return age >= match.age and runs_one_of(match, label_text(display_name(process)))


def _is_connected(
    targets: tuple[ProcessId, ...], table: ProcessTable, around: Mapping[ProcessId, ProcessContext]
) -> bool | None:
    tree = (*targets, *descendants(table, targets))
    known = [around.get(each, ProcessContext(None, None)).connections for each in tree]
    return is_connected(known)


def descendants(table: ProcessTable, roots: tuple[ProcessId, ...]) -> tuple[ProcessId, ...]:
    """All living descendants of these processes."""
    children: dict[int, list[ProcessId]] = {}
    for each in table.processes.values():
        if each.alive:
            children.setdefault(each.ppid, []).append(each.id)
    seen = set(roots)
    waiting, found = list(roots), []
    while waiting:
        below = [each for each in children.get(waiting.pop().pid, []) if each not in seen]
        seen.update(below)
        waiting += below
        found += below
    return tuple(sorted(found))


def servers_in(table: ProcessTable) -> tuple[Process, ...]:
    """All processes that may be a tmux server, of any user."""
    return tuple(each for each in table.processes.values() if is_tmux(each) and "client" not in each.comm)


def is_tmux(process: Process) -> bool:
    """Whether its name or program is tmux's."""
    return process.comm.startswith("tmux") or posixpath.basename(process.exe or "") == "tmux"


def _member(
    process: Process,
    table: ProcessTable,
    servers: tuple[Process, ...],
    around: Mapping[ProcessId, ProcessContext],
    shells: frozenset[str],
) -> TargetProcess:
    mine = around.get(process.id, ProcessContext(None, None))
    units = {each.id: around.get(each.id, ProcessContext(None, None)).unit for each in servers}
    beside = [each for each in servers if mine.unit and units[each.id] == mine.unit]
    return TargetProcess(
        process=process.id,
        parent=process.ppid,
        uid=process.uid,
        is_tmux=is_tmux(process),
        is_shell=posixpath.basename(process.exe or "") in shells,
        is_at_home=_is_at_home(process, table, servers),
        is_service=None if mine.unit is None else mine.unit.endswith(".service") and not beside,
        # A service may end with it, and all that is in it; a scope, such as a login, outlives any of them.
        holds_server=None
        if mine.unit is None
        else mine.unit.endswith(".service")
        and any(each.id.start_ticks >= process.id.start_ticks for each in beside),
        is_reachable=mine.reachable,
        argv_sha256=argv_sha256(process),
    )


def is_protected(process: Process, protected: Protection) -> bool:
    """Whether a policy file names it; a program that cannot be read may be any of those that are named."""
    if process.comm in protected.comm:
        return True
    return bool(protected.exe) and (process.exe is None or fits(protected.exe, process.exe))


def _is_at_home(process: Process, table: ProcessTable, servers: tuple[Process, ...]) -> bool | None:
    """Whether its pids mean what they mean here, and its paths what they mean here or to a tmux server.

    A hardened service has its own mount namespace; then only its own paths count.
    """
    home, own = table.namespaces, process.namespaces
    if home is None or own is None:
        return None
    mounts = {home.mount, *(each.namespaces.mount for each in servers if each.namespaces)}
    return own.pid == home.pid and own.mount in mounts


def _script(process: Process) -> PureScript | None:
    """What a shell runs, if that is a pure scheduler."""
    if process.argv is None or process.exe is None or not process.argv_complete:
        return None
    found = read_command(process.argv, posixpath.basename(process.exe))
    return found if isinstance(found, PureScript) else None


def lists_every_child(evidence: ProcessEvidence) -> bool:
    """The listing was complete: an unseen child may be a tmux that is already sending keys."""
    return evidence.complete


def are_of_this_user(evidence: ProcessEvidence) -> bool:
    """All run as the user who runs us."""
    return all(each.uid == evidence.uid for each in evidence.members)


def are_no_tmux(evidence: ProcessEvidence) -> bool:
    """None is a tmux by name or program: otherwise a tmux server looks like an orphan."""
    return not any(each.is_tmux for each in evidence.members)


def hold_no_server(evidence: ProcessEvidence) -> bool:
    """None is older than a tmux server of its own service of systemd: that may end with it."""
    return all(each.holds_server is False for each in evidence.members)


def are_not_above_us(evidence: ProcessEvidence) -> bool:
    """None is this process or one of its ancestors."""
    return evidence.own.isdisjoint(each.process.pid for each in evidence.members)


def are_not_protected(evidence: ProcessEvidence) -> bool:
    """No policy file protects one of them by the name of its process or of its program."""
    return not evidence.is_protected


def are_at_home(evidence: ProcessEvidence) -> bool:
    """None lives in another pid namespace, or sees files of its own, as in a container."""
    return all(each.is_at_home for each in evidence.members)


def are_no_service(evidence: ProcessEvidence) -> bool:
    """None is in a service: that is systemd's to end, which would only start it again."""
    return all(each.is_service is False for each in evidence.members)


def are_out_of_reach(evidence: ProcessEvidence) -> bool:
    """None has a socket at which others reach it."""
    if OptIn.LISTENING_SOCKET in evidence.allow:
        return True
    return all(each.is_reachable is False for each in evidence.members)


def is_a_shell(evidence: ProcessEvidence) -> bool:
    """The program file is a shell's: a command line may quote anything."""
    return evidence.members[0].is_shell


def is_a_pure_scheduler(evidence: ProcessEvidence) -> bool:
    """The shell's command line says sleep, then send-keys, and nothing else."""
    return evidence.is_pure


def has_only_its_sleep(evidence: ProcessEvidence) -> bool:
    """The one child of the shell is that sleep: with another one it is already firing."""
    return evidence.children == (evidence.members[-1].process,)


def sleeps_its_first_sleep(evidence: ProcessEvidence) -> bool:
    """The sleep is one, and the first of the script where that is pure."""
    return evidence.is_first_sleep


def is_no_shell(evidence: ProcessEvidence) -> bool:
    """The root process of an agent is not a shell: a user may be typing into it."""
    return not evidence.members[0].is_shell


def is_what_was_meant(evidence: ProcessEvidence) -> bool:
    """Its command line is still the judged one, and the policy names its hash, or its program and age."""
    same = bool(evidence.named) and evidence.members[0].argv_sha256 == evidence.named
    return same and (evidence.by_hash or evidence.is_described)


def is_connected_to_nobody(evidence: ProcessEvidence) -> bool:
    """Neither it nor anything below it is connected to something outside its tree."""
    return evidence.is_connected is False


ALL = frozenset(Method)
PAIR = frozenset({Method.SCHEDULER_PAIR})
AGENT = frozenset({Method.AGENT_PROCESS})
LEAKED = frozenset({Method.LEAKED_PROCESS})


class LastCheck(NamedTuple):
    """A refusal, the check that prevents it, and the methods it applies to."""

    refusal: Refusal
    holds: Callable[[ProcessEvidence], bool]
    methods: frozenset[Method] = ALL


LAST_CHECKS = (
    LastCheck(Refusal.BLIND, lists_every_child),
    LastCheck(Refusal.OTHER_UID, are_of_this_user),
    LastCheck(Refusal.TMUX_SERVER, are_no_tmux),
    LastCheck(Refusal.TMUX_SERVER, hold_no_server),
    LastCheck(Refusal.OWN_PROCESS, are_not_above_us),
    LastCheck(Refusal.PROTECTED, are_not_protected),
    LastCheck(Refusal.NAMESPACE, are_at_home),
    LastCheck(Refusal.SERVICE, are_no_service),
    LastCheck(Refusal.LISTENING_SOCKET, are_out_of_reach),
    LastCheck(Refusal.EVIDENCE, is_a_shell, PAIR),
    LastCheck(Refusal.EVIDENCE, is_a_pure_scheduler, PAIR),
    LastCheck(Refusal.EVIDENCE, has_only_its_sleep, PAIR),
    LastCheck(Refusal.EVIDENCE, sleeps_its_first_sleep, PAIR),
    LastCheck(Refusal.EVIDENCE, is_no_shell, AGENT),
    LastCheck(Refusal.EVIDENCE, is_what_was_meant, LEAKED),
    LastCheck(Refusal.IN_USE, is_connected_to_nobody, LEAKED),
)


def failed_check(evidence: ProcessEvidence) -> LastCheck | None:
    """The first check that fails; None if all hold."""
    return next(
        (each for each in LAST_CHECKS if evidence.method in each.methods and not each.holds(evidence)), None
    )


def stages_refusal(stages: tuple[Stage, ...], before: Action | None) -> Refusal | None:
    """Why a target may not be sent these signals; `before` is the last that it has survived, by what it was.

    KILL is only for what has survived a STOP, and nothing is for what has survived a KILL.
    """
    if before is Action.KILL:
        return Refusal.UNKILLABLE
    for each in stages:
        if each.signal is Signal.KILL and before is None:
            return Refusal.NOT_STOPPED
        before = each.action
    return None if stages else Refusal.NOT_STOPPED
