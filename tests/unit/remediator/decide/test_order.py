"""What a decision hands to the act."""

from tests.support.remediator.orphans import INTERVAL, Cycles, orphan, seen
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Method, Signal, TargetKind
from tmux_exporter.remediator.decide.candidates import target_of
from tmux_exporter.remediator.decide.order import Stage
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS as P


def test_a_stop_comes_with_an_order_for_exactly_its_two_processes() -> None:
    found = Cycles().run(seen(orphan()), P.warmup + P.hold + P.stop_after + 2 * INTERVAL)
    assert [decision.order is None for _, decision in found] == [
        decision.action is not Action.STOP for _, decision in found
    ]
    (order,) = [decision.order for _, decision in found if decision.order]
    assert order.policy == P
    assert order.method is Method.SCHEDULER_PAIR
    assert order.target.kind is TargetKind.SCHEDULER
    assert order.target.processes == (ProcessId(500, 9_000), ProcessId(501, 9_000))
    assert order.stages == (
        Stage(action=Action.STOP, signal=Signal.TERM, seconds=P.grace),
        Stage(action=Action.KILL, signal=Signal.KILL, seconds=P.gone_within),
    )
    assert order.plan_sha256 == ""


def test_of_a_scheduler_without_a_sleep_there_is_the_shell_alone() -> None:
    assert target_of(orphan(sleep=None)).processes == (ProcessId(500, 9_000),)
