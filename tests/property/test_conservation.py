"""The counters against the truth of a simulated kernel whose processes live on while they are read."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.simulation.accounted_history import (
    LABELS,
    NOBODYS,
    PANES,
    STRANGERS,
    WITHIN,
    Counters,
    Figures,
    History,
    Reader,
    cut_by_ticks,
    figures,
)
from tests.support.simulation.kernel import INIT, TICK_NS, SimulatedKernel
from tests.support.simulation.naive_conservation import NaiveCounters
from tests.support.simulation.reader import DEEDS, read_table
from tmux_exporter.analysis.cpu.counters import GroupCounters

TAPES = st.binary(min_size=40, max_size=400)
SEEDS = range(2500)


def tape(seed: int) -> bytes:
    """A long tape on which only some kinds of deeds happen, so that rare ones come together."""
    random = Random(seed)
    head = random.randbytes(4)
    deeds = random.sample(range(len(DEEDS)), random.randint(4, len(DEEDS)))
    for needed in ("run", "fork", "end"):
        kinds = {each for each, deed in enumerate(DEEDS) if needed in deed}
        deeds += [] if kinds & set(deeds) else [min(kinds)]
    steps = (bytes((random.choice(deeds), random.randrange(256), random.randrange(256))) for _ in range(80))
    return head + b"".join(steps)


def assert_never_falls(history: History) -> None:
    for before, after in pairwise(history.moments):
        for label, old in before.counted.items():
            new = after.counted[label]
            assert (new.cpu >= old.cpu, new.read >= old.read, new.written >= old.written) == (True,) * 3, (
                label
            )


def assert_never_over(history: History) -> None:
    """Nothing that was not used since the first reading; ticks that were cut then may show later."""
    for moment in history.moments:
        for label in LABELS:
            truth = moment.used[label] - history.start[label]
            if (within := WITHIN.get(label)) is not None:
                # What an agent within used last goes, when it ends, to the agent that waited for it.
                truth += moment.used[within] - history.start[within]
            counted = moment.counted[label]
            assert counted.cpu <= truth.cpu + cut_by_ticks(history.first_members[label]), label
            assert (counted.read <= truth.read, counted.written <= truth.written) == (True, True), label


def assert_short_by_what_is_published(history: History) -> None:
    """From the fourth reading on, where nothing went on in the first two: else what was inherited until then
    may be from before the first.

    What ended because its parent ignores its children is in no account; as much as was counted of it may be
    taken for a debt of somebody else.
    """
    if not history.starts_quietly:
        return
    lost = sum((figures(history.kernel.lost[label]) for label in (*PANES, STRANGERS)), Figures(0, 0, 0))
    early, late = history.moments[3], history.moments[-1]
    for label in PANES:
        used = late.used[label] - early.used[label]
        short = used - (late.counted[label] - early.counted[label])
        cut = cut_by_ticks(history.living_members[label] + 2)
        assert short.cpu <= late.counted[NOBODYS].cpu + lost.cpu + cut, label
        # Of bytes that others got no account is published, and a zombie of the first readings hides its own.
        if not history.hides_bytes:
            other = figures(history.kernel.left[label]) + lost + late.counted[NOBODYS]
            assert (short.read <= other.read, short.written <= other.written) == (True, True), label


@given(TAPES)
@settings(max_examples=examples(1500), deadline=None, derandomize=True)
def test_counters_keep_to_the_truth(history: bytes) -> None:
    check(history)


def check(history: bytes, *, reader: Callable[[SimulatedKernel], Reader] | None = None) -> None:
    played = History(history, GroupCounters[str](), reader=reader).play()
    assert_never_falls(played)
    assert_never_over(played)
    assert_short_by_what_is_published(played)


@pytest.mark.long
def test_counters_keep_to_the_truth_in_long_histories() -> None:
    for seed in SEEDS:
        try:
            check(tape(seed))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def test_counters_are_never_over_nor_fall_when_readings_miss_somebody() -> None:
    for seed in SEEDS[:500]:
        played = History(tape(seed), GroupCounters[str](), incomplete=True).play()
        try:
            assert_never_falls(played)
            assert_never_over(played)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def reap_between_looks(counters: Counters, *, child_first: bool) -> float:
    """Seconds counted, of 0.1, where a child of 1,000 s ends between the looks at it and its parent."""
    kernel = SimulatedKernel()
    shell = kernel.fork(INIT, labels={"%0"})
    child = kernel.fork(shell)
    kernel.run(child, 1000 * 100 * TICK_NS)
    pids = [INIT, child, shell] if child_first else [INIT, shell, child]

    def read(between: Callable[[], None]) -> None:
        table = read_table(kernel, between, lambda _: pids)
        groups = {each.id: frozenset({"%0"}) for each in table.processes.values() if each.id.pid != INIT}
        counters.observe(table, groups, {})

    for _ in range(3):
        read(lambda: None)
    kernel.run(child, 10 * TICK_NS)
    # Each look has two moments: before the line of stat and before the accounts of I/O.
    moments = iter(range(6))

    def end() -> None:
        if next(moments) == 4:
            kernel.exit(child)
            kernel.wait(shell)

    read(end)
    for _ in range(3):
        read(lambda: None)
    return counters.totals("%0").cpu_seconds


@pytest.mark.parametrize("child_first", [True, False])
def test_a_child_that_ends_while_it_is_read_counts_once(child_first: bool) -> None:
    assert reap_between_looks(GroupCounters[str](), child_first=child_first) == pytest.approx(0.1)


@pytest.mark.parametrize("child_first", [True, False])
def test_the_naive_law_counts_it_twice(child_first: bool) -> None:
    assert reap_between_looks(NaiveCounters(), child_first=child_first) > 1000


def test_the_naive_law_does_not_keep_to_the_truth() -> None:
    over = 0
    for seed in range(100):
        played = History(tape(seed), NaiveCounters()).play()
        try:
            assert_never_over(played)
        except AssertionError:
            over += 1
    assert over > 10
