"""The Markdown report of a plan: what would end, why, and what that would win back."""

from dataclasses import replace

from tests.support.literals.report import leak
from tests.support.remediator.orphans import Cycles, orphan
from tests.unit.remediator.decide.test_culprit import LEAKING, POLICY, grown, member
from tmux_exporter.commands.views.plan_report import markdown
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.remediation import Action, Method, TargetKind
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import LadderStep, Policy, TargetMatch, Whom
from tmux_exporter.remediator.record import plan


def reported(policy: Policy, report: Report) -> list[str]:
    cycles = Cycles(policy)
    orders: list[Order] = []
    for _ in range(200):
        cycles.see(report)
        orders = list(cycles.verdict.plan) or orders
    made = plan.make(orders, wall=0.0, boot="b", uid=0)
    return markdown(made, report).splitlines()[4:]


def asking(policy: Policy) -> Policy:
    """A person has to agree, so that it stays in the plan."""
    return replace(
        policy,
        ladder=tuple(
            replace(each, approvals=1) if each.action is Action.STOP else each for each in policy.ladder
        ),
    )


def test_a_culprit_is_reported_with_what_it_holds_and_the_agent_that_lives() -> None:
    worker = member(703, 702, 100, open_fds=5)
    rows = reported(asking(POLICY), grown(*LEAKING, worker))
    assert rows == [
        "| policy | what | why | it would win back |",
        "| --- | --- | --- | --- |",
        "| big | pid 702 of agent coder of session work, which lives, with all below it "
        "| memory 4.3GiB, above 1000MiB; it holds 4GiB | 2 processes, 4GiB, 5 open files |",
        "",
        "In all: 2 processes, 4GiB, 5 open files.",
    ]


def test_names_of_others_are_read_as_they_are() -> None:
    policy = asking(
        replace(
            POLICY,
            name="left",
            match=TargetMatch(kind=TargetKind.LEAKED_PROCESS, argv_sha256=("",), opted_in=True),
            when=replace(POLICY.when, conditions=()),
            whom=Whom.AGENT,
            ladder=(LadderStep(action=Action.STOP, method=Method.LEAKED_PROCESS),),
        )
    )
    left = replace(leak("default", "a|b<c>", LeakKind.MCP_SERVER, pid=900), reason="its pane is gone")
    (row, *_) = reported(policy, replace(grown(*LEAKING), leaks=(left,)))[2:]
    assert r"of session a\|b\<c\>, pid 900" in row and r"mcp\_server: its pane is gone" in row
    assert row.endswith("| 1 process, 12MiB, 5 open files |")


def test_a_scheduler_is_reported_with_its_state() -> None:
    rows = reported(asking(ORPHANED_SCHEDULERS), replace(grown(), schedulers=(orphan(),)))
    assert "| dangling: no target exists | 2 processes, " in rows[2]


def test_of_nothing_it_says_so() -> None:
    made = plan.make((), wall=0.0, boot="b", uid=0)
    assert markdown(made, grown(*LEAKING)).splitlines()[-1] == "Nothing."
