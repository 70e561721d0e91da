"""Which process of an agent's tree a policy is for: the one that holds the figure, or nobody."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.report import agent, pane, session
from tests.support.remediator.orphans import Cycles, refusals, seen
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Method, Mode, Refusal, TargetKind
from tmux_exporter.facts.report import AgentReport, Report, TreeProcess
from tmux_exporter.remediator.decide.candidates import TargetCandidate, target_of
from tmux_exporter.remediator.decide.conditions import evaluate
from tmux_exporter.remediator.decide.culprit import Culprit, below_each, find_culprit
from tmux_exporter.remediator.decide.objections import ReportView
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.policies.policy import (
    Condition,
    LadderStep,
    Policy,
    TargetMatch,
    Throttle,
    When,
    Whom,
)
from tmux_exporter.remediator.record.log_fields import describe_end

MIB = 2**20
ROOT = 700
BOUND = 1000
MEMORY = Condition(metric="tmux_agent_memory_bytes", above=BOUND * MIB, clear_below=BOUND * MIB)
RATIO = Condition(metric="tmux_agent_fd_utilization_ratio", above=0.8, clear_below=0.6)
CPU = Condition(metric="tmux_agent_cpu_seconds_total", above=0.9, clear_below=0.5, rate_over=10.0)
POLICY = Policy(
    name="big",
    mode=Mode.ENFORCE,
    match=TargetMatch(kind=TargetKind.AGENT),
    when=When(conditions=(MEMORY,)),
    whom=Whom.CULPRIT,
    ladder=(
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.STOP, after=60.0, method=Method.AGENT_PROCESS),
    ),
    hold=60.0,
    warmup=0.0,
)


def of(pid: int) -> ProcessId:
    return ProcessId(pid, 9_000 + pid)


def member(pid: int, parent: int, mib: float = 0.0, **more: Any) -> TreeProcess:
    figures: dict[str, Any] = dict.fromkeys(
        ("resident_memory_bytes", "anonymous_memory_bytes", "swap_memory_bytes", "open_fds",
         "fd_utilization_ratio", "read_bytes_total", "written_bytes_total")
    )  # fmt: skip
    figures |= {"cpu_seconds_total": 0.0, "threads": 1, "memory_bytes": round(mib * MIB)}
    return TreeProcess(process=of(pid), parent=parent, name=f"p{pid}", **(figures | more))


def grown(*members: TreeProcess, **usage: Any) -> Report:
    """An agent with these processes, the first of them its root; its memory is their sum."""
    made = agent("default", "work", "coder", "%3", program="claude")
    whole = {"memory_bytes": sum(each.memory_bytes or 0 for each in members)} | usage
    made = replace(made, pid=ROOT, process=of(ROOT), usage=replace(made.usage, **whole))
    return seen(
        agents=(made,),
        sessions=(replace(session("default", "work"), attached_clients=0),),
        trees={of(ROOT): members},
    )


def found(report: Report, policy: Policy = POLICY) -> Culprit | None:
    (subject,) = report.agents
    candidate = TargetCandidate(target=target_of(subject), subject=subject)
    return find_culprit(policy, candidate, report, evaluate(policy.when, candidate, report, None, 0.0))


CASES: Mapping[str, tuple[tuple[TreeProcess, ...], int | None]] = {
    "the child that leaks": ((member(700, 1, 300), member(701, 700, 20), member(702, 701, 4000)), 702),
    "the deepest that holds it with its workers": (
        (member(700, 1, 300), member(701, 700, 5), member(702, 701, 60),
         *(member(710 + n, 702, 900) for n in range(4))), 702),
    "one that has lost its parent is below the agent": (
        (member(700, 1, 300), member(702, 1, 4000)), 702),
    "the agent itself": ((member(700, 1, 4000), member(701, 700, 500)), 700),
    "nobody, for two hold half of it each": (
        (member(700, 1, 300), member(701, 700, 2000), member(702, 700, 2000)), None),
    "nobody, for the rest is above the bound too": (
        (member(700, 1, 1100), member(701, 700, 4000)), None),
    "nobody, for its processes are not known": ((), None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_who_holds_a_figure(name: str) -> None:
    members, expected = CASES[name]
    culprit = found(grown(*members, memory_bytes=sum(each.memory_bytes or 0 for each in members) or 10**10))
    assert (culprit.process.pid if culprit else None) == expected
    if culprit is not None:
        assert culprit.itself is (culprit.process.pid == ROOT)


def test_what_it_holds_is_told_with_what_there_is() -> None:
    culprit = found(grown(member(700, 1, 300), member(701, 700, 500), member(702, 701, 3500)))
    assert culprit is not None and culprit.process.pid == 702 and culprit.name == "p702"
    ((condition, value, held),) = culprit.holdings
    assert (condition, value, held) == (MEMORY, 4300 * MIB, 3500 * MIB)


def test_of_the_worst_process_that_one_is_the_culprit() -> None:
    policy = replace(POLICY, when=When(conditions=(RATIO,)))
    near = (member(700, 1, fd_utilization_ratio=0.2), member(701, 700, fd_utilization_ratio=0.9))
    culprit = found(grown(*near, fd_utilization_ratio=0.9), policy)
    assert culprit is not None and culprit.process.pid == 701
    both = (*near, member(702, 700, fd_utilization_ratio=0.85))
    assert found(grown(*both, fd_utilization_ratio=0.9), policy) is None


def test_of_two_figures_one_process_must_hold_both() -> None:
    policy = replace(POLICY, when=When(conditions=(MEMORY, RATIO)))
    tree = (
        member(700, 1, 300, fd_utilization_ratio=0.1),
        member(701, 700, 4000, fd_utilization_ratio=0.1),
        member(702, 700, 10, fd_utilization_ratio=0.9),
    )
    assert found(grown(*tree, fd_utilization_ratio=0.9), policy) is None
    one = (tree[0], replace(tree[1], fd_utilization_ratio=0.95))
    culprit = found(grown(*one, fd_utilization_ratio=0.95), policy)
    assert culprit is not None and culprit.process.pid == 701


def test_of_a_rate_it_is_who_grows_and_who_started_since() -> None:
    policy = replace(POLICY, when=When(conditions=(CPU,)))

    def at(seconds: float, *members: TreeProcess) -> Report:
        return grown(*members, cpu_seconds_total=seconds)

    def after(late: TreeProcess) -> Culprit | None:
        subject = at(0.0).agents[0]
        candidate = TargetCandidate(target=target_of(subject), subject=subject)
        states = None
        for now in (0.0, 5.0):
            report = at(now * 2, member(700, 1, cpu_seconds_total=500.0 + now * 0.1))
            candidate = TargetCandidate(target=candidate.target, subject=report.agents[0])
            states = evaluate(policy.when, candidate, report, states, now)
        report = at(20.0, member(700, 1, cpu_seconds_total=501.0), late)
        candidate = TargetCandidate(target=candidate.target, subject=report.agents[0])
        return find_culprit(policy, candidate, report, evaluate(policy.when, candidate, report, states, 10.0))

    busy = after(member(705, 700, cpu_seconds_total=19.0))
    assert busy is not None and busy.process.pid == 705
    assert busy.holdings[0].held == pytest.approx(1.9)
    # Older than the agent's others then: how fast it has grown since is not known.
    adopted = replace(member(705, 700, cpu_seconds_total=19.0), process=ProcessId(705, 10))
    assert after(adopted) is None


def ordered(cycles: Cycles, report: Report, seconds: float) -> list[Order]:
    return [each.order for _, each in cycles.run(report, seconds) if each.order is not None]


LEAKING = (member(700, 1, 300), member(702, 700, 4000))


def test_the_order_is_for_the_culprit_and_all_below_it() -> None:
    (order,) = ordered(Cycles(POLICY), grown(*LEAKING), 300)
    assert (order.first, order.with_below) == (of(702), True)
    assert order.target.processes == (of(700),)
    (reason,) = order.reasons
    assert (reason.metric, reason.held) == (MEMORY.metric, 4000 * MIB)


def test_an_agent_that_holds_it_itself_is_ended_alone() -> None:
    (order,) = ordered(Cycles(POLICY), grown(member(700, 1, 4000), member(701, 700, 10)), 300)
    assert (order.first, order.with_below) == (of(700), False)


def test_where_nobody_holds_it_nothing_ends_and_it_is_told_once() -> None:
    cycles = Cycles(POLICY)
    report = grown(member(700, 1, 300), member(701, 700, 2000), member(702, 700, 2000))
    decisions = [each for _, each in cycles.run(report, 600)]
    assert [each.action for each in decisions if each.action] == [Action.WARN]
    assert refusals(tuple(decisions)) == [Refusal.NO_CULPRIT]
    assert cycles.verdict.plan == ()


@pytest.mark.parametrize(("whom", "below"), [(Whom.AGENT, False), (Whom.TREE, True)])
def test_a_policy_may_say_agent_or_tree_whoever_holds_it(whom: Whom, below: bool) -> None:
    (order,) = ordered(Cycles(replace(POLICY, whom=whom)), grown(*LEAKING), 300)
    assert (order.first, order.with_below) == (of(700), below)


def test_a_culprit_must_have_held_it_as_long_as_the_policy_asks() -> None:
    """One tool after the other takes much: none of them for a minute."""
    cycles = Cycles(POLICY)
    for number in range(30):
        assert ordered(cycles, grown(member(700, 1, 300), member(800 + number, 700, 4000)), 20) == []
    lasting = grown(member(700, 1, 300), member(900, 700, 4000))
    assert ordered(cycles, lasting, 55) == []
    assert [each.first for each in ordered(cycles, lasting, 20)] == [of(900)]


def view(report: Report, *holds: Hold) -> tuple[ReportView, AgentReport]:
    moment = Cycles(POLICY).moment()
    return (
        ReportView(policy=POLICY, report=report, moment=moment, own=frozenset(), holds=holds),
        report.agents[0],
    )


def test_the_last_look_must_show_the_same_culprit() -> None:
    now, subject = view(grown(*LEAKING))
    assert now.objection(subject, of(702)) is None
    assert now.objection(subject, of(700)) is Refusal.CHANGED
    let_go, subject = view(grown(member(700, 1, 4000), member(702, 700, 300)))
    assert let_go.objection(subject, of(702)) is Refusal.CHANGED


def test_the_last_look_must_show_an_idle_agent_and_need_not_know_since_when() -> None:
    """A sampler that has just started knows no idle time."""
    idle = Condition(metric="tmux_agent_idle_seconds", above=28_800.0, clear_below=28_800.0)
    policy = replace(POLICY, when=When(conditions=(idle,)), whom=Whom.AGENT)
    for state, expected in ((AgentState.IDLE, None), (AgentState.WORKING, Refusal.CHANGED)):
        made, subject = view(grown(*LEAKING))
        subject = replace(subject, state=state, state_since_timestamp_seconds=made.report.timestamp)
        report = replace(made.report, agents=(subject,))
        assert replace(made, policy=policy, report=report).objection(subject) is expected


def test_a_hold_of_the_culprit_alone_is_heeded() -> None:
    held, subject = view(grown(*LEAKING), Hold(until=10**10, process=of(702)))
    assert held.objection(subject, of(702)) is Refusal.HELD


HELD = replace(
    POLICY, ladder=(LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=60.0, memory_high=MIB)),)
)


@pytest.mark.parametrize(
    ("members", "refusal", "culprit"),
    [
        ((member(700, 1, 300), member(701, 700, 20), member(702, 701, 4000)), None, 702),
        ((member(700, 1, 4000), member(701, 700, 20)), Refusal.PANE_SHELL, 700),
        ((member(700, 1, 300), member(701, 700, 2000), member(702, 700, 2000)), Refusal.PANE_SHELL, None),
    ],
)
def test_a_throttle_holds_the_culprit_below_what_tmux_started_in_a_pane(
    members: tuple[TreeProcess, ...], refusal: Refusal | None, culprit: int | None
) -> None:
    report = replace(grown(*members), panes=(replace(pane("default", "work", "%3"), pid=ROOT),))
    throttles = [each for _, each in Cycles(HELD).run(report, 300) if each.action is Action.THROTTLE]
    assert [each.refusal for each in throttles] == [refusal]
    if culprit and (order := throttles[0].order) is not None:
        assert order.culprit == of(culprit) and order.with_below is (culprit != ROOT)


@pytest.mark.parametrize("clients", [0, 1])
def test_the_culprit_below_what_tmux_started_in_a_pane_is_ended_where_nobody_is_attached(
    clients: int,
) -> None:
    report = grown(member(700, 1, 300), member(701, 700, 20), member(702, 701, 4000))
    report = replace(
        report,
        panes=(replace(pane("default", "work", "%3"), pid=ROOT),),
        sessions=(replace(session("default", "work"), attached_clients=clients),),
    )
    found = [each for _, each in Cycles(POLICY).run(report, 300)]
    ends = [each.order.culprit for each in found if each.action is Action.STOP and each.order]
    assert ends == ([of(702)] if clients == 0 else [])
    told = [each.refusal for each in found if each.refusal]
    assert told == ([] if clients == 0 else [Refusal.ATTACHED_SESSION])


def test_an_agent_that_waits_for_a_person_is_not_throttled_itself() -> None:
    for members, refusal in (
        ((member(700, 1, 4000), member(701, 700, 20)), Refusal.STATE),
        ((member(700, 1, 300), member(701, 700, 4000)), None),
    ):
        report = grown(*members)
        waiting = replace(report.agents[0], state=AgentState.WAITING)
        found = Cycles(HELD).run(replace(report, agents=(waiting,)), 300)
        assert [each.refusal for _, each in found if each.action is Action.THROTTLE] == [refusal]


def test_nothing_is_throttled_where_nobody_holds_the_figure() -> None:
    report = grown(member(700, 1, 300), member(701, 700, 2000), member(702, 700, 2000))
    throttles = [each for _, each in Cycles(HELD).run(report, 300) if each.action is Action.THROTTLE]
    assert [each.refusal for each in throttles] == [Refusal.NO_CULPRIT]


def test_of_a_tree_without_its_root_nothing_is_below_it_but_what_lost_its_parent() -> None:
    assert below_each(of(700), (member(701, 1), member(702, 701))) == {
        of(701): [of(701), of(702)],
        of(702): [of(702)],
        of(700): [of(701), of(702)],
    }


WHOLE = replace(
    POLICY,
    ladder=(
        LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=60.0, memory_high=MIB, whole_pane=True)),
    ),
)


@pytest.mark.parametrize(
    ("root", "others", "attached", "refusal"),
    [
        (1, (), 0, None),
        (ROOT, (), 0, None),
        (1, (AgentState.WORKING,), 0, None),
        (1, (AgentState.WAITING,), 0, Refusal.STATE),
        (1, (), 1, Refusal.ATTACHED_SESSION),
    ],
)
def test_a_whole_pane_is_throttled_whoever_holds_the_figure_unless_an_agent_in_it_waits(
    root: int, others: tuple[AgentState, ...], attached: int, refusal: Refusal | None
) -> None:
    report = grown(member(700, 1, 300), member(701, 700, 2000), member(702, 700, 2000))
    one = report.agents[0]
    beside = tuple(
        replace(one, agent="other", pid=800, process=ProcessId(800, 1), state=each) for each in others
    )
    report = replace(
        report,
        agents=(one, *beside),
        panes=(replace(pane("default", "work", "%3"), pid=root),),
        sessions=(replace(session("default", "work"), attached_clients=attached),),
    )
    held = [each for _, each in Cycles(WHOLE).run(report, 300) if each.action is Action.THROTTLE]
    (found,) = [each for each in held if each.candidate.target.processes == (one.process,)]
    assert found.refusal is refusal
    assert found.order is not None and (found.order.first, found.order.culprit) == (one.process, None)
    assert describe_end(found) == "the whole pane of an agent"
