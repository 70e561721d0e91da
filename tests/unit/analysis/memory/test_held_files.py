"""Files in memory that nobody maps: whose open files are listed when, and for whom they count."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.facts import UID, pane_key, process, table, tmux_server
from tmux_exporter.analysis.memory.held_files import AGAIN_SECONDS, AT_FIRST, IN_A_SAMPLE, UnmappedFiles
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import HeldFile, HeldFiles, Process, ProcessId, ProcessTable

MIB = 1 << 20
PANE = pane_key(tmux_server(100), "%1")
OWNER = Owner(kind=OwnerKind.PANE, evidence=Evidence.TREE, reason="", server=PANE.server, pane=PANE)
FILE = HeldFile(1, 77, 50 * MIB)


def member(pid: int, *, fds: int = 5, ticks: int = 0, **more: Any) -> Process:
    return process(pid, open_fds=fds, cpu_ticks=ticks, **more)


class Files:
    """`UnmappedFiles`, sample by sample."""

    def __init__(self) -> None:
        self.files = UnmappedFiles()
        self.members: dict[int, Process] = {}

    def at(self, seconds: float) -> ProcessTable:
        return replace(table(*self.members.values(), taken_at=seconds), uid=UID)

    def asks(self, seconds: float, *changed: Process, found: HeldFiles | None = None) -> list[int]:
        self.members |= {each.id.pid: each for each in changed}
        reading = self.at(seconds)
        asked = self.files.plan(
            reading, dict.fromkeys((each.id for each in reading.processes.values()), OWNER)
        )
        self.files.learn(found or {})
        return [each.pid for each in asked]

    def holds(self, *pids: int, file: HeldFile = FILE) -> HeldFiles:
        return {ProcessId(pid, pid): frozenset({file}) for pid in pids}


def test_open_files_are_listed_once_and_again_where_their_number_changes() -> None:
    files = Files()
    assert files.asks(0, member(10), member(11), member(12, fds=0), member(13, uid=UID + 1)) == [10, 11]
    assert files.asks(5) == []
    assert files.asks(10, member(11, fds=6)) == [11]
    assert files.asks(15, member(14)) == [14]


def test_what_runs_is_listed_again_within_a_minute_though_it_rests_since() -> None:
    files = Files()
    files.asks(0, member(10), member(11))
    assert files.asks(5, member(10, ticks=9)) == []
    assert files.asks(AGAIN_SECONDS - 1) == []
    assert files.asks(AGAIN_SECONDS) == [10]
    assert files.asks(2 * AGAIN_SECONDS) == []


def test_a_holder_that_runs_is_listed_at_once() -> None:
    files = Files()
    files.asks(0, member(10), found=files.holds(10))
    assert files.asks(5, member(10, ticks=1), found=files.holds(10, file=FILE._replace(bytes=90 * MIB))) == [
        10
    ]
    assert files.files.figures() == {ProcessId(10, 10): 90 * MIB}
    files.asks(10, member(10, ticks=2))
    assert files.files.figures() == {}


def test_a_sample_lists_so_many() -> None:
    files = Files()
    crowd = [member(pid) for pid in range(1000, 1000 + AT_FIRST + IN_A_SAMPLE + 3)]
    assert [len(files.asks(seconds, *crowd)) for seconds in (0, 5, 10, 15)] == [AT_FIRST, IN_A_SAMPLE, 3, 0]


def test_a_file_counts_once_for_all_that_hold_it_and_not_where_it_is_mapped() -> None:
    files = Files()
    files.asks(0, member(10), member(11), found=files.holds(10, 11))
    assert files.files.mappers(files.at(0)) == ()
    assert files.files.figures() == dict.fromkeys((ProcessId(10, 10), ProcessId(11, 11)), 25 * MIB)
    mapper = member(12, shared_memory_bytes=50 * MIB)
    files.asks(5, mapper)
    assert files.files.mappers(files.at(5)) == (mapper.id,)
    files.files.learn_mapped({FILE[:2]})
    assert files.files.figures() == {}
    assert files.files.mappers(files.at(6)) is None
    assert files.files.mappers(replace(files.at(5 + AGAIN_SECONDS))) is None
    files.asks(5 + AGAIN_SECONDS)
    assert files.files.mappers(files.at(5 + AGAIN_SECONDS)) == (mapper.id,)


@pytest.mark.parametrize("gone", [None, process(10, start=99, open_fds=5), member(10, state="Z")])
def test_what_has_ended_holds_nothing(gone: Process | None) -> None:
    files = Files()
    files.asks(0, member(10), found=files.holds(10))
    del files.members[10]
    files.asks(5, *([gone] if gone else []))
    assert files.files.figures() == {}
    assert files.files.mappers(files.at(5)) is None
