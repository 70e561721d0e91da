"""Each proof with the decoys that it alone stops: what /proc shows of processes that are held.

Every decoy is left alone; with its proof taken out of the table it is not. A proof without a decoy of its own
fails here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.support.literals.listings import process, table
from tests.support.remediator.orders import HARMLESS, KILL, STOP, pair_order, single_order
from tests.support.remediator.orphans import OWN, orphan
from tmux_exporter.analysis.programs.program import argv_sha256
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import Namespaces, Process, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, Method, Refusal, Signal, TargetKind
from tmux_exporter.remediator.decide import last_checks
from tmux_exporter.remediator.decide.last_checks import (
    ProcessContext,
    ProcessEvidence,
    descendants,
    failed_check,
    gather,
    stages_refusal,
    target_processes,
)
from tmux_exporter.remediator.decide.order import Order, Stage
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import NamePattern, OptIn, Protection, TargetMatch
from tmux_exporter.sources.processes.leak_details import parse_unit

P = ORPHANED_SCHEDULERS
NOTHING = Protection()
HOME = Namespaces(pid="pid:[1]", mount="mnt:[1]")
SCRIPT = "sleep 600 && tmux send-keys -t gone:0 'secret text' && sleep 1 && tmux send-keys -t gone:0 Enter"


def at_home(made: Process) -> Process:
    return replace(made, namespaces=HOME)


SHELL = at_home(process(500, 1, ["bash", "-c", SCRIPT]))
SLEEP = at_home(process(501, 500, ["sleep", "600"]))
AGENT = at_home(process(600, 590, ["claude"], exe="/usr/bin/claude"))
LEAK = at_home(process(700, 1, ["node", "helper.js"], exe="/usr/bin/node"))
SERVER = at_home(
    process(100, 1, ["tmux", "new-session"], comm="tmux: server", exe="/usr/bin/tmux", start=1_000)
)
UID = SHELL.uid
NAMED = argv_sha256(LEAK)
BY_HASH = TargetMatch(kind=TargetKind.LEAKED_PROCESS, argv_sha256=(NAMED,), opted_in=True)
BY_KIND = TargetMatch(
    kind=TargetKind.LEAKED_PROCESS,
    leak_kinds=(LeakKind.MCP_SERVER,),
    leak_programs=(NamePattern("node"),),
    age=7200.0,
)
OLD = LEAK.id.start_ticks / 100 + 7200.0
"""The time since the boot at which it is as old as that."""
CHILD = at_home(process(701, 700, ["node", "worker.js"], exe="/usr/bin/node"))


def seen(*processes: Process, complete: bool = True) -> ProcessTable:
    return replace(table(*processes, complete=complete), namespaces=HOME)


def order(
    method: Method,
    *members: Process,
    allow: tuple[OptIn, ...] = (),
    named: str = NAMED,
    protected: Protection = NOTHING,
    match: TargetMatch = BY_HASH,
) -> Order:
    policy = replace(P, allow=allow, protected=protected)
    if method is Method.SCHEDULER_PAIR:
        shell, *rest = (each.id for each in members)
        return pair_order(policy, orphan(process=shell, sleep=rest[0] if rest else None))
    if method is Method.LEAKED_PROCESS:
        policy = replace(policy, match=match)
    return single_order(policy, method, members[0].id, argv_sha256=named)


def gathered(
    made: Order, shown: ProcessTable, around: Mapping[ProcessId, ProcessContext] | None = None
) -> ProcessEvidence | None:
    harmless = {each.id: HARMLESS for each in shown.processes.values()}
    return gather(shown, made, {**harmless, **(around or {})}, UID, OWN)


def evidence(
    shell: Process = SHELL,
    sleep: Process = SLEEP,
    *more: Process,
    complete: bool = True,
    around: Mapping[ProcessId, ProcessContext] | None = None,
    allow: tuple[OptIn, ...] = (),
    protected: Protection = NOTHING,
) -> ProcessEvidence:
    """Of a scheduler."""
    made = order(Method.SCHEDULER_PAIR, shell, sleep, allow=allow, protected=protected)
    found = gathered(made, seen(shell, sleep, *more, complete=complete), around)
    assert found is not None
    return found


def single(
    method: Method,
    target: Process,
    *more: Process,
    around: Mapping[ProcessId, ProcessContext] | None = None,
    allow: tuple[OptIn, ...] = (),
    named: str = NAMED,
    protected: Protection = NOTHING,
    match: TargetMatch = BY_HASH,
    uptime: float = 10.0,
) -> ProcessEvidence:
    """Of an agent or a leaked process."""
    made = order(method, target, allow=allow, named=named, protected=protected, match=match)
    found = gathered(made, replace(seen(target, *more), taken_at=uptime), around)
    assert found is not None
    return found


def agent(target: Process = AGENT, *more: Process, **how: object) -> ProcessEvidence:
    return single(Method.AGENT_PROCESS, target, *more, **how)  # type: ignore[arg-type]


def leaked(target: Process = LEAK, *more: Process, **how: object) -> ProcessEvidence:
    return single(Method.LEAKED_PROCESS, target, *more, **how)  # type: ignore[arg-type]


def older(made: Process) -> Process:
    return replace(made, id=ProcessId(made.id.pid, SERVER.id.start_ticks - 1))


def unit(name: str | None, *members: Process) -> dict[ProcessId, ProcessContext]:
    return {each.id: HARMLESS._replace(unit=name) for each in members}


CONTAINER = Namespaces(pid="pid:[2]", mount="mnt:[1]")
OWN_MOUNTS = Namespaces(pid="pid:[1]", mount="mnt:[2]")


def replace_connections(ends: frozenset[tuple[str, str]] | None) -> ProcessContext:
    return HARMLESS._replace(connections=ends)


def connected(process: Process, *ends: tuple[str, str]) -> dict[ProcessId, ProcessContext]:
    return {process.id: replace_connections(frozenset(ends))}


OPEN = HARMLESS._replace(reachable=True)
HIDDEN = HARMLESS._replace(reachable=None)

DECOYS: dict[Callable[[ProcessEvidence], bool], list[ProcessEvidence]] = {
    last_checks.lists_every_child: [evidence(complete=False)],
    last_checks.are_of_this_user: [
        evidence(shell=replace(SHELL, uid=UID + 1)),
        evidence(sleep=replace(SLEEP, uid=0)),
        replace(evidence(), uid=UID + 1),
        agent(replace(AGENT, uid=UID + 1)),
        leaked(replace(LEAK, uid=0)),
    ],
    last_checks.are_no_tmux: [
        evidence(shell=replace(SHELL, comm="tmux: server")),
        evidence(sleep=replace(SLEEP, exe="/opt/tmux/bin/tmux")),
        evidence(sleep=replace(SLEEP, comm="tmux: client")),
        agent(replace(AGENT, comm="tmux: server")),
        leaked(replace(LEAK, exe="/usr/local/bin/tmux")),
    ],
    last_checks.hold_no_server: [
        evidence(older(SHELL), SLEEP, SERVER, around=unit("s.service", older(SHELL), SERVER)),
        agent(older(AGENT), SERVER, around=unit("agent.service", older(AGENT), SERVER)),
        leaked(older(LEAK), SERVER, around=unit("tmux.service", older(LEAK), SERVER)),
    ],
    last_checks.are_not_above_us: [
        replace(evidence(), own=frozenset({500})),
        replace(evidence(), own=frozenset({501})),
        replace(agent(), own=frozenset({600})),
        replace(leaked(), own=frozenset({700})),
    ],
    last_checks.are_not_protected: [
        evidence(protected=Protection(comm=("sleep",))),
        evidence(protected=Protection(comm=("bash",))),
        evidence(protected=Protection(exe=(NamePattern("/usr/bin/ba*", glob=True),))),
        # What it is cannot be read; the shell of a scheduler needs a program for other reasons.
        agent(replace(AGENT, exe=None), protected=Protection(exe=(NamePattern("/usr/sbin/x"),))),
    ],
    last_checks.are_at_home: [
        evidence(shell=replace(SHELL, namespaces=CONTAINER)),
        evidence(sleep=replace(SLEEP, namespaces=OWN_MOUNTS)),
        agent(replace(AGENT, namespaces=CONTAINER)),
        leaked(replace(LEAK, namespaces=None)),
    ],
    last_checks.are_no_service: [
        evidence(around=unit("run-r1.service", SHELL, SLEEP)),
        agent(around=unit("agent.service", AGENT)),
        leaked(LEAK, SERVER, around=unit("web.service", LEAK)),
    ],
    last_checks.are_out_of_reach: [
        evidence(around={SHELL.id: OPEN}),
        agent(around={AGENT.id: OPEN}),
        leaked(around={LEAK.id: OPEN}),
        leaked(around={LEAK.id: HIDDEN}),
    ],
    last_checks.is_a_shell: [
        evidence(shell=replace(SHELL, exe="/usr/bin/python3.11")),
        evidence(shell=replace(SHELL, exe="/usr/bin/fish")),
    ],
    last_checks.is_a_pure_scheduler: [
        evidence(shell=replace(SHELL, argv=("bash", "-c", "while :; do sleep 600; done"))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", SCRIPT.replace("&&", "| tee x &&")))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", SCRIPT.replace("gone:0", "$T")))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", f"{SCRIPT} 'x;' kill-server"))),
        evidence(shell=replace(SHELL, argv=("bash", "later.sh"))),
        evidence(shell=replace(SHELL, argv=None)),
        evidence(shell=replace(SHELL, argv_complete=False)),
    ],
    last_checks.has_only_its_sleep: [
        evidence(SHELL, SLEEP, process(502, 500, ["tmux", "send-keys"])),
        evidence(SHELL, SLEEP, process(502, 500, None)),
        evidence(sleep=replace(SLEEP, ppid=1)),
    ],
    last_checks.sleeps_its_first_sleep: [
        evidence(sleep=replace(SLEEP, argv=("sleep", "1"))),
        evidence(sleep=replace(SLEEP, argv=("sleep", "600", "600"))),
        evidence(sleep=replace(SLEEP, argv=("cat", "600"))),
        evidence(sleep=replace(SLEEP, argv=None)),
    ],
    last_checks.is_no_shell: [
        agent(replace(AGENT, exe="/bin/bash")),
        agent(replace(AGENT, exe="/usr/bin/dash")),
    ],
    last_checks.is_connected_to_nobody: [
        leaked(around=connected(LEAK, ("0100007F:1F90", "0100007F:C350"))),
        leaked(LEAK, CHILD, around=connected(CHILD, ("0100007F:1F90", "0100007F:C350"))),
        leaked(LEAK, CHILD, around={CHILD.id: replace_connections(None)}),
        leaked(around={LEAK.id: replace_connections(None)}),
    ],
    last_checks.is_what_was_meant: [
        leaked(match=BY_KIND, uptime=OLD - 1),
        leaked(match=replace(BY_KIND, age=None), uptime=OLD),
        leaked(match=replace(BY_KIND, leak_programs=(NamePattern("python3"),)), uptime=OLD),
        leaked(match=replace(BY_KIND, leak_programs=()), uptime=OLD),
        leaked(replace(LEAK, argv=("node", "other.js")), match=BY_KIND, uptime=OLD),
        leaked(named=""),
        leaked(named="0" * 64),
        leaked(replace(LEAK, argv=("node", "other.js"))),
        leaked(replace(LEAK, argv=None)),
        leaked(replace(LEAK, argv=None), named=""),
        leaked(replace(LEAK, argv_complete=False)),
    ],
}
CASES = [(proof, found) for proof, decoys in DECOYS.items() for found in decoys]


def test_what_a_policy_describes_by_program_and_age_is_meant_without_its_hash() -> None:
    assert failed_check(leaked(match=BY_KIND, uptime=OLD)) is None
    whole = replace(BY_KIND, leak_programs=(NamePattern("node helper.js"),))
    assert failed_check(leaked(match=whole, uptime=OLD)) is None


def test_a_connection_within_its_own_tree_is_no_use_of_it() -> None:
    """The two ends of it are those of the process and of its child, in whichever table they stand."""
    server, client = "0100007F:1F90", "0100007F:C350"
    around = connected(LEAK, (server, client)) | connected(CHILD, (client, server))
    assert failed_check(leaked(LEAK, CHILD, around=around)) is None


def test_every_proof_has_a_decoy() -> None:
    assert DECOYS.keys() == {each.holds for each in last_checks.LAST_CHECKS}


def test_what_is_true_is_proven() -> None:
    assert failed_check(evidence()) is None
    assert failed_check(evidence(SHELL, SLEEP, process(502, 501, ["x"]))) is None, "no child of the shell"
    assert failed_check(evidence(SHELL, SLEEP, process(502, 500, ["x"], state="Z"))) is None, "not alive"
    assert failed_check(evidence(shell=replace(SHELL, exe="/usr/bin/dash"))) is None
    assert failed_check(agent()) is None
    assert failed_check(leaked()) is None


def test_units_that_no_tmux_server_is_the_younger_in_are_no_hindrance() -> None:
    for name in ("session-3.scope", "tmux.service", "tmux-spawn-1.scope"):
        assert failed_check(evidence(SHELL, SLEEP, SERVER, around=unit(name, SHELL, SLEEP, SERVER))) is None
    assert failed_check(agent(AGENT, SERVER, around=unit("agent.scope", AGENT))) is None
    assert failed_check(leaked(LEAK, SERVER, around=unit("tmux.service", LEAK, SERVER))) is None


LOGIN = "0::/user.slice/user-1000.slice/session-3.scope\n"
SPAWNED = "0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1.scope\n"


@pytest.mark.parametrize("cgroup", [LOGIN, SPAWNED])
def test_a_scope_does_not_end_with_one_of_its_processes(cgroup: str) -> None:
    name = parse_unit(cgroup.encode())
    assert name.endswith(".scope")
    scheduler = older(SHELL), older(SLEEP)
    assert failed_check(evidence(*scheduler, SERVER, around=unit(name, *scheduler, SERVER))) is None
    assert failed_check(agent(older(AGENT), SERVER, around=unit(name, older(AGENT), SERVER))) is None
    assert failed_check(leaked(older(LEAK), SERVER, around=unit(name, older(LEAK), SERVER))) is None


def test_the_mounts_of_a_tmux_server_are_as_good_as_ours() -> None:
    # Ours are our own where a service manager has hardened us.
    moved = [replace(each, namespaces=OWN_MOUNTS) for each in (SHELL, SLEEP, SERVER)]
    assert failed_check(evidence(*moved)) is None
    assert failed_check(evidence(*moved[:2])) is not None


def test_only_a_listening_socket_can_be_opted_in_to() -> None:
    allow = tuple(OptIn)
    assert failed_check(leaked(around={LEAK.id: OPEN}, allow=allow)) is None
    for proof, found in CASES:
        held = failed_check(replace(found, allow=allow))
        assert (held is None) is (proof is last_checks.are_out_of_reach), proof


@pytest.mark.parametrize(("proof", "found"), CASES)
def test_what_is_not_proven_is_refused_and_would_not_be_without_its_proof(
    monkeypatch: pytest.MonkeyPatch, proof: Callable[[ProcessEvidence], bool], found: ProcessEvidence
) -> None:
    refused = failed_check(found)
    assert refused is not None and refused.holds is proof
    kept = tuple(each for each in last_checks.LAST_CHECKS if each.holds is not proof)
    monkeypatch.setattr(last_checks, "LAST_CHECKS", kept)
    assert failed_check(found) is None


@pytest.mark.parametrize(
    "about", [None, ProcessContext(None, None), ProcessContext("", None), ProcessContext(None, False)]
)
def test_what_could_not_be_read_is_never_in_favour(about: ProcessContext | None) -> None:
    for made, members in (
        (order(Method.AGENT_PROCESS, AGENT), [AGENT]),
        (order(Method.LEAKED_PROCESS, LEAK), [LEAK]),
        (order(Method.SCHEDULER_PAIR, SHELL, SLEEP), [SHELL, SLEEP]),
    ):
        around = {} if about is None else {each.id: about for each in members}
        found = gather(seen(*members), made, around, UID, OWN)
        assert found is not None and failed_check(found) is not None


@pytest.mark.parametrize(
    "shown",
    [
        seen(SLEEP),
        seen(SHELL),
        seen(replace(SHELL, id=ProcessId(500, 2_001)), SLEEP),
        seen(SHELL, replace(SLEEP, id=ProcessId(501, 2_001))),
        seen(replace(SHELL, state="Z"), SLEEP),
        seen(SHELL, replace(SLEEP, state="Z")),
    ],
)
def test_a_pair_of_which_one_is_gone_has_no_evidence(shown: ProcessTable) -> None:
    assert gathered(order(Method.SCHEDULER_PAIR, SHELL, SLEEP), shown) is None


def test_a_scheduler_without_a_sleep_stands_for_both_and_is_not_proven() -> None:
    lonely = order(Method.SCHEDULER_PAIR, SHELL)
    assert target_processes(lonely) == (SHELL.id, SHELL.id)
    found = gathered(lonely, seen(SHELL))
    assert found is not None and failed_check(found) is not None


def test_whatever_lives_below_is_found_and_no_circle_is_followed() -> None:
    below = [process(511, 510, ["a"]), process(510, 500, ["b"]), process(512, 511, ["c"], state="Z")]
    loop = [process(800, 801, ["d"]), process(801, 800, ["e"])]
    assert [each.pid for each in descendants(seen(SHELL, *below, *loop), (SHELL.id,))] == [510, 511]
    assert [each.pid for each in descendants(seen(*loop), (loop[0].id,))] == [801]


def test_all_that_ends_with_it_is_judged() -> None:
    """One that listens, deep below the culprit, spares them all; without `with_below` it only lives on."""
    child, grandchild = (
        at_home(process(each, each - 1, ["node"], exe="/usr/bin/node"))
        for each in (AGENT.id.pid + 1, AGENT.id.pid + 2)
    )
    made = replace(order(Method.AGENT_PROCESS, AGENT), culprit=child.id, with_below=True)
    table = seen(AGENT, child, grandchild)
    found = gathered(made, table)
    assert found is not None and failed_check(found) is None
    assert [each.process for each in found.members] == [child.id, grandchild.id]
    listening = gathered(made, table, {grandchild.id: OPEN})
    assert listening is not None and failed_check(listening) is not None
    alone = gathered(replace(made, with_below=False), table, {grandchild.id: OPEN})
    assert alone is not None and failed_check(alone) is None


AT_ONCE = Stage(action=Action.STOP, signal=Signal.KILL, seconds=1.0)


@pytest.mark.parametrize(
    ("stages", "before", "reason"),
    [
        ((STOP,), None, None), ((STOP, KILL), None, None), ((STOP,), Action.STOP, None),
        ((KILL,), Action.STOP, None), ((KILL,), None, Refusal.NOT_STOPPED),
        ((KILL, STOP), None, Refusal.NOT_STOPPED), ((AT_ONCE,), None, Refusal.NOT_STOPPED),
        ((), None, Refusal.NOT_STOPPED), ((STOP,), Action.KILL, Refusal.UNKILLABLE),
        ((KILL,), Action.KILL, Refusal.UNKILLABLE),
    ],
)  # fmt: skip
def test_kill_follows_a_survived_stop(
    stages: tuple[Stage, ...], before: Action | None, reason: Refusal | None
) -> None:
    assert stages_refusal(stages, before) is reason
