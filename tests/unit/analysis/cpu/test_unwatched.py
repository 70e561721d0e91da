"""CPU time of orphans that nobody got: how it is divided, with and without the kernel's events."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.cpu.unwatched import EndedOrphans, Unwatched
from tmux_exporter.facts.process import Process, ProcessId

INIT = process(1, 0)
TICKS = 100


class Samples:
    """Samples a second apart; processes are of the session that `sessions` has for their pid."""

    def __init__(self, sessions: Mapping[int, str]) -> None:
        self.unwatched: Unwatched[str] = Unwatched()
        self.seconds = 0
        self._sessions = sessions

    def take(
        self, *there: Process, lost: int = 0, ended: Mapping[str | None, EndedOrphans] | None = None
    ) -> dict[str, int]:
        self.seconds += 1
        now = replace(table(INIT, *there), taken_at=float(self.seconds))
        return self.unwatched.observe(
            now, now.boot_time + self.seconds, {INIT.id: lost}, self._group_of, ended
        )

    def _group_of(self, id_: ProcessId) -> str | None:
        return self._sessions.get(id_.pid)


def orphan(pid: int, ticks: int = 10) -> Process:
    return process(pid, 1, start=TICKS // 2, cpu_ticks=ticks)


def test_what_init_got_is_of_the_session_whose_orphan_ended() -> None:
    samples = Samples({10: "a", 11: "b"})
    assert samples.take(orphan(10), orphan(11)) == {}
    assert samples.take(orphan(11)) == {}
    assert samples.unwatched.groups == {"a"}
    assert samples.take(orphan(11), lost=40) == {"a": 40}


def test_it_is_divided_by_how_much_those_seen_ran_and_strangers_take_their_part() -> None:
    samples = Samples({10: "a", 11: "b"})
    samples.take(orphan(10, 44), orphan(11, 4), orphan(12, 49))
    found = samples.take(lost=1000)
    assert found == {"a": pytest.approx(450, abs=5), "b": pytest.approx(50, abs=5)}


def test_nothing_is_told_where_no_orphan_was_seen_or_nothing_was_lost() -> None:
    samples = Samples({10: "a", 20: "a"})
    child = process(20, 10, start=20)
    samples.take(process(10, 5), child)
    assert samples.take(process(10, 5), lost=40) == {}, "its parent waited for it"
    samples = Samples({10: "a"})
    samples.take(orphan(10))
    assert [samples.take(), samples.take()] == [{}, {}]


def test_the_rest_of_a_tick_comes_later() -> None:
    samples = Samples({10: "a", 11: "b"})
    samples.take(orphan(10), orphan(11))
    found = [samples.take(lost=1), *(samples.take(lost=1) for _ in range(9))]
    assert sum(each.get("a", 0) for each in found) == sum(each.get("b", 0) for each in found) == 5


def test_with_events_no_session_loses_more_than_its_orphans_ran_unasked() -> None:
    samples = Samples({})
    ended: dict[str | None, EndedOrphans] = {"a": EndedOrphans(0, 30), "b": EndedOrphans(0, 10)}
    assert samples.take(lost=1000, ended=ended) == {"a": 30, "b": 10}
    assert samples.take(lost=1000, ended={}) == {}


def test_with_events_what_orphans_said_themselves_is_not_lost() -> None:
    samples = Samples({})
    ended: dict[str | None, EndedOrphans] = {"a": EndedOrphans(90, 40)}
    assert samples.take(lost=100, ended=ended) == {"a": 10}


def test_with_events_it_may_reach_init_one_sample_later() -> None:
    samples = Samples({})
    assert samples.take(lost=0, ended={"a": EndedOrphans(0, 40)}) == {}
    assert samples.take(lost=15, ended={}) == {"a": 15}
    samples = Samples({})
    ended: dict[str | None, EndedOrphans] = {"a": EndedOrphans(0, 30), None: EndedOrphans(0, 30)}
    assert samples.take(lost=20, ended=ended) == {"a": 10}, "None misses nothing, and has its part"
