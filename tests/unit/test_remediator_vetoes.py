"""Each veto and each proof, with the decoy that it alone stops.

Every decoy is left alone; with its guard taken out of the table it is ended. A guard without a decoy of its
own fails here.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.listings import process, table
from tests.support.orphans import OWN, SERVER, Cycles, actions, orphan, refusals, seen, with_stop
from tmux_exporter.model import Problem, Process, ProcessId, ProcessTable, SchedulerState
from tmux_exporter.remediation import Action, Refusal
from tmux_exporter.remediator import policy, vetoes
from tmux_exporter.remediator.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.vetoes import Case, Evidence, Pair, gather, objection
from tmux_exporter.report import Report, SchedulerReport, ServerReport

P = ORPHANED_SCHEDULERS


def server(**changes: object) -> Report:
    """An orphan whose server is like this."""
    return seen(orphan(), servers=(replace(SERVER, **changes),))  # type: ignore[arg-type]


def unseen(*servers: ServerReport, aimed: tuple[str, ...] = ("default",)) -> Report:
    return seen(orphan(aimed=aimed), servers=servers)


OTHER = replace(SERVER, server="other", pid=200)
HUNG = Problem(source="tmux", reason="hung")

DECOYS: dict[Callable[[Case], bool], list[Report]] = {
    vetoes.sees_all_processes: [
        seen(orphan(), collector_success={"processes": False}),
        seen(orphan(), collector_success={}),
    ],
    vetoes.sees_its_servers: [
        server(up=False),
        server(held=True),
        server(problem=HUNG),
        unseen(),
        unseen(OTHER),
        unseen(SERVER, replace(OTHER, up=False), aimed=("default", "other")),
        unseen(SERVER, aimed=("default", "")),
        unseen(SERVER, aimed=()),
    ],
    vetoes.has_its_sleep: [seen(orphan(sleep=None))],
    vetoes.has_time: [
        seen(orphan(due_timestamp_seconds=None)),
        seen(orphan(due_timestamp_seconds=Cycles().moment().wall)),
    ],
    vetoes.is_no_known_server: [
        seen(orphan(), servers=(replace(SERVER, pid=500),)),
        seen(orphan(), servers=(SERVER, replace(OTHER, pid=501))),
    ],
    vetoes.is_not_above_us: [
        seen(orphan(pid=40)),
        seen(orphan(sleep=ProcessId(1, 0))),
    ],
}
"""By veto, reports of one scheduler that only this veto saves."""

CASES = [(veto, report) for veto, reports in DECOYS.items() for report in reports]


def ended(report: Report, *, aged: float = 0.1) -> bool:
    """Whether the scheduler of this report is ever ended, if it stays as it is."""
    cycles = Cycles(with_stop(replace(P, warmup=0.0, hold=0.0), after=0.0))
    found: list[Action] = []
    for _ in range(4):
        found += actions(cycles.see(report, aged=aged))
    return Action.STOP in found


def without(monkeypatch: pytest.MonkeyPatch, veto: Callable[[Case], bool]) -> None:
    kept = tuple(each for each in vetoes.VETOES if each.allows is not veto)
    assert len(kept) == len(vetoes.VETOES) - 1
    monkeypatch.setattr(vetoes, "VETOES", kept)


def test_every_veto_has_a_decoy() -> None:
    assert {*DECOYS, vetoes.is_recent} == {each.allows for each in vetoes.VETOES}


def test_a_true_orphan_is_ended() -> None:
    assert ended(seen(orphan()))
    assert ended(seen(orphan(aimed=("default", "other")), servers=(SERVER, OTHER)))


@pytest.mark.parametrize(("veto", "report"), CASES)
def test_a_decoy_is_left_alone_and_would_not_be_without_its_veto(
    monkeypatch: pytest.MonkeyPatch, veto: Callable[[Case], bool], report: Report
) -> None:
    assert not ended(report)
    told = refusals(Cycles(replace(P, warmup=0.0)).see(report))
    (reason,) = [each.refusal for each in vetoes.VETOES if each.allows is veto]
    assert told == [reason]
    without(monkeypatch, veto)
    if reason in policy._UNSEEN:
        # What is no complete look is no observation either: that is held by its own test.
        monkeypatch.setattr(policy, "_UNSEEN", frozenset())
    assert ended(report)


@pytest.mark.parametrize("aged", [P.max_age + 0.1, -0.1])
def test_a_look_that_is_too_old_counts_for_nothing(monkeypatch: pytest.MonkeyPatch, aged: float) -> None:
    assert ended(seen(orphan()), aged=P.max_age - 1e-6)
    assert not ended(seen(orphan()), aged=aged)
    assert not ended(seen(orphan(judged_at=None)))
    without(monkeypatch, vetoes.is_recent)
    assert ended(seen(orphan()), aged=aged)


@pytest.mark.parametrize(("left", "saved"), [(P.remaining - 0.1, True), (P.remaining, False)])
def test_what_is_about_to_fire_is_left_alone(left: float, saved: bool) -> None:
    cycles = Cycles()
    told = refusals(cycles.see(seen(orphan(due_timestamp_seconds=cycles.moment().wall + 5.0 + left))))
    assert told == [Refusal.TOO_LATE if saved else Refusal.WARMUP]


@pytest.mark.parametrize("state", [state for state in SchedulerState if state is not SchedulerState.DANGLING])
def test_only_a_dangling_scheduler_is_ever_ended(
    monkeypatch: pytest.MonkeyPatch, state: SchedulerState
) -> None:
    report = seen(orphan(state=state))
    assert not ended(report)
    monkeypatch.setattr(vetoes, "is_dangling", lambda _: True)
    assert ended(report), "the match is what saves it"


SCRIPT = "sleep 600 && tmux send-keys -t gone:0 'secret text' && sleep 1 && tmux send-keys -t gone:0 Enter"
SHELL = process(500, 1, ["bash", "-c", SCRIPT])
SLEEP = process(501, 500, ["sleep", "600"])
UID = SHELL.uid


def evidence(
    shell: Process = SHELL, sleep: Process = SLEEP, *more: Process, complete: bool = True
) -> Evidence:
    found = gather(table(shell, sleep, *more, complete=complete), Pair(shell.id, sleep.id), UID, OWN)
    assert found is not None
    return found


EVIDENCE_DECOYS: dict[Callable[[Evidence], bool], list[Evidence]] = {
    vetoes.lists_every_child: [evidence(complete=False)],
    vetoes.are_of_this_user: [
        evidence(shell=replace(SHELL, uid=UID + 1)),
        evidence(sleep=replace(SLEEP, uid=0)),
        replace(evidence(), uid=UID + 1),
    ],
    vetoes.are_no_tmux: [
        evidence(shell=replace(SHELL, comm="tmux: server")),
        evidence(sleep=replace(SLEEP, exe="/opt/tmux/bin/tmux")),
        evidence(sleep=replace(SLEEP, comm="tmux: client")),
    ],
    vetoes.are_not_above_us: [
        replace(evidence(), own=frozenset({500})),
        replace(evidence(), own=frozenset({501})),
    ],
    vetoes.is_a_shell: [
        evidence(shell=replace(SHELL, exe="/usr/bin/python3.11")),
        evidence(shell=replace(SHELL, exe="/usr/bin/fish")),
    ],
    vetoes.is_a_pure_scheduler: [
        evidence(shell=replace(SHELL, argv=("bash", "-c", "while :; do sleep 600; done"))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", SCRIPT.replace("&&", "| tee x &&")))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", SCRIPT.replace("gone:0", "$T")))),
        evidence(shell=replace(SHELL, argv=("bash", "-c", f"{SCRIPT} 'x;' kill-server"))),
        evidence(shell=replace(SHELL, argv=("bash", "later.sh"))),
        evidence(shell=replace(SHELL, argv=None)),
    ],
    vetoes.has_only_its_sleep: [
        evidence(SHELL, SLEEP, process(502, 500, ["tmux", "send-keys"])),
        evidence(SHELL, SLEEP, process(502, 500, None)),
        evidence(sleep=replace(SLEEP, ppid=1)),
    ],
    vetoes.sleeps_its_first_sleep: [
        evidence(sleep=replace(SLEEP, argv=("sleep", "1"))),
        evidence(sleep=replace(SLEEP, argv=("sleep", "600", "600"))),
        evidence(sleep=replace(SLEEP, argv=("cat", "600"))),
        evidence(sleep=replace(SLEEP, argv=None)),
    ],
}
EVIDENCE_CASES = [(proof, found) for proof, decoys in EVIDENCE_DECOYS.items() for found in decoys]


def test_every_proof_has_a_decoy() -> None:
    assert EVIDENCE_DECOYS.keys() == {each.holds for each in vetoes.PROOFS}


def test_a_true_pair_is_proven() -> None:
    assert objection(evidence()) is None
    assert objection(evidence(SHELL, SLEEP, process(502, 501, ["x"]))) is None, "no child of the shell"
    assert objection(evidence(SHELL, SLEEP, process(502, 500, ["x"], state="Z"))) is None, "not alive"
    assert objection(evidence(shell=replace(SHELL, exe="/usr/bin/dash"))) is None


@pytest.mark.parametrize(("proof", "found"), EVIDENCE_CASES)
def test_what_is_not_proven_is_refused_and_would_not_be_without_its_proof(
    monkeypatch: pytest.MonkeyPatch, proof: Callable[[Evidence], bool], found: Evidence
) -> None:
    refused = objection(found)
    assert refused is not None and refused.holds is proof
    kept = tuple(each for each in vetoes.PROOFS if each.holds is not proof)
    monkeypatch.setattr(vetoes, "PROOFS", kept)
    assert objection(found) is None


@pytest.mark.parametrize(
    "shown",
    [
        table(SLEEP),
        table(SHELL),
        table(replace(SHELL, id=ProcessId(500, 2_001)), SLEEP),
        table(SHELL, replace(SLEEP, id=ProcessId(501, 2_001))),
        table(replace(SHELL, state="Z"), SLEEP),
        table(SHELL, replace(SLEEP, state="Z")),
    ],
)
def test_a_pair_of_which_one_is_gone_has_no_evidence(shown: ProcessTable) -> None:
    assert gather(shown, Pair(SHELL.id, SLEEP.id), UID, OWN) is None


def test_the_pair_of_a_scheduler_without_a_sleep_is_vetoed_however_it_is_read() -> None:
    lonely: SchedulerReport = orphan(sleep=None)
    assert vetoes.pair_of(lonely) == (lonely.process, lonely.process)
    shell_only = table(SHELL)
    found = gather(shell_only, Pair(SHELL.id, SHELL.id), UID, OWN)
    assert found is not None and objection(found) is not None


@pytest.mark.parametrize(
    ("servers", "aimed", "matched"),
    [
        ((), ("default",), True),
        (("default",), ("default",), True),
        (("default", "other"), ("default",), True),
        (("other",), ("default",), False),
        (("default",), ("default", "other"), False),
        (("default",), (), False),
    ],
)
def test_a_policy_for_some_servers_matches_nothing_of_the_others(
    servers: tuple[str, ...], aimed: tuple[str, ...], matched: bool
) -> None:
    cycles = Cycles(replace(P, servers=servers))
    told = cycles.see(seen(orphan(aimed=aimed), servers=(SERVER, OTHER)))
    assert (cycles.verdict.matches, len(told)) == ((1, 1) if matched else (0, 0))
