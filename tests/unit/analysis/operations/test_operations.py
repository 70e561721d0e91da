"""Counters of reported operations: buckets, failures, names, lost reports, operations in flight."""

import random

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.op_reports import STREAM, began, ended
from tmux_exporter.analysis.operations.operations import BOUNDS, OperationCounters
from tmux_exporter.analysis.operations.reporters import (
    FARTHEST,
    GRACE,
    MOST_GAPS,
    MOST_STREAMS,
    MOST_UNDER_WAY,
    Gaps,
)
from tmux_exporter.config import ObjectiveConfig
from tmux_exporter.facts.operations import OperationLoss, OperationReport
from tmux_exporter.facts.report import OperationFigures, OperationsReport
from tmux_exporter.wire.operation_line import CLASSES, FAILURES

CLOCK = ManualClock()
TRACE = "0af7651916cd43dd8448eb211c80319c"


def operations(
    *reports: OperationReport,
    names: tuple[str, ...] = (),
    most: int = 50,
    exemplars: bool = False,
    objectives: tuple[ObjectiveConfig, ...] = (),
) -> OperationCounters:
    made = OperationCounters()
    made.configure(names, most, exemplars=exemplars, objectives=objectives)
    for report in reports:
        made.observe(report, 1000.0)
    return made


def sample(made: OperationCounters, running: set[int] | None = None) -> OperationsReport:
    """The next sample, long after the last."""
    CLOCK.advance(2 * GRACE)
    return made.report(running, CLOCK.monotonic())


def figures(made: OperationCounters, name: str, running: set[int] | None = None) -> OperationFigures:
    (found,) = [each for each in sample(made, running).operations if each.operation == name]
    return found


def lost(made: OperationCounters, running: set[int] | None = None) -> dict[OperationLoss, int]:
    return {reason: count for reason, count in sample(made, running).lost.items() if count}


def test_the_five_classes_and_the_declared_names_are_there_from_zero() -> None:
    report = sample(operations(names=("deploy",)))
    assert [each.operation for each in report.operations] == [*CLASSES, "deploy"]
    for each in report.operations:
        assert (each.duration.count, each.duration.sum, each.in_flight, each.retries_total) == (0, 0, 0, 0)
        assert each.errors == dict.fromkeys(FAILURES, 0)
    assert report.lost == dict.fromkeys(OperationLoss, 0)


def test_the_thresholds_of_the_slos_are_bounds_and_belong_to_the_bucket_below() -> None:
    assert {2.0, 5.0, 10.0} <= set(BOUNDS)
    assert (BOUNDS[0], BOUNDS[-1]) == (0.001, 120.0)
    made = operations(*(ended(n, seconds=seconds) for n, seconds in enumerate((2.0, 2.000001, 500.0), 1)))
    histogram = figures(made, "recovery").duration
    by_bound = dict(zip(histogram.bounds, histogram.counts, strict=True))
    assert (by_bound[1.0], by_bound[2.0], by_bound[5.0], by_bound[120.0]) == (0, 1, 2, 2)
    assert histogram.count == 3
    assert histogram.sum == pytest.approx(504.000001)


def test_failures_retries_and_memory_add_up() -> None:
    made = operations(
        ended(1, failure="timeout", retries=2, memory=4096),
        ended(2, failure="timeout", memory=-1024),
        ended(3, retries=1, memory=None),
    )
    found = figures(made, "recovery")
    assert found.errors == {**dict.fromkeys(FAILURES, 0), "timeout": 2}
    assert found.duration.count == 3, "failed ones are counted too"
    assert found.retries_total == 3
    assert (found.memory_grown_bytes_total, found.memory_shrunk_bytes_total) == (4096, 1024)


def test_what_takes_longer_than_its_objective_is_slow() -> None:
    took = {"status_check": (2.0, 2.1), "recovery": (300.0, 300.1), "deploy": (59.0, 61.0), "build": (900.0,)}
    made = operations(
        *(
            ended(sequence, name, seconds=seconds, failure="timeout")
            for sequence, (name, seconds) in enumerate(
                ((name, seconds) for name, times in took.items() for seconds in times), 1
            )
        ),
        names=("deploy", "build", "other"),
        objectives=(
            ObjectiveConfig(operation="bu*", excluded=True),
            ObjectiveConfig(operation="deploy", within=60.0, share=0.9),
            ObjectiveConfig(operation="b*", within=1.0),
        ),
    )
    found = {
        each.operation: (each.slow_total, each.objective_seconds, each.objective_ratio)
        for each in sample(made).operations
    }
    assert found == {
        **dict.fromkeys(("agent_command", "inter_agent_message", "scheduling"), (0, 2.0, 0.99)),
        "status_check": (1, 2.0, 0.99),
        "recovery": (1, 300.0, 0.95),
        "deploy": (1, 60.0, 0.9),
        **dict.fromkeys(("build", "other"), (None, None, None)),
    }


def test_a_new_objective_counts_from_then_on_and_the_counter_never_falls() -> None:
    made = operations(ended(1, "deploy", seconds=5.0))
    assert figures(made, "deploy").slow_total is None
    strict, excluded = (
        ObjectiveConfig(operation="*", within=1.0),
        ObjectiveConfig(operation="*", excluded=True),
    )
    for sequence, (objective, slow) in enumerate(
        ((strict, 1), (excluded, None), (strict, 2), (ObjectiveConfig(operation="*", within=9.0), 2)), 2
    ):
        made.configure((), 50, exemplars=False, objectives=(objective,))
        made.observe(ended(sequence, "deploy", seconds=5.0), 0.0)
        assert figures(made, "deploy").slow_total == slow


def test_a_name_that_nobody_declared_is_shown_with_zero_first() -> None:
    made = operations(ended(1, "deploy"))
    made.configure((), 50, exemplars=False, objectives=(ObjectiveConfig(operation="deploy", within=0.1),))
    made.observe(ended(2, "deploy"), 0.0)
    first, second = figures(made, "deploy"), figures(made, "deploy")
    assert (first.duration.count, first.slow_total) == (0, 0)
    assert (second.duration.count, second.slow_total) == (2, 1)


def test_names_are_bounded() -> None:
    made = operations(ended(1, "a"), ended(2, "b"), ended(3, "c"), ended(4, "mine"), names=("mine",), most=2)
    report = sample(made)
    assert [each.operation for each in report.operations] == [*CLASSES, "mine", "a", "b"]
    assert report.lost[OperationLoss.NAMES] == 1
    assert figures(made, "mine").duration.count == 1


def test_what_has_begun_is_under_way_until_it_ends() -> None:
    made = operations(began(1), began(2), ended(3, began=1))
    assert figures(made, "recovery").in_flight == 1
    made.observe(ended(4, began=2), 0.0)
    assert figures(made, "recovery").in_flight == 0


def test_what_its_program_did_not_finish_is_lost_and_no_longer_under_way() -> None:
    made = operations(began(1, pid=7), began(1, pid=8, stream="b" * 16))
    assert lost(made, {8}) == {}, "its report may be younger than the list of processes"
    assert figures(made, "recovery", None).in_flight == 2, "without a list nobody is gone"
    assert figures(made, "recovery", {8}).in_flight == 1
    assert lost(made, {8}) == {OperationLoss.UNFINISHED: 1}


def test_a_sender_whose_pid_is_not_known_is_never_gone() -> None:
    made = operations(began(1, pid=0))
    for _ in range(3):
        assert figures(made, "recovery", set()).in_flight == 1


def test_a_gap_is_lost_once_it_stayed_for_a_whole_sample() -> None:
    made = operations(ended(1), ended(4))
    assert lost(made) == {}
    assert lost(made) == {OperationLoss.DROPPED: 2}
    assert lost(made) == {OperationLoss.DROPPED: 2}


def test_the_first_numbers_of_a_stream_can_be_missing_too() -> None:
    made = operations(ended(3))
    sample(made)
    assert lost(made) == {OperationLoss.DROPPED: 2}


def test_a_stream_that_meant_an_earlier_socket_begins_where_it_is() -> None:
    made = operations(ended(501, judged=False), ended(502, judged=False), ended(504, judged=False))
    sample(made)
    assert lost(made) == {OperationLoss.DROPPED: 1}


def test_threads_may_overtake_one_another() -> None:
    made = operations(ended(2), ended(1), ended(4))
    sample(made)
    made.observe(ended(3), 0.0)
    assert lost(made) == {}
    assert figures(made, "recovery").duration.count == 4


def test_an_end_may_overtake_its_begin() -> None:
    made = operations(began(1), ended(3, began=2), began(2), ended(4, began=1))
    assert figures(made, "recovery").in_flight == 0
    assert lost(made) == {}


def test_the_same_number_twice_is_no_second_report() -> None:
    made = operations(ended(1), ended(1), ended(1))
    assert figures(made, "recovery").duration.count == 1
    assert lost(made) == {OperationLoss.MALFORMED: 2}


@pytest.mark.parametrize("known", [True, False])
def test_a_number_that_is_far_ahead_is_none(known: bool) -> None:
    made = operations(*([ended(1)] if known else []), ended(FARTHEST + 2))
    assert lost(made) == {OperationLoss.MALFORMED: 1}


def test_a_large_gap_is_counted() -> None:
    made = operations(ended(1), ended(100_002))
    assert lost(made) == {}
    assert lost(made) == {OperationLoss.DROPPED: 100_000}


def test_samples_in_a_hurry_give_up_nothing() -> None:
    made = operations(ended(1), ended(3))
    for moment in range(100):
        made.report(None, CLOCK.monotonic() + moment * GRACE / 200)
    made.observe(ended(2), 0.0)
    assert lost(made) == {}


def test_too_many_gaps_give_up_the_oldest() -> None:
    made = operations(*(ended(1 + 3 * number) for number in range(MOST_GAPS + 3)))
    assert lost(made) == {OperationLoss.DROPPED: 2 * 2}


def test_any_order_and_any_loss_adds_up() -> None:
    chance = random.Random(7)
    for _ in range(50):
        numbers = list(range(1, 2001))
        numbers.sort(key=lambda number: number + chance.uniform(0, 200))
        arrived = [number for number in numbers if number == 2000 or chance.random() < 0.7]
        made = operations()
        for number in arrived:
            made.observe(ended(number), 0.0)
            if chance.random() < 0.01:
                made.report(None, CLOCK.monotonic())
        for _ in range(2):
            sample(made)
        assert figures(made, "recovery").duration.count == len(arrived)
        assert lost(made) == {OperationLoss.DROPPED: 2000 - len(arrived)}


def test_gaps_hold_exactly_what_is_missing() -> None:
    chance = random.Random(3)
    gaps, missing = Gaps(), set()
    for first in range(0, 4000, 20):
        gaps.add(first, first + 15)
        missing |= set(range(first, first + 16))
    for _ in range(6000):
        number = chance.randrange(-5, 4010)
        assert gaps.take(number) is (number in missing)
        missing.discard(number)
    assert len(gaps) == len(missing)
    assert {number for number in range(-5, 4010) if number in gaps} == missing


def test_more_senders_than_can_be_followed_still_count() -> None:
    made = operations(*(ended(1, pid=1 + number) for number in range(MOST_STREAMS)))
    made.observe(began(1, pid=99_999), 0.0)
    made.observe(ended(2, began=1, pid=99_999), 0.0)
    assert figures(made, "recovery").duration.count == MOST_STREAMS + 1
    assert lost(made) == {OperationLoss.OVERFLOW: 1}
    sample(made, set())
    made.observe(began(3, pid=99_999, judged=False), 0.0)
    assert figures(made, "recovery").in_flight == 1, "who has ended makes room"


def test_more_operations_at_once_than_can_be_followed() -> None:
    made = operations(*(began(1 + number) for number in range(MOST_UNDER_WAY + 3)))
    assert figures(made, "recovery").in_flight == MOST_UNDER_WAY
    assert lost(made) == {OperationLoss.OVERFLOW: 3}


def test_trace_ids_are_kept_only_when_that_is_switched_on() -> None:
    assert figures(operations(ended(1, trace=TRACE)), "recovery").duration.exemplars == {}
    made = operations(ended(1, trace=TRACE, seconds=0.004), ended(2, seconds=0.004), exemplars=True)
    (place,) = figures(made, "recovery").duration.exemplars
    assert BOUNDS[place] == 0.005
    assert figures(made, "recovery").duration.exemplars[place].trace_id == TRACE
    made.configure((), 50, exemplars=False)
    assert figures(made, "recovery").duration.exemplars == {}


def test_streams_of_one_process_are_told_apart() -> None:
    made = operations(ended(1, stream=STREAM), ended(1, stream="f" * 16))
    assert figures(made, "recovery").duration.count == 2
    assert lost(made) == {}
