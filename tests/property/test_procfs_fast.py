"""The fast reader and the plain one, its oracle, on every history of a simulated kernel."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_conservation import check, tape
from tests.support.fast_on_simulation import FastOnSimulation
from tests.support.simulated_kernel import SimulatedKernel
from tests.support.simulated_reader import MORE_DEEDS, Mischief, read_table
from tmux_exporter.model import ProcessTable

TAPES = st.binary(min_size=40, max_size=600)
PID_MAX = (30, 60, 1000)
SEEDS = range(100)


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
@settings(max_examples=200, deadline=None, derandomize=True)
def test_both_readers_agree_whatever_happened_between_readings(tape: bytes) -> None:
    assert agree(tape, busy=False) > 0


@given(TAPES)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_both_readers_agree_after_a_reading_during_which_anything_happened(tape: bytes) -> None:
    assert agree(tape, busy=True) > 0


@given(TAPES)
@settings(max_examples=200, deadline=None, derandomize=True)
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
