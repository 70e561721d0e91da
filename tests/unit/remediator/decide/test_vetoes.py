"""Each veto with the decoys that it alone stops.

Every decoy is left alone; with its veto taken out of the table it is ended. A veto without a decoy of its
own fails here.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.literals.report import agent, leak, pane, session
from tests.support.remediator.orphans import SERVER, WALL, Cycles, actions, orphan, refusals, seen, with_stop
from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import Problem, ProcessId
from tmux_exporter.facts.remediation import Action, Refusal, TargetKind
from tmux_exporter.facts.report import AgentReport, Report, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.facts.spending import LONGEST_LIMIT_SECONDS, UsageLimit
from tmux_exporter.remediator.decide import cycle, objections, vetoes
from tmux_exporter.remediator.decide.candidates import left_out_words
from tmux_exporter.remediator.decide.vetoes import ENDABLE, Case, Moment, Subject, Terms, refusal
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import (
    IDLE_TIME,
    Condition,
    OptIn,
    Policy,
    PolicySet,
    TargetMatch,
    When,
)

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
    vetoes.is_settled: [
        server(start_time_seconds=WALL + 1000),
        server(start_time_seconds=None),
        unseen(SERVER, replace(OTHER, start_time_seconds=WALL + 1000), aimed=("default", "other")),
    ],
    vetoes.is_no_known_server: [
        seen(orphan(), servers=(replace(SERVER, pid=500),)),
        seen(orphan(), servers=(SERVER, replace(OTHER, pid=501))),
    ],
    vetoes.is_not_above_us: [seen(orphan(pid=40)), seen(orphan(sleep=ProcessId(1, 0)))],
    vetoes.is_no_pane: [seen(orphan(), panes=(replace(pane("default", "work", "%3"), pid=500),))],
}
"""By veto, reports of one scheduler that only this veto saves."""

CASES = [(veto, report) for veto, reports in DECOYS.items() for report in reports]


def ended(report: Report, *, aged: float = 0.1, policy: Policy = P) -> bool:
    """Whether the scheduler of this report is ever ended, if it stays as it is."""
    cycles = Cycles(with_stop(replace(policy, warmup=0.0, hold=0.0), after=0.0))
    found: list[Action] = []
    for _ in range(4):
        found += actions(cycles.see(report, aged=aged))
    return Action.STOP in found


def without(monkeypatch: pytest.MonkeyPatch, veto: Callable[[Case], bool]) -> None:
    kept = tuple(each for each in vetoes.VETOES if each.allows is not veto)
    assert len(kept) == len(vetoes.VETOES) - 1
    monkeypatch.setattr(vetoes, "VETOES", kept)


def test_every_veto_has_a_decoy() -> None:
    assert {*DECOYS, *OTHERS, vetoes.is_recent, vetoes.is_endable} == {each.allows for each in vetoes.VETOES}


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
    if reason in objections.INCOMPLETE_VIEW:
        # What is no complete look is no observation either: that is held by its own test.
        monkeypatch.setattr(cycle, "INCOMPLETE_VIEW", frozenset())
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


@pytest.mark.parametrize(("age", "left_alone"), [(P.warmup - 3, True), (P.warmup, False)])
def test_a_new_server_is_left_alone_for_a_while(age: float, left_alone: bool) -> None:
    report = server(start_time_seconds=NOW.wall - age)
    assert (refusal(case(orphan(judged_at=0.0), report)) is Refusal.WARMUP) is left_alone


@pytest.mark.parametrize("state", [state for state in SchedulerState if state is not SchedulerState.DANGLING])
def test_only_dangling_schedulers_are_ended(monkeypatch: pytest.MonkeyPatch, state: SchedulerState) -> None:
    report = seen(orphan(state=state))
    assert not ended(report)
    wanted = replace(P, match=replace(P.match, states=(state,)))
    # Whatever else a policy is for: what is about to act, or is not understood, is never ended.
    assert ended(report, policy=wanted) is (state in ENDABLE)
    without(monkeypatch, vetoes.is_endable)
    assert ended(report, policy=wanted)


def test_what_is_due_or_not_understood_is_no_state_to_end() -> None:
    never = {SchedulerState.UNKNOWN, SchedulerState.OPAQUE, SchedulerState.FIRING, SchedulerState.OVERDUE}
    wanted = {SchedulerState.ARMED, SchedulerState.ARMED_ORIGIN_GONE}
    assert set(SchedulerState) == {*ENDABLE, *never, *wanted}


NOW = Moment(wall=WALL + 0.1, monotonic=0.1)
AGENT = replace(
    agent("default", "work", "coder", "%3", program="claude"), process=ProcessId(500, 9_000), pid=500
)
LEAK = replace(leak("default", "work", LeakKind.OTHER, pid=500), quiet_since=NOW.monotonic - vetoes.QUIET)
WORK = replace(session("default", "work", 2), attached_clients=0)


def case(
    subject: Subject, report: Report, *, policy: Terms = P, below: tuple[int, ...] = (), now: Moment = NOW
) -> Case:
    return Case(
        subject=subject,
        report=report,
        policy=policy,
        moment=now,
        own=frozenset({1, 40, 41}),
        below=frozenset(below),
    )


def home(*, sessions: tuple[object, ...] = (WORK,), server: ServerReport = SERVER, **more: object) -> Report:
    return seen(servers=(server,), sessions=sessions, agents=(AGENT,), leaks=(LEAK,), **more)


SEEN = home()
ATTACHED = home(sessions=(replace(WORK, attached_clients=1),))
ROOT = home(panes=(replace(pane("default", "work", "%3"), pid=500),))
BELOW = home(panes=(replace(pane("default", "work", "%3"), pid=520),))
SUBAGENT = replace(SEEN, agents=(AGENT, replace(AGENT, agent="helper", process=ProcessId(530, 1), pid=530)))
LATER = Moment(wall=NOW.wall + P.max_age, monotonic=P.max_age + 0.1)
STOPPED = UsageLimit(since=NOW.wall - 9, until=NOW.wall + 600, stopped=True)
LIMITED = replace(AGENT, state=AgentState.WAITING, usage_limit=STOPPED)
UNTOLD = replace(LIMITED, usage_limit=replace(STOPPED, until=None, stopped=False))
IDLES = replace(P, when=When(conditions=(Condition(metric=IDLE_TIME, above=60.0, clear_below=60.0),)))
WAITS = replace(P, match=TargetMatch(kind=TargetKind.AGENT, agent_states=(AgentState.WAITING,)))

OTHERS: dict[Callable[[Case], bool], list[Case]] = {
    vetoes.sees_all_processes: [
        case(each, home(collector_success={"processes": False})) for each in (AGENT, LEAK)
    ],
    vetoes.sees_its_servers: [
        *(case(each, home(server=replace(SERVER, up=False, held=True))) for each in (AGENT, LEAK)),
        *(case(each, home(server=replace(SERVER, problem=HUNG))) for each in (AGENT, LEAK)),
    ],
    vetoes.is_recent: [
        *(case(each, SEEN, now=LATER) for each in (AGENT, LEAK)),
        case(AGENT, home(server=replace(SERVER, listing_taken_at=NOW.monotonic - P.max_age - 0.1))),
        case(AGENT, home(server=replace(SERVER, listing_taken_at=None))),
        case(AGENT, home(server=replace(SERVER, listing_taken_at=NOW.monotonic + 0.1))),
    ],
    vetoes.is_endable: [
        case(replace(LEAK, kind=LeakKind.SCHEDULER), SEEN),
        case(replace(LEAK, by_marker=True), SEEN),
        case(replace(LEAK, by_lineage=True), SEEN),
        case(replace(LEAK, by_folder=True), SEEN),
    ],
    vetoes.is_proven: [case(replace(LEAK, by_environment=True), SEEN)],
    vetoes.is_unused: [
        case(replace(LEAK, quiet_since=None), SEEN),
        case(replace(LEAK, quiet_since=NOW.monotonic - vetoes.QUIET + 1), SEEN),
    ],
    vetoes.has_quota: [case(each, SEEN, policy=by) for each in (LIMITED, UNTOLD) for by in (IDLES, WAITS)],
    vetoes.is_settled: [
        case(each, home(server=replace(SERVER, start_time_seconds=WALL))) for each in (AGENT, LEAK)
    ],
    vetoes.is_no_known_server: [case(each, home(server=replace(SERVER, pid=500))) for each in (AGENT, LEAK)],
    vetoes.is_not_above_us: [
        case(replace(AGENT, process=ProcessId(40, 1)), SEEN),
        case(replace(LEAK, process=ProcessId(1, 1)), SEEN),
    ],
    vetoes.is_no_pane: [case(each, ROOT) for each in (AGENT, LEAK)],
    vetoes.is_not_attended: [case(AGENT, ATTACHED), case(AGENT, home(sessions=()))],
    vetoes.carries_nobody: [
        *(case(each, SUBAGENT, below=(530,)) for each in (AGENT, LEAK)),
        case(AGENT, BELOW, below=(520,)),
        case(LEAK, SEEN, below=(SERVER.pid or 0,)),
    ],
}
"""By veto, agents and leaked processes that only this veto saves."""


@pytest.mark.parametrize("subject", [AGENT, LEAK])
def test_nothing_speaks_against_a_plain_agent_or_leak(subject: Subject) -> None:
    assert refusal(case(subject, SEEN, below=(510, 511))) is None


@pytest.mark.parametrize(("veto", "decoy"), [(veto, each) for veto, all_ in OTHERS.items() for each in all_])
def test_an_agent_or_leak_is_left_alone_and_would_not_be_without_its_veto(
    monkeypatch: pytest.MonkeyPatch, veto: Callable[[Case], bool], decoy: Case
) -> None:
    (reason,) = [each.refusal for each in vetoes.VETOES if each.allows is veto]
    assert refusal(decoy) is reason
    without(monkeypatch, veto)
    assert refusal(decoy) is None


def test_whose_hash_is_named_needs_neither_proof_nor_quiet() -> None:
    named = replace(P, match=TargetMatch(kind=TargetKind.LEAKED_PROCESS, opted_in=True))
    weak = replace(LEAK, by_environment=True, quiet_since=None)
    assert refusal(case(weak, SEEN, policy=named)) is None


def test_an_agent_that_does_not_run_is_not_ended() -> None:
    gone: AgentReport = replace(AGENT, process=None, pid=None)
    assert refusal(case(gone, SEEN)) is Refusal.STATE


def test_what_a_policy_may_opt_in_to_is_these_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = replace(P, allow=tuple(OptIn))
    assert refusal(case(AGENT, ATTACHED, policy=everything)) is None
    assert refusal(case(AGENT, ROOT, policy=everything)) is None
    assert refusal(case(AGENT, ATTACHED, policy=replace(P, allow=(OptIn.PANE_SHELL,)))) is not None
    assert refusal(case(AGENT, ROOT, policy=replace(P, allow=(OptIn.ATTACHED_SESSION,)))) is not None
    lifted = {vetoes.is_not_attended, vetoes.is_no_pane}
    for veto, decoys in OTHERS.items():
        for decoy in decoys:
            assert isinstance(decoy.policy, Policy)
            bold = replace(decoy.policy, allow=everything.allow)
            assert (refusal(replace(decoy, policy=bold)) is None) is (veto in lifted), veto


def test_a_limit_protects_until_its_reset_and_for_eight_days_at_most() -> None:
    def left_alone(subject: Subject, seconds: float) -> bool:
        later = replace(SERVER, start_time_seconds=WALL - 1e6)
        now = Moment(wall=STOPPED.since + seconds, monotonic=NOW.monotonic)
        return refusal(case(subject, home(server=later), policy=IDLES, now=now)) is not None

    assert left_alone(LIMITED, 608) and not left_alone(LIMITED, 609)
    assert left_alone(UNTOLD, LONGEST_LIMIT_SECONDS - 1) and not left_alone(UNTOLD, LONGEST_LIMIT_SECONDS)
    for_ever = replace(LIMITED, usage_limit=replace(STOPPED, until=NOW.wall + 9e9))
    assert not left_alone(for_ever, LONGEST_LIMIT_SECONDS)


def test_bounds_hold_for_an_agent_at_its_limit_and_words_protect_nobody() -> None:
    memory = Condition(metric="tmux_agent_memory_bytes", above=1.0, clear_below=1.0)
    assert refusal(case(LIMITED, SEEN, policy=replace(P, when=When(conditions=(memory,))))) is None
    # What a screen shows, or a hook reports, is a state and no limit.
    words = replace(AGENT, state=AgentState.WAITING, waiting_reason=WaitingReason.USAGE_LIMIT)
    shown = replace(words, usage_limit_reset_timestamp_seconds=NOW.wall + 600)
    assert refusal(case(shown, SEEN, policy=IDLES)) is None


def test_what_a_sample_did_beside_its_listing_makes_nothing_old() -> None:
    long = replace(SEEN, timestamp=WALL - 10 * P.max_age, duration_seconds=10 * P.max_age)
    assert all(refusal(case(each, long)) is None for each in (AGENT, LEAK))


SOCKET = "/tmp/tmux-1000/work"
SERVERLESS = orphan(state=SchedulerState.SERVERLESS, aimed=(), judged_at=0.0, sockets=(SOCKET,))


def hung(socket: str, *, pid: int | None = 200) -> ServerReport:
    return replace(SERVER, server="beside", socket=socket, pid=pid, up=False)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (seen(SERVERLESS), None),
        (seen(SERVERLESS, servers=()), None),
        (seen(SERVERLESS, servers=(replace(SERVER, up=False, ended=True),)), None),
        (seen(SERVERLESS, servers=(hung("/tmp/tmux-1000/beside"),)), None),
        (seen(SERVERLESS, servers=(hung(SOCKET),)), Refusal.SERVER_UNKNOWN),
        (seen(SERVERLESS, servers=(hung(""),)), Refusal.SERVER_UNKNOWN),
        # Nobody knows whose socket that is: its server may have been bound to any in the folder.
        (seen(SERVERLESS, servers=(hung("/tmp/tmux-1000/beside", pid=None),)), Refusal.SERVER_UNKNOWN),
        (seen(SERVERLESS, servers=(hung("/srv/beside", pid=None),)), None),
        (seen(replace(SERVERLESS, sockets=()), servers=(hung("/srv/beside"),)), Refusal.SERVER_UNKNOWN),
        (seen(SERVERLESS, problems=(Problem(source="x", reason="denied"),)), Refusal.SERVER_UNKNOWN),
        (seen(replace(SERVERLESS, judged_at=NOW.monotonic - P.max_age - 0.1)), Refusal.STALE),
        (seen(replace(SERVERLESS, judged_at=None)), Refusal.STALE),
    ],
)
def test_a_missing_server_counts_if_no_unknown_one_could_be_it(
    report: Report, reason: Refusal | None
) -> None:
    assert refusal(case(report.schedulers[0], report)) is reason


def test_the_pair_of_a_scheduler_without_a_sleep_is_vetoed_however_it_is_read() -> None:
    lonely: SchedulerReport = orphan(sleep=None)
    assert vetoes.pair_of(lonely) == (lonely.process, lonely.process)
    assert refusal(case(lonely, seen(lonely))) is Refusal.NOT_A_PAIR


@pytest.mark.parametrize(
    ("scope", "made_for", "matched", "told"),
    [
        ((), ("work",), 1, []),
        (("work",), ("work",), 1, []),
        (("work", "other"), ("work", "other"), 1, []),
        (("other",), ("work",), 0, ["work"]),
        (("work",), ("work", "/srv/x"), 0, ["work, /srv/x"]),
        (("work",), (), 0, ["a server that is not known"]),
    ],
)
def test_without_its_server_it_is_of_the_one_that_it_was_made_for(
    scope: tuple[str, ...], made_for: tuple[str, ...], matched: int, told: list[str]
) -> None:
    wanted = replace(P, match=replace(P.match, states=(SchedulerState.SERVERLESS,)), servers=scope)
    report = seen(replace(SERVERLESS, made_for=made_for))
    cycles = Cycles(wanted)
    cycles.see(report)
    assert cycles.matches == matched
    words = left_out_words(PolicySet(policies=(wanted,)), report)
    assert [
        each.partition("made for ")[2].partition(", which --server")[0] for each in words.values()
    ] == told
    assert left_out_words(PolicySet(policies=(replace(P, servers=scope),)), report) == {}, "not its state"


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
def test_a_policy_matches_its_servers(
    servers: tuple[str, ...], aimed: tuple[str, ...], matched: bool
) -> None:
    cycles = Cycles(replace(P, servers=servers))
    told = cycles.see(seen(orphan(aimed=aimed), servers=(SERVER, OTHER)))
    assert (cycles.matches, len(told)) == ((1, 1) if matched else (0, 0))
