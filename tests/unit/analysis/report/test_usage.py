"""Resource usage of a set of processes."""

from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import pytest

from tests.support.literals.facts import UID, process, table
from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.memory.shared_memory import MemoryFigures
from tmux_exporter.analysis.report.usage import ReportCache, most_repeated_command, sum_of, usage
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import MemorySource, Process, ProcessId, Unreadable
from tmux_exporter.facts.report import Sum, Usage
from tmux_exporter.facts.tmux import PaneKey

KNOWN: dict[str, Any] = {
    "resident_bytes": 1000, "anonymous_bytes": 600, "shared_memory_bytes": 50, "swap_bytes": 7,
    "open_fds": 10, "max_fds": 100, "read_bytes": 1, "written_bytes": 2,
}  # fmt: skip


def of(*processes: Process, totals: Totals | None = None, limit: int | None = None) -> Usage:
    return usage(processes, totals or Totals(), table(*processes).start_time, limit)


def test_the_figures_of_the_members_are_added() -> None:
    totals = Totals(cpu_seconds=2.5, read_bytes=30, written_bytes=40)
    assert of(
        process(300, 1, threads=4, **KNOWN),
        process(400, 300, **(KNOWN | {"anonymous_bytes": 6000, "open_fds": 90})),
        totals=totals,
        limit=7000,
    ) == replace(
        Usage.nothing(), memory_bytes=6700, memory_limit_bytes=7000, resident_memory_bytes=2000,
        anonymous_memory_bytes=6600, swap_memory_bytes=14, cpu_seconds_total=2.5, processes=2, threads=5,
        open_fds=100, fd_utilization_ratio=0.9, read_bytes_total=30, written_bytes_total=40,
        process_tree_depth=2, oldest_process_start_time_seconds=1003.0, memory_source=MemorySource.STATUS,
    )  # fmt: skip


def test_members_that_are_not_known_are_missing_from_the_sums() -> None:
    found = of(process(10, 1, **KNOWN), process(20, 10, start=20))
    assert (found.memory_bytes, found.open_fds, found.fd_utilization_ratio) == (650, 10, 0.1)
    assert (found.processes, found.threads) == (2, 2)
    assert found.read_bytes_total == 0


def test_nothing_known_of_anybody_is_unknown_and_not_0() -> None:
    found = of(process(10), process(20))
    assert (found.memory_bytes, found.resident_memory_bytes, found.anonymous_memory_bytes) == (
        None,
        None,
        None,
    )
    assert (found.swap_memory_bytes, found.open_fds, found.fd_utilization_ratio) == (None, None, None)
    assert (found.read_bytes_total, found.written_bytes_total) == (None, None)
    assert (found.processes, found.oldest_process_start_time_seconds) == (2, 1000.1)


def test_half_of_the_headline_is_not_the_headline() -> None:
    assert of(process(10, **(KNOWN | {"shared_memory_bytes": None}))).memory_bytes is None


def test_a_counter_once_counted_stays_though_its_members_are_unreadable_now() -> None:
    found = of(process(10), totals=Totals(read_bytes=3))
    assert (found.read_bytes_total, found.written_bytes_total) == (3, None)


def test_nobody_costs_nothing() -> None:
    found = of()
    assert (found.memory_bytes, found.open_fds, found.fd_utilization_ratio) == (0, 0, 0)
    assert (found.processes, found.threads, found.process_tree_depth) == (0, 0, 0)
    assert (found.read_bytes_total, found.oldest_process_start_time_seconds) == (0, None)


def test_a_zombie_is_not_counted_unless_it_has_threads() -> None:
    found = of(
        process(10, **KNOWN), process(20, 10, state="Z", threads=1), process(5, 10, state="Z", threads=3)
    )
    assert (found.processes, found.threads, found.process_tree_depth) == (2, 4, 2)
    alone = of(process(10, state="Z", **KNOWN))
    assert (alone.processes, alone.memory_bytes, alone.open_fds, alone.process_tree_depth) == (0, 0, 0, 0)


def test_a_limit_of_0_leaves_no_ratio() -> None:
    assert of(process(10, **(KNOWN | {"max_fds": 0}))).fd_utilization_ratio is None


def test_the_depth_is_that_of_the_longest_line_among_the_members() -> None:
    assert of(process(10)).process_tree_depth == 1
    assert of(process(10, 99), process(20, 98)).process_tree_depth == 1
    assert of(process(30, 20), process(20, 10), process(10), process(21, 10)).process_tree_depth == 3
    line = [process(pid, pid - 1) for pid in range(10, 20_000)]
    assert of(*reversed(line)).process_tree_depth == 19_990


def test_a_circle_has_a_depth() -> None:
    assert of(process(10, 11), process(11, 10), process(12, 12)).process_tree_depth == 2


def test_the_most_repeated_command_is_of_living_members_with_one_command_line() -> None:
    yes = ("yes",)
    members = [process(300 + place, argv=yes) for place in range(3)]
    members += [process(310, argv=yes, state="Z"), process(311, argv=("yes", "no")), process(312, argv=None)]
    assert most_repeated_command(members) == (3, yes)
    assert most_repeated_command(()) == (0, ())
    assert most_repeated_command([process(312, argv=None)]) == (0, ())


def test_a_part_is_made_again_when_its_own_facts_or_the_shared_ones_change() -> None:
    cache, number = ReportCache(), count(1)

    def made(shared: str, facts: str) -> int:
        cache.begin(table(), shared)
        return cache.made("key", facts, lambda: next(number))

    steps = [("s", "a"), ("s", "a"), ("s", "b"), ("s", "b"), ("t", "b"), ("t", "b")]
    assert [made(*each) for each in steps] == [1, 1, 2, 2, 3, 3]


SETS = tuple(
    process(
        number, number - 1 if number % 3 else 1, state="Z" if number == 17 else "S", start=number, **shown
    )
    for number, shown in enumerate(
        [
            {},
            KNOWN,
            KNOWN | {"anonymous_bytes": None},
            KNOWN | {"open_fds": 90, "read_bytes": None},
            {"resident_bytes": 5, "open_fds": 3, "max_fds": 0},
        ]
        * 5,
        start=10,
    )
)
MEMORY = MemoryFigures(
    elsewhere={SETS[6].id: 100, SETS[11].id: 1}, swap_elsewhere={}, doubtful=frozenset({SETS[16].id})
)


@pytest.mark.parametrize("seed", range(60))
def test_a_session_is_the_sum_of_its_panes(seed: int) -> None:
    random = Random(seed)
    totals = Totals(read_bytes=random.choice((0, 7)), written_bytes=random.choice((0, 7)))
    members = random.sample(SETS, random.choice((0, 1, 2, 5, 9)))
    panes: list[list[Process]] = [[] for _ in range(random.choice((1, 2, 4)))]
    for each in members:
        # A child is in the pane of its parent.
        panes[each.id.pid // 3 % len(panes)].append(each)
    start = table(*SETS).start_time
    # What a pane has counted its session has counted too.
    parts = [usage(each, totals if random.random() < 0.5 else Totals(), start, 5, MEMORY) for each in panes]
    assert sum_of(parts, totals, 9) == usage(members, totals, start, 9, MEMORY)


def test_a_sum_names_what_it_lacks_of_a_process_that_cannot_be_read() -> None:
    denied = (Unreadable.PERMISSION,)
    shown = KNOWN | {"read_bytes": None, "written_bytes": None}
    sudo, closed = process(20, 10, unreadable=denied, **shown), process(30, 20, unreadable=denied)
    # A process that is ending lacks figures too, and says so in the next sample.
    whole = of(process(10, 1, **KNOWN), process(40, 10))
    assert whole.partial == ()
    assert of(process(10, 1, **KNOWN), sudo).partial == (Sum.IO,)
    assert of(closed).partial == (Sum.FDS, Sum.IO, Sum.MEMORY)
    assert sum_of([whole, of(sudo)], Totals()).partial == (Sum.IO,)


def test_the_unreadable_of_other_users_count_where_they_belong_to_a_pane() -> None:
    denied = (Unreadable.PERMISSION,)
    pane = PaneKey(ProcessId(100, 100), "%1")
    sudo, daemon = (process(pid, uid=UID + 1, unreadable=denied) for pid in (20, 30))
    owner = Owner(kind=OwnerKind.PANE, evidence=Evidence.TREE, reason="", server=pane.server, pane=pane)
    # What is ours and unreadable is in the count of the table already.
    own = process(40, unreadable=denied)
    seen = replace(
        table(sudo, daemon, own),
        uid=UID,
        unreadable={**dict.fromkeys(Unreadable, 0), Unreadable.PERMISSION: 1},
    )
    cache = ReportCache()
    owners = {sudo.id: owner, own.id: owner}
    cache.begin(seen, None)
    assert cache.unreadable(seen, owners)[Unreadable.PERMISSION] == 2
    assert cache.unreadable(seen, owners)[Unreadable.PERMISSION] == 2
    assert cache.unreadable(seen, {})[Unreadable.PERMISSION] == 1
