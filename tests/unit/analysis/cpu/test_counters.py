"""Counters of groups: they start at 0 with the exporter and never fall."""

from typing import NoReturn

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.cpu.counters import GroupCounters, Totals
from tmux_exporter.analysis.label_expiry import KEPT_SECONDS, MAX_LABELS, LabelExpiry
from tmux_exporter.facts.process import Process, ProcessId


def used(pid: int, ticks: int, read: int | None = None, written: int | None = None) -> Process:
    return process(pid, cpu_ticks=ticks, read_bytes=read, written_bytes=written)


def groups(**members: tuple[int, ...]) -> dict[ProcessId, frozenset[str]]:
    """Groups by process, from pids by group."""
    every = {pid for pids in members.values() for pid in pids}
    return {ProcessId(pid, pid): frozenset(g for g, pids in members.items() if pid in pids) for pid in every}


def begun() -> GroupCounters[str]:
    """Group counters after a first sample without processes."""
    accounts = GroupCounters[str]()
    accounts.observe(table(), {})
    return accounts


def test_the_first_reading_counts_nothing() -> None:
    accounts = GroupCounters[str]()
    assert accounts.totals("a") == Totals(cpu_seconds=0.0, read_bytes=0, written_bytes=0)
    accounts.observe(table(used(10, 5000, 4096, 4096)), groups(a=(10,)))
    assert accounts.totals("a") == Totals()


def test_what_a_process_uses_goes_to_every_group_it_is_in() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 5000, 100, 10)), {})
    accounts.observe(table(used(10, 5000, 100, 10)), groups(a=(10,), all=(10,)))
    accounts.observe(table(used(10, 5150, 400, 15)), groups(a=(10,), all=(10,)))
    assert accounts.totals("a") == Totals(cpu_seconds=1.5, read_bytes=300, written_bytes=5)
    assert accounts.totals("all") == accounts.totals("a")
    assert accounts.totals("b") == Totals()


def test_a_group_named_twice_is_charged_once() -> None:
    accounts = begun()
    accounts.observe(table(used(10, 100)), groups(a=(10, 10)))
    assert accounts.totals("a").cpu_seconds == 1.0


def test_a_process_born_after_the_last_reading_counts_whole() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 5000)), groups(a=(10,)))
    accounts.observe(table(used(10, 5000), used(20, 70, 9, 8)), groups(a=(10, 20)))
    assert accounts.totals("a") == Totals(cpu_seconds=0.7, read_bytes=9, written_bytes=8)


def test_a_reused_pid_is_another_process() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 5000)), groups(a=(10,)))
    reborn = process(10, start=77, cpu_ticks=6000)
    accounts.observe(table(reborn), {reborn.id: frozenset({"a"})})
    assert accounts.totals("a").cpu_seconds == 60.0
    accounts.observe(table(reborn), groups(a=(10,)))
    assert accounts.totals("a").cpu_seconds == 60.0


def test_a_process_that_joins_counts_from_now() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 5000)), {})
    accounts.observe(table(used(10, 6000)), groups(a=(10,)))
    assert accounts.totals("a").cpu_seconds == 0.0
    accounts.observe(table(used(10, 6100)), groups(a=(10,)))
    assert accounts.totals("a").cpu_seconds == 1.0


def test_a_process_that_moves_takes_nothing_with_it() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 0)), groups(a=(10,)))
    accounts.observe(table(used(10, 100)), groups(a=(10,)))
    accounts.observe(table(used(10, 300)), groups(b=(10,)))
    assert accounts.totals("a").cpu_seconds == 1.0
    assert accounts.totals("b").cpu_seconds == 2.0


def test_who_ends_leaves_what_it_used() -> None:
    accounts = begun()
    accounts.observe(table(used(10, 100)), groups(a=(10,)))
    accounts.observe(table(), {})
    assert accounts.totals("a").cpu_seconds == 1.0


def test_a_value_that_falls_adds_nothing_and_is_not_counted_again() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 100, written=500)), groups(a=(10,)))
    for ticks, written in ((90, 400), (100, 500), (101, 501)):
        accounts.observe(table(used(10, ticks, written=written)), groups(a=(10,)))
    assert accounts.totals("a") == Totals(cpu_seconds=0.01, written_bytes=1)


def test_an_unknown_value_adds_nothing_and_is_caught_up() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 0, read=None, written=7)), {})
    accounts.observe(table(used(10, 0, read=None, written=7)), groups(a=(10,)))
    for read, written in ((5000, None), (5001, 9), (5003, 9)):
        accounts.observe(table(used(10, 0, read=read, written=written)), groups(a=(10,)))
    assert accounts.totals("a") == Totals(read_bytes=3, written_bytes=2)


def test_a_new_process_whose_value_is_known_late_counts_whole() -> None:
    accounts = begun()
    accounts.observe(table(used(10, 0, read=None)), groups(a=(10,)))
    accounts.observe(table(used(10, 0, read=40)), groups(a=(10,)))
    assert accounts.totals("a").read_bytes == 40


def test_an_incomplete_reading_loses_nobody() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(used(10, 100), used(20, 9000)), groups(a=(10,)))
    accounts.observe(table(complete=False), {})
    accounts.observe(table(used(10, 150), used(20, 9100)), groups(a=(10, 20)))
    assert accounts.totals("a").cpu_seconds == 0.5


def test_after_an_incomplete_reading_nobody_old_is_taken_for_new() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(complete=False), {})
    accounts.observe(table(used(10, 5000)), groups(a=(10,)))
    assert accounts.totals("a").cpu_seconds == 0.0
    accounts.observe(table(used(10, 5000), used(20, 30), complete=False), groups(a=(10, 20)))
    accounts.observe(table(used(10, 5000), used(20, 50)), groups(a=(10, 20)))
    assert accounts.totals("a").cpu_seconds == 0.5


def test_who_was_seen_in_an_incomplete_reading_is_not_new_later() -> None:
    accounts = begun()
    accounts.observe(table(used(10, 5000), complete=False), {})
    accounts.observe(table(used(10, 6000)), groups(a=(10,)))
    assert accounts.totals("a").cpu_seconds == 0.0


def test_a_member_that_is_not_in_the_table_is_skipped() -> None:
    accounts = begun()
    accounts.observe(table(process(10, start=1, cpu_ticks=100)), groups(a=(10, 99)))
    assert accounts.totals("a") == Totals()


def test_what_is_not_shown_for_long_is_forgotten() -> None:
    accounts = begun()
    accounts.observe(table(used(10, 100), used(20, 100)), groups(a=(10,), b=(20,)))
    for at, known in ((5.0, 1.0), (5.0 + KEPT_SECONDS - 1, 1.0), (5.0 + KEPT_SECONDS, 0.0)):
        accounts.retain({"a"}, at)
        assert (accounts.totals("a").cpu_seconds, accounts.totals("b").cpu_seconds) == (1.0, known)


def test_of_the_labels_that_are_not_shown_no_more_than_some_are_kept() -> None:
    departed = LabelExpiry[int]()
    assert departed.expired(range(MAX_LABELS), frozenset(), 5.0) == []
    assert departed.expired(range(MAX_LABELS + 2), frozenset({7}), 6.0) == [0]
    assert departed.expired(range(1, MAX_LABELS + 2), frozenset({7}), 6.0) == []


def test_while_the_same_labels_are_shown_none_is_looked_at() -> None:
    departed, shown = LabelExpiry[str](), frozenset({"a"})
    assert departed.expired({"a", "b"}, shown, 5.0) == []

    class Untouched(frozenset[str]):
        def __iter__(self) -> NoReturn:
            raise AssertionError

    assert departed.expired(Untouched({"a", "b"}), shown, 10.0) == []
    assert departed.expired(Untouched({"a", "b"}), shown, 5.0 + KEPT_SECONDS) == ["b"]


def test_a_zombie_stays_in_its_groups_while_those_of_all_others_are_the_same_object() -> None:
    accounts, without = begun(), groups(a=(10,))
    accounts.observe(table(used(10, 100), used(20, 50)), groups(a=(10,), b=(20,)))
    for ticks in (60, 70):
        zombie = process(20, cpu_ticks=ticks, state="Z")
        accounts.observe(table(used(10, 100), zombie), without)
    assert (accounts.totals("a").cpu_seconds, accounts.totals("b").cpu_seconds) == (1.0, 0.7)
