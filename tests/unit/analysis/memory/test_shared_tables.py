"""Shared tables of open files: who is asked about whom, and that unknown counts each."""

from collections.abc import Iterable, Mapping

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.memory.shared_memory import PLAIN, MemoryFigures
from tmux_exporter.analysis.memory.shared_tables import SharedTables
from tmux_exporter.facts.process import Process, ProcessId


def at(pid: int, ppid: int = 1, fds: int | None = 100) -> Process:
    return process(pid, ppid=ppid, open_fds=fds, image=7)


def sample(
    tables: SharedTables, family: list[Process], shared: Iterable[tuple[int, int]] | None
) -> tuple[list[tuple[int, int]], Mapping[ProcessId, ProcessId]]:
    """One sample in which the kernel says who shares (None: it says nothing); the pairs of pids asked for."""
    asked = tables.plan(table(*family), [[each.id.pid for each in family]])
    tables.learn(
        {(one, other): None if shared is None else (one.pid, other.pid) in shared for one, other in asked}
    )
    return sorted((one.pid, other.pid) for one, other in asked), tables.found()


def test_descriptors_of_one_table_count_once() -> None:
    family = [at(10), at(11, 10), at(12, 11), at(13, 10)]
    asked, found = sample(SharedTables(), family, {(11, 10), (12, 11)})
    assert asked == [(11, 10), (12, 11), (13, 10)]
    figures = MemoryFigures(elsewhere={}, swap_elsewhere={}, tables=found)
    assert sum(each or 0 for each in figures.per_table(family, [100] * 4)) == 200
    assert PLAIN.per_table(family, [100] * 4) == [100] * 4
    assert figures.by_process().keys() == {family[1].id, family[2].id}


def test_a_parent_is_asked_about_whatever_is_open_and_strangers_only_with_the_same_number() -> None:
    family = [at(10), at(11, 10, 99), at(12, 10, None), at(13, 1, 99), at(14), at(15, 1, None)]
    assert sample(SharedTables(), family, ())[0] == [(11, 10), (12, 10), (14, 10)]


def test_who_has_a_table_of_its_own_is_asked_once_and_who_shares_in_every_sample() -> None:
    tables, family = SharedTables(), [at(10), at(11, 10), at(12, 10)]
    assert sample(tables, family, {(11, 10)})[0] == [(11, 10), (12, 10)]
    assert sample(tables, family, {(11, 10)}) == ([(11, 10)], {family[1].id: family[0].id})
    # It has unshared it.
    assert sample(tables, family, ()) == ([(11, 10)], {})
    assert sample(tables, family, ()) == ([], {})


def test_what_the_kernel_does_not_tell_counts_for_each() -> None:
    tables, family = SharedTables(), [at(10), at(11, 10)]
    assert sample(tables, family, None) == ([(11, 10)], {})
    assert sample(tables, family, None) == ([], {})


def test_those_whose_parent_has_ended_are_compared_with_each_other() -> None:
    tables = SharedTables()
    sample(tables, [at(10), at(11, 10), at(12, 10)], {(11, 10), (12, 10)})
    left = [at(11), at(12)]
    assert sample(tables, left, {(12, 11)}) == ([(12, 11)], {left[1].id: left[0].id})


def test_nothing_is_done_while_the_families_are_the_same_and_nobody_shares() -> None:
    tables, families = SharedTables(), [[10, 11]]
    here = table(at(10), at(11, 10))
    assert len(tables.plan(here, families)) == 1
    assert tables.plan(here, families) == ()
