"""Shared memory: whose PSS is read, within which CPU budget, and what then counts for which process."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from tests.support.literals.facts import UID, process, table
from tmux_exporter.analysis.memory.shared_memory import (
    BURST_SECONDS,
    FRESH_SAMPLES,
    LARGE_SECONDS,
    LARGEST_BYTES,
    SHARE,
    MemoryFigures,
    SharedMemory,
    reading_seconds,
)
from tmux_exporter.facts.process import MemorySource, Process, ProcessId, Proportions, ProportionsFound

MIB = 1 << 20
IMAGE = 140_723_672_088_364


def worker(pid: int, mib: int = 150, *, image: int = IMAGE, shared: int = 0, ticks: int = 0) -> Process:
    return process(
        pid, image=image, resident_bytes=(mib + shared + 4) * MIB, anonymous_bytes=mib * MIB,
        shared_memory_bytes=shared * MIB, swap_bytes=0, cpu_ticks=ticks,
    )  # fmt: skip


def ids(processes: Iterable[Process]) -> set[ProcessId]:
    return {each.id for each in processes}


def elsewhere(mib: float = 0, shared: float = 0, swap: float = 0) -> Proportions:
    return Proportions(
        anonymous_elsewhere_bytes=round(mib * MIB),
        shared_memory_bytes=round(shared * MIB),
        swap_elsewhere_bytes=round(swap * MIB),
    )


def sample(
    pages: SharedMemory, members: list[Process], found: Proportions | None = None, *, owned: int | None = None
) -> tuple[tuple[ProcessId, ...], MemoryFigures]:
    """One sample in which everybody that is asked says `found`: whom it asked, and the figures after it."""
    asked = pages.plan(table(*members), ids(members[:owned]))
    learn(pages, members, dict.fromkeys(asked, found))
    return asked, pages.figures()


def learn(
    pages: SharedMemory,
    members: list[Process],
    found: Mapping[ProcessId, Proportions | None],
    *,
    dearer: float = 1.0,
) -> float:
    """Hand over what was read, at so many times of what readings are said to cost; what it cost."""
    resident = {each.id: each.resident_bytes or 0 for each in members}
    cost = dearer * sum(reading_seconds(resident[id_]) for id_ in found)
    pages.learn(ProportionsFound(found=found, cpu_seconds=cost))
    return cost


def held(figures: MemoryFigures, members: list[Process]) -> float:
    return sum(figures.memory_bytes(each) or 0 for each in members) / MIB


FAMILY = [worker(pid) for pid in range(10, 18)]


def test_a_forked_family_counts_its_pages_once() -> None:
    asked, figures = sample(SharedMemory(), FAMILY, elsewhere(mib=150 * 7 / 8))
    assert sorted(asked) == sorted(ids(FAMILY))
    assert held(figures, FAMILY) == pytest.approx(150)
    assert figures.source(FAMILY) is MemorySource.SMAPS_ROLLUP


def test_nobody_is_asked_who_shares_nothing_of_note() -> None:
    members = [
        worker(10, 300, image=1), worker(11, 200, image=2), worker(12, 1, image=3),
        process(13, image=3, resident_bytes=2 * MIB, anonymous_bytes=MIB // 2, shared_memory_bytes=0),
        worker(14, image=0), worker(15, image=0), process(16, image=1, state="Z"), process(17, image=1),
        worker(18, image=4, shared=100),
    ]  # fmt: skip
    asked, figures = sample(SharedMemory(), members)
    assert asked == ()
    assert figures.source(members) is MemorySource.STATUS
    assert figures.source([members[7]]) is None


def test_only_those_are_asked_that_count_for_somebody() -> None:
    asked, _ = sample(SharedMemory(), FAMILY, elsewhere(), owned=3)
    assert sorted(asked) == sorted(ids(FAMILY[:3]))


def test_shared_memory_counts_by_parts() -> None:
    members = [worker(10, 5, image=1, shared=100), worker(11, 5, image=2, shared=100)]
    asked, figures = sample(SharedMemory(), members, elsewhere(shared=50))
    assert sorted(asked) == sorted(ids(members))
    assert held(figures, members) == 110


def test_swap_counts_by_parts() -> None:
    members = [
        process(pid, image=IMAGE, anonymous_bytes=9 * MIB, shared_memory_bytes=0, swap_bytes=80 * MIB)
        for pid in (10, 11)
    ]
    _, figures = sample(SharedMemory(), members, elsewhere(swap=40))
    assert [figures.swap_bytes(each) for each in members] == [40 * MIB] * 2
    assert figures.swap_bytes(process(10)) is None


def test_what_is_refused_or_too_large_is_an_upper_bound_and_says_so() -> None:
    pages = SharedMemory()
    asked, figures = sample(pages, FAMILY)
    assert held(figures, FAMILY) == 150 * 8
    assert figures.source(FAMILY) is MemorySource.UPPER_BOUND
    assert sample(pages, FAMILY)[0] == ()
    largest = [worker(pid, LARGEST_BYTES // MIB) for pid in (10, 11)]
    asked, figures = sample(SharedMemory(), largest)
    assert asked == ()
    assert figures.source(largest) is MemorySource.UPPER_BOUND


def test_a_refusal_is_tried_again_later() -> None:
    pages = SharedMemory()
    sample(pages, FAMILY)
    assert sum(map(len, [sample(pages, FAMILY)[0] for _ in range(FRESH_SAMPLES)])) == len(FAMILY)


def test_what_rests_is_not_read_again_at_once() -> None:
    pages = SharedMemory()
    small = [worker(pid, 3) for pid in range(10, 13)]
    assert len(sample(pages, small, elsewhere(2))[0]) == 3
    for _ in range(FRESH_SAMPLES - 1):
        assert sample(pages, small, elsewhere(2))[0] == ()
    assert sum(len(sample(pages, small, elsewhere(2))[0]) for _ in range(FRESH_SAMPLES)) >= 3


def test_what_ran_is_read_again_and_its_new_pages_count_at_once() -> None:
    pages = SharedMemory()
    small = [worker(pid, 3) for pid in range(10, 14)]
    sample(pages, small, elsewhere(2))
    grown = [worker(10, 9, ticks=5), *small[1:]]
    asked = pages.plan(table(*grown), ids(grown))
    assert held(pages.figures(), grown) == 4 * 1 + 6
    assert asked == (small[0].id,)


def test_a_family_that_shrinks_divides_anew_before_it_is_read_again() -> None:
    pages = SharedMemory()
    sample(pages, FAMILY, elsewhere(mib=150 * 7 / 8))
    for left in (5, 2, 1):
        rest = FAMILY[:left]
        pages.plan(table(*rest), ids(rest))
        assert held(pages.figures(), rest) == pytest.approx(150)


def test_a_family_that_forks_between_the_table_and_the_reading_keeps_its_pages() -> None:
    members, pages = FAMILY[:7], SharedMemory()
    # The table shows two of seven, the kernel's proportions are already those of seven.
    sample(pages, members[:2], elsewhere(mib=150 * 6 / 7))
    pages.plan(table(*members), ids(members))
    learn(pages, members, dict.fromkeys(ids(members[2:]), elsewhere(mib=150 * 6 / 7)))
    assert held(pages.figures(), members) == pytest.approx(150)


def test_a_newcomer_comes_first_and_is_in_doubt_until_then() -> None:
    pages = SharedMemory()
    sample(pages, FAMILY, elsewhere(mib=150 * 7 / 8))
    more = [*FAMILY, worker(99)]
    assert pages.plan(table(*more), ids(more))[:1] == (more[-1].id,)
    assert pages.figures().source(more) is MemorySource.UPPER_BOUND
    assert pages.figures().source(FAMILY) is MemorySource.SMAPS_ROLLUP


def test_whom_there_was_no_time_for_is_asked_again_at_once() -> None:
    pages = SharedMemory()
    for _ in range(20):
        asked = pages.plan(table(*FAMILY), ids(FAMILY))
        learn(pages, FAMILY, {})
        assert sorted(asked) == sorted(ids(FAMILY))


@pytest.mark.parametrize("dearer", [0.5, 1.0, 3.0])
def test_over_time_it_costs_a_fortieth_of_reading_everybody_whatever_a_reading_takes(dearer: float) -> None:
    pages = SharedMemory()
    others = [worker(pid, 3, image=pid) for pid in range(1000, 1100)]
    spent, samples = 0.0, 400
    for number in range(samples):
        busy = [worker(pid, ticks=number) for pid in range(10, 18)]
        members = [*busy, *others]
        asked = pages.plan(table(*members), ids(members))
        spent += learn(pages, members, dict.fromkeys(asked, elsewhere(mib=100)), dearer=dearer)
    every = 8 * reading_seconds(154 * MIB) + 100 * reading_seconds(7 * MIB)
    assert spent <= max(1.0, dearer) * BURST_SECONDS + samples * every * SHARE
    # It is spent, too, and on all of them in turn.
    assert spent >= 0.9 * samples * every * SHARE


def test_what_may_be_forks_of_another_user_is_an_upper_bound() -> None:
    """The kernel hides the address of their arguments, and their proportions."""
    pages = SharedMemory()
    forks = [
        replace(worker(pid, image=0), uid=UID + 1, argv=("postgres",), session_id=10) for pid in (10, 11)
    ]
    alone = replace(worker(12, image=0), uid=UID + 1, argv=("claude",), session_id=10)
    _, figures = sample(pages, [*forks, alone], None)
    assert figures.source(forks) is MemorySource.UPPER_BOUND
    assert figures.source([alone]) is MemorySource.STATUS
    assert held(figures, forks) == 300


WORKERS = [worker(pid, 300) for pid in range(10, 17)]
"""A parent of 300 MiB with six workers, none of which has written to its pages."""


def plan_at(pages: SharedMemory, members: list[Process], taken_at: float) -> tuple[ProcessId, ...]:
    return pages.plan(replace(table(*members), taken_at=taken_at), ids(members))


def test_of_a_large_family_the_largest_doubts_are_read_first() -> None:
    pages = SharedMemory()
    # What can share 5 MiB only is not worth blocking.
    lopsided = [worker(30, 300, image=3), worker(31, 5, image=3)]
    members = [worker(20, 30, image=2), worker(21, 30, image=2), *lopsided, *WORKERS]
    read: list[ProcessId] = []
    for number in range(12):
        asked = plan_at(pages, members, number * 5.0)
        if number == 0:
            assert set(asked[:5]) <= set(ids(WORKERS))
        learn(pages, members, {each: elsewhere(300 * 6 / 7) for each in asked})
        read += asked
    assert set(ids(WORKERS)) <= set(read)
    assert lopsided[0].id not in read
    assert held(pages.figures(), WORKERS) == pytest.approx(300)
    assert pages.figures().source(WORKERS) is MemorySource.SMAPS_ROLLUP


def test_a_large_process_is_read_once_a_minute_at_most() -> None:
    pages = SharedMemory()
    large = [worker(pid, 300) for pid in (10, 11)]
    learn(pages, large, dict.fromkeys(plan_at(pages, large, 0.0), elsewhere(150)))
    ran = [worker(pid, 300, ticks=7) for pid in (10, 11)]
    for seconds in range(5, int(LARGE_SECONDS), 5):
        assert plan_at(pages, ran, float(seconds)) == ()
    assert sorted(plan_at(pages, ran, LARGE_SECONDS)) == sorted(ids(large))


@pytest.mark.parametrize("dearer", [1.0, 4.0])
@pytest.mark.parametrize("interval", [1.0, 5.0, 15.0])
def test_many_families_that_begin_at_once_are_all_read_within_a_minute(
    interval: float, dearer: float
) -> None:
    """As in the bench: 5 GiB in five families, and hardly anything else on the machine."""
    pages = SharedMemory()
    families = [
        worker(10 * family + number, mib, image=family)
        for family, mib in enumerate((300, 150, 100, 100, 100), start=1)
        for number in range(7)
    ]
    seconds = 0.0
    plan_at(pages, [], seconds)
    while not pages.figures().elsewhere or pages.figures().doubtful:
        seconds += interval
        asked = plan_at(pages, families, seconds)
        learn(pages, families, {each: elsewhere(mib=80) for each in asked}, dearer=dearer)
        assert seconds <= 60


def test_what_was_read_once_gets_no_more_where_samples_are_rare() -> None:
    """Of each sample a fortieth, whatever its time: else processes that run would cost it in each second."""
    samples, spent = 100, dict[float, float]()
    for interval in (1.0, 15.0):
        pages = SharedMemory()
        spent[interval] = 0.0
        for number in range(samples):
            busy = [worker(pid, ticks=number) for pid in range(10, 18)]
            asked = plan_at(pages, busy, number * interval)
            spent[interval] += learn(pages, busy, dict.fromkeys(asked, elsewhere(mib=100)))
    assert spent[15.0] <= spent[1.0] + 2 * BURST_SECONDS
