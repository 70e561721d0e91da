"""The fast reader and the plain one, its oracle, on every history of a simulated kernel."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_conservation import check, tape
from tests.support.examples import examples
from tests.support.literals.facts import UID
from tests.support.simulation.fast_reader import FastOnSimulation
from tests.support.simulation.kernel import INIT, SimulatedKernel
from tests.support.simulation.reader import MORE_DEEDS, Mischief, read_table
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.sources.processes.process_cache import find_other_users

TAPES = st.binary(min_size=40, max_size=600)
PID_MAX = (30, 60, 1000)
SEEDS = range(100)
READINGS_BETWEEN_LISTINGS = 70


def agree(tape: bytes, *, busy: bool) -> int:
    """Play a tape; at each quiet reading both readers must agree. Gives how many readings were compared."""
    kernel = SimulatedKernel(pid_max=PID_MAX[tape[0] % 3], call_ns=1000)
    mischief = Mischief(kernel, tape[3:], deeds=MORE_DEEDS)
    first = kernel.fork(1)
    kernel.setsid(first)
    fast = FastOnSimulation(kernel)
    pace = Random(tape[2])
    goes_on = True

    def step() -> None:
        nonlocal goes_on
        goes_on = mischief.step()

    compared, before = 0, None
    while goes_on:
        for _ in range(tape[1] % 7):
            step()
        if busy:
            fast(lambda: step() if pace.random() < 0.2 else None)
        else:
            step()
        seen, truth = fast(), read_table(kernel)
        assert seen.processes == truth.processes
        assert (seen.complete, seen.missed) == (True, 0)
        assert before is None or is_told(before, seen)
        compared, before = compared + 1, seen
    return compared


def is_told(before: ProcessTable, now: ProcessTable) -> bool:
    """Whether `now` tells of all that it has otherwise than the reading before."""
    if now.changes is None or now.changes.since is not before.processes:
        # A reading came between the two.
        return now.changes is not None
    pids = before.processes.keys() | now.processes.keys()
    return now.changes.pids >= {
        pid for pid in pids if before.processes.get(pid) is not now.processes.get(pid)
    }


@given(TAPES)
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_both_readers_agree_whatever_happened_between_readings(tape: bytes) -> None:
    assert agree(tape, busy=False) > 0


@given(TAPES)
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_both_readers_agree_after_a_reading_during_which_anything_happened(tape: bytes) -> None:
    assert agree(tape, busy=True) > 0


def agree_on_ours(tape: bytes) -> int:
    """As `agree`, with processes of another user beside ours: of those that are strangers only their being
    there must be told, and that five minutes late. Gives how many entries of strangers were late.
    """
    kernel = SimulatedKernel(pid_max=1000, call_ns=1000)
    mischief = Mischief(kernel, tape[2:], deeds=MORE_DEEDS, most=30)
    for uid in (UID, UID, UID + 1, UID + 1, UID + 1):
        top = kernel.fork(INIT)
        kernel.setsid(top)
        kernel.alter(top, uid=uid)
    fast = FastOnSimulation(kernel)
    late = 0
    apart: list[set[int]] = [set()] * READINGS_BETWEEN_LISTINGS
    goes_on = True
    while goes_on:
        for _ in range(1 + tape[0] % 6):
            goes_on = mischief.step()
        seen, truth = fast(), read_table(kernel)
        apart = [find_other_users(truth.processes, UID), *apart[:-1]]
        # Who is akin by now was a stranger when it was last looked at.
        lately = set().union(*apart)
        pids = seen.processes.keys() | truth.processes.keys()
        wrong = {pid for pid in pids if seen.processes.get(pid) != truth.processes.get(pid)}
        assert wrong <= lately, wrong - lately
        assert truth.processes.keys() <= seen.processes.keys()
        late += len(wrong)
    return late


@given(TAPES)
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_of_strangers_only_the_figures_and_the_end_are_late(tape: bytes) -> None:
    agree_on_ours(tape)


def test_strangers_are_looked_at_late_over_long_histories() -> None:
    late = 0
    for seed in SEEDS:
        try:
            late += agree_on_ours(Random(seed).randbytes(1200))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
    assert late > 0, "no stranger was spared a look"


@given(TAPES)
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_counters_keep_to_the_truth_with_the_fast_reader(tape: bytes) -> None:
    check(tape, reader=FastOnSimulation)


@pytest.mark.parametrize("busy", [False, True])
def test_both_readers_agree_over_long_histories(busy: bool) -> None:
    for seed in SEEDS:
        try:
            assert agree(Random(seed).randbytes(1200), busy=busy) > 0
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def test_counters_keep_to_the_truth_over_long_histories() -> None:
    for seed in SEEDS:
        try:
            check(tape(seed), reader=FastOnSimulation)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
