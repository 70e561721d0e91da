"""What acts share of a sample, and for how long."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.listings import table
from tests.support.remediator.orphans import SERVER, orphan, seen
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.act import shared_view
from tmux_exporter.remediator.act.shared_view import SharedView
from tmux_exporter.remediator.decide.vetoes import Moment

ALL, SOME, SAMPLE, QUERY = "all processes", "its processes", "sample", "query"
CONFIRM, LIST, SHARE = (
    shared_view.CONFIRMED_SECONDS + 0.1,
    shared_view.LISTED_SECONDS + 0.1,
    shared_view.SHARED_SECONDS + 0.1,
)


class World:
    """A live view and its tmux servers; notes what is read; `confirmed` is what a query shows."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.confirmed: Callable[[Report, float], Report] = _all
        self.read: list[str] = []

    def moment(self) -> Moment:
        return Moment(self.clock.time(), self.clock.monotonic())

    def processes(self) -> ProcessTable:
        self.read.append(ALL)
        return table(taken_at=self.clock.monotonic())

    def read_again(self, shared: ProcessTable, _: Iterable[ProcessId]) -> ProcessTable:
        self.read.append(SOME)
        return shared

    def sample(self) -> tuple[Report, Any]:
        self.read.append(SAMPLE)
        return _all(seen(orphan(), servers=(SERVER,)), self.clock.monotonic()), _Servers(self)


class _Servers:
    def __init__(self, world: World) -> None:
        self._world = world

    def confirmed(self, report: Report, _: ProcessTable | None) -> Report:
        self._world.read.append(QUERY)
        return self._world.confirmed(report, self._world.clock.monotonic())


def _all(report: Report, now: float) -> Report:
    return _judged(replace(report, servers=(replace(SERVER, listing_taken_at=now),)), now)


def _judged(report: Report, now: float) -> Report:
    return replace(report, schedulers=tuple(replace(each, judged_at=now) for each in report.schedulers))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def view(world: World) -> SharedView:
    return SharedView(world, world.clock)  # type: ignore[arg-type]


def act(view: SharedView) -> tuple[Report, Moment]:
    view.processes((ProcessId(500, 9_000),))
    return view.look()


def test_a_sample_serves_many_acts_each_of_which_reads_its_own_again(world: World, view: SharedView) -> None:
    for _ in range(3):
        act(view)
    assert world.read == [ALL, SAMPLE, SOME, SOME]


def test_tmux_is_asked_again_before_its_answer_is_old(world: World, view: SharedView) -> None:
    act(view)
    world.clock.advance(CONFIRM)
    report, moment = act(view)
    assert world.read[2:] == [SOME, QUERY]
    assert report.servers[0].listing_taken_at == moment.monotonic
    act(view)
    assert world.read[4:] == [SOME]


def test_all_processes_are_read_again_before_their_list_is_old(world: World, view: SharedView) -> None:
    act(view)
    world.clock.advance(LIST)
    act(view)
    assert world.read[2:] == [ALL, QUERY]


def test_a_sample_confirmed_again_and_again_still_gets_old(world: World, view: SharedView) -> None:
    for _ in range(9):
        act(view)
        world.clock.advance(SHARE / 9)
    act(view)
    assert world.read.count(SAMPLE) == 2


@pytest.mark.parametrize("confirmed", [lambda report, _: report, _judged])
def test_what_tmux_does_not_confirm_is_sampled_anew(
    world: World, view: SharedView, confirmed: Callable[[Report, float], Report]
) -> None:
    world.confirmed = confirmed
    act(view)
    world.clock.advance(CONFIRM)
    act(view)
    assert world.read[2:] == [SOME, QUERY, SAMPLE]


def test_targets_that_cannot_be_ended_need_no_confirmation(world: World, view: SharedView) -> None:
    def silent(report: Report, _: float) -> Report:
        return replace(
            report,
            servers=tuple(replace(each, up=False) for each in report.servers),
            schedulers=tuple(replace(each, state=SchedulerState.ARMED) for each in report.schedulers),
        )

    world.confirmed = silent
    act(view)
    world.clock.advance(CONFIRM)
    act(view)
    assert world.read[2:] == [SOME, QUERY]


def test_after_a_renewal_nothing_is_shared(world: World, view: SharedView) -> None:
    act(view)
    view.renew()
    act(view)
    assert world.read == [ALL, SAMPLE, ALL, SAMPLE]
