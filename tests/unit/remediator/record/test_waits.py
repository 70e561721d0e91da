"""Waits of an earlier run: what goes on, and what begins anew."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.remediator.orphans import WALL, Cycles, actions, orphan, seen
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action
from tmux_exporter.facts.report import Remembered, Report
from tmux_exporter.remediator.decide.decide import start, step_refused
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Condition, LadderStep, Policy, PolicySet, Throttle, When
from tmux_exporter.remediator.record.waits import LONGEST_BREAK, QUIET_BREAK, Waits, WaitsFile

P = replace(ORPHANED_SCHEDULERS, warmup=0.0)
SEEN = Remembered(
    process=ProcessId(700, 9_000), origin=ProcessId(100, 1), pane="%9", server="default", session="work",
    leaked=True, by_folder=False, proven=True, quiet_since=40.0,
)  # fmt: skip
SHORT = 20.0


def file(folder: Path, now: float, *, boot: str = "b", step: float = 0.0) -> WaitsFile:
    clock = ManualClock(time=WALL + now + step, monotonic=now)
    return WaitsFile(folder, uid=os.getuid(), boot=boot, clock=clock)


def left(folder: Path, report: Report, seconds: float, policy: Policy = P) -> None:
    """What a remediator leaves after so many seconds."""
    cycles = Cycles(policy)
    cycles.run(report, seconds)
    file(folder, cycles.now).keep(PolicySet(policies=(policy,)), cycles.state, (SEEN,), last=True)


def found(folder: Path, now: float, policy: Policy = P, **how: object) -> Waits:
    return file(folder, now, **how).load(PolicySet(policies=(policy,)))  # type: ignore[arg-type]


def stopped_at(
    waits: Waits, now: float, report: Report, policy: Policy = P
) -> tuple[list[Action], float | None]:
    """What a remediator does that goes on with these waits, and when it asks for the end."""
    cycles = Cycles(policy)
    cycles.now = now
    cycles.state = replace(start(cycles.moment()), policies=waits.policies)
    steps = [(at, each.action) for at, each in cycles.run(report, 1500) if each.action is not None]
    return list(dict.fromkeys(action for _, action in steps)), next(
        (at for at, each in steps if each is Action.STOP), None
    )


def test_a_wait_goes_on_and_no_step_is_taken_twice(tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    # It was first seen after 5 s, warned of after 305 s, and is ended 300 s later.
    assert stopped_at(found(tmp_path, 400 + SHORT), 400 + SHORT, seen(orphan())) == ([Action.STOP], 605.0)
    assert stopped_at(Waits(), 400 + SHORT, seen(orphan()))[0] == [Action.WARN, Action.STOP]


def test_what_has_waited_long_enough_is_seen_again_before_its_end(tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 604)
    cycles = Cycles(P)
    cycles.now = 610
    cycles.state = replace(start(cycles.moment()), policies=found(tmp_path, 610).policies)
    # It is started, and looks at once.
    assert actions(cycles.see(seen(orphan()), after=1)) == []
    assert actions(cycles.see(seen(orphan()))) == [Action.STOP]


def _boot(folder: Path) -> Waits:
    return found(folder, 400 + SHORT, boot="another")


def _no_boot(folder: Path) -> Waits:
    return found(folder, 400 + SHORT, boot="")


def _long(folder: Path) -> Waits:
    return found(folder, 400 + LONGEST_BREAK + 1)


def _suspended(folder: Path) -> Waits:
    return found(folder, 400 + SHORT, step=60.0)


def _back(folder: Path) -> Waits:
    return found(folder, 300)


def _changed(folder: Path) -> Waits:
    return found(folder, 400 + SHORT, replace(P, hold=P.hold / 2))


def _renamed(folder: Path) -> Waits:
    return found(folder, 400 + SHORT, replace(P, name="other"))


@pytest.mark.parametrize("how", [_boot, _no_boot, _long, _suspended, _back, _changed, _renamed])
def test_every_wait_begins_anew(how: Callable[[Path], Waits], tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    assert not any(each.watches for each in how(tmp_path).policies.values())


def test_another_process_of_the_same_pid_waits_from_its_beginning(tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    later = seen(orphan(process=ProcessId(500, 9_999)))
    waits = found(tmp_path, 400 + SHORT)
    assert stopped_at(waits, 400 + SHORT, later) == ([Action.WARN, Action.STOP], 400 + SHORT + 605)


def _not_json(text: str) -> str:
    return text[:-9]


def _another_version(text: str) -> str:
    return text.replace('"version": 1', '"version": 2')


def _a_time_to_come(text: str) -> str:
    return text.replace('"since": 5.0', '"since": 5000.0')


def _no_process(text: str) -> str:
    return text.replace("[500, 9000]", "[500]")


def _a_kind_nobody_knows(text: str) -> str:
    return text.replace('"scheduler"', '"planet"')


@pytest.mark.parametrize(
    "damage", [_not_json, _another_version, _a_time_to_come, _no_process, _a_kind_nobody_knows]
)
def test_nothing_of_a_damaged_file_is_believed(damage: Callable[[str], str], tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    assert found(tmp_path, 400 + SHORT) == Waits()


def test_a_file_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o620)
    assert found(tmp_path, 400 + SHORT) == Waits()


def test_what_a_sample_has_proven_is_kept_and_quiet_only_for_a_short_break(tmp_path: Path) -> None:
    left(tmp_path, seen(orphan()), 400)
    assert found(tmp_path, 400 + SHORT).earlier == (SEEN,)
    assert found(tmp_path, 401 + QUIET_BREAK).earlier == (replace(SEEN, quiet_since=None),)


def test_a_condition_that_held_between_its_bounds_holds_on(tmp_path: Path) -> None:
    when = When(conditions=(Condition(metric="tmux_scheduler_memory_bytes", above=100.0, clear_below=50.0),))
    policy = replace(P, when=when)
    left(tmp_path, seen(orphan(memory_bytes=200)), 400, policy)
    between = seen(orphan(memory_bytes=70))
    waits = found(tmp_path, 400 + SHORT, policy)
    assert stopped_at(waits, 400 + SHORT, between, policy) == ([Action.STOP], 605.0)
    assert stopped_at(Waits(), 400 + SHORT, between, policy) == ([], None)


def test_it_is_written_seldom_and_at_the_end(tmp_path: Path) -> None:
    cycles = Cycles(P)
    cycles.run(seen(orphan()), 100)
    clock = ManualClock(time=WALL, monotonic=0.0)
    kept = WaitsFile(tmp_path, uid=os.getuid(), boot="b", clock=clock)

    def at() -> float:
        (path,) = tmp_path.iterdir()
        found: float = json.loads(path.read_text())["at"]
        return found

    policies = PolicySet(policies=(P,))
    kept.keep(policies, cycles.state, ())
    clock.advance(5)
    kept.keep(policies, cycles.state, ())
    assert at() == 0.0
    kept.keep(policies, cycles.state, (), last=True)
    assert at() == 5.0
    clock.advance(31)
    kept.keep(policies, cycles.state, ())
    assert at() == 36.0


def test_a_refused_throttle_is_tried_again_by_the_next_run_once_it_is_seen_again(tmp_path: Path) -> None:
    step = LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=60.0, pause=True))
    policy = replace(P, ladder=(step,))
    cycles = Cycles(policy)
    ((_, throttle),) = cycles.run(seen(orphan()), 400)
    cycles.state = step_refused(cycles.state, throttle, interval=5.0, now=cycles.now)
    file(tmp_path, 400).keep(PolicySet(policies=(policy,)), cycles.state, (), last=True)
    cycles.now = 400 + SHORT
    cycles.state = replace(start(cycles.moment()), policies=found(tmp_path, cycles.now, policy).policies)
    assert actions(cycles.see(seen(orphan()), after=1)) == []
    assert actions(cycles.see(seen(orphan()))) == [Action.THROTTLE]
    text = next(tmp_path.iterdir()).read_text()
    assert text.count('"retries": [[0,') == 1
    next(tmp_path.iterdir()).write_text(text.replace('"retries": [[0,', '"retries": [[1,'))
    assert found(tmp_path, 400 + SHORT, policy) == Waits(), "it has no such step"
