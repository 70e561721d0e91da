"""Rounds over the files of several agents: what counts from when on, what is nobody's, who has to wait."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.spending import SECRET, SESSION, STARTED, answer, line
from tests.support.wait import wait_for
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import ProcessSpending, SpendingProblem
from tmux_exporter.sources.spending import reader as module
from tmux_exporter.sources.spending.located import Target
from tmux_exporter.sources.spending.reader import SpendingReader

FIRST, SECOND = ProcessId(11, 1), ProcessId(22, 2)
OTHER = "7965ed91-fe92-4b35-9734-38efb67bb139"


class Room:
    """Processes of Claude with one home, and the reader that follows them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        (base / ".claude" / "sessions").mkdir(parents=True)
        self.project = base / ".claude" / "projects" / "-home-ann-project"
        self.project.mkdir(parents=True)
        self.reader = SpendingReader(
            uid=os.getuid(),
            clock=ManualClock(time=2_000_000_000.0),
            environ={"HOME": str(base)},
            proc_root=str(base / "proc"),
            open_account=Account,
        )

    def session(self, process: ProcessId, session: str) -> None:
        document = {"pid": process.pid, "procStart": str(process.start_ticks), "sessionId": session}
        path = self.base / ".claude" / "sessions" / f"{process.pid}.json"
        path.write_text(json.dumps(document))

    def write(self, session: str, *lines: bytes) -> None:
        with (self.project / f"{session}.jsonl").open("ab") as stream:
            stream.writelines(each + b"\n" for each in lines)

    def requests(self, *targets: Target) -> list[int | None]:
        """What counts of each of them after one more round."""
        self.reader.round(targets)
        return [_counted(self.reader.found.get(each.process)) for each in targets]

    def problems(self) -> dict[SpendingProblem, int]:
        return {problem: count for (_, problem), count in self.reader.problems.items() if count}


def _counted(found: ProcessSpending | None) -> int | None:
    return None if found is None else found.spent.requests - found.base.requests


def target(process: ProcessId, *, fresh: bool = True, programs: Sequence[ProcessId] = ()) -> Target:
    return Target(
        process=process, program="claude", programs=(process, *programs), started=STARTED, fresh=fresh
    )


def answers(first: int, count: int = 1) -> list[bytes]:
    return [answer(f"m{number}", at=STARTED + number) for number in range(first, first + count)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_all_of_a_process_that_started_after_us_counts(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 3))
    assert room.requests(target(FIRST)) == [3]


def test_of_one_that_ran_before_us_only_what_is_new_counts(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 3))
    assert room.requests(target(FIRST, fresh=False)) == [0]
    room.write(SESSION, *answers(4, 2))
    assert room.requests(target(FIRST, fresh=False)) == [2]


def test_of_one_that_ran_before_us_and_had_asked_nothing_all_counts(room: Room) -> None:
    room.session(FIRST, SESSION)
    assert room.requests(target(FIRST, fresh=False)) == [0]
    room.write(SESSION, *answers(1, 3))
    assert room.requests(target(FIRST, fresh=False)) == [3]


def test_a_session_that_is_cleared_goes_on_counting(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 3))
    room.requests(target(FIRST))
    room.session(FIRST, OTHER)
    room.write(OTHER, *answers(4, 2))
    room.write(SESSION, *answers(6, 1))
    assert room.requests(target(FIRST)) == [6]


def test_a_change_of_its_helpers_does_not_begin_anew(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 3))
    room.requests(target(FIRST, fresh=False))
    room.write(SESSION, *answers(4))
    assert room.requests(target(FIRST, fresh=False, programs=[SECOND])) == [1]


def test_a_file_of_two_processes_is_nobodys(room: Room) -> None:
    both = target(FIRST), target(SECOND)
    room.session(FIRST, SESSION)
    room.session(SECOND, SESSION)
    room.write(SESSION, *answers(1, 3))
    assert room.requests(*both) == [None, None]
    assert room.requests(*both) == [None, None]
    assert room.problems() == {SpendingProblem.AMBIGUOUS: 2}
    room.session(SECOND, OTHER)
    # What was written by one of the two is never known; what comes is.
    assert room.requests(*both) == [0, 0]
    room.write(SESSION, *answers(4))
    assert room.requests(*both) == [1, 0]


def test_ten_agents_in_one_folder_have_their_own(room: Room) -> None:
    targets = [target(ProcessId(100 + number, number)) for number in range(10)]
    for number, each in enumerate(targets):
        session = f"e2c03fe3-12c6-4c4a-9662-a325f88ad5d{number}"
        room.session(each.process, session)
        room.write(session, *answers(1 + 20 * number, number))
    assert room.requests(*targets) == [*range(10)]


def test_a_file_that_is_not_trusted_is_counted_once_and_tells_nothing(room: Room) -> None:
    room.session(FIRST, SESSION)
    (room.project / f"{SESSION}.jsonl").symlink_to("/etc/passwd")
    assert room.requests(target(FIRST)) == [None]
    assert room.requests(target(FIRST)) == [None]
    assert room.problems() == {SpendingProblem.UNTRUSTED: 1}


def test_a_malformed_line_is_counted_and_the_rest_is_read(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1), b'{"usage"' + SECRET.encode(), b"\xff\xfe" + b'"usage"', *answers(2))
    assert room.requests(target(FIRST)) == [2]
    assert room.problems() == {SpendingProblem.MALFORMED: 2}


def test_a_large_file_lets_others_have_their_turn(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_BYTES", 2000)
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    monkeypatch.setattr("tmux_exporter.sources.spending.follow.BLOCK", 1000)
    both = target(FIRST, fresh=False), target(SECOND)
    room.session(FIRST, SESSION)
    room.session(SECOND, OTHER)
    room.write(SESSION, *answers(1, 60))
    room.write(OTHER, *answers(100, 2))
    assert room.requests(*both) == [None, 2]
    rounds = 1
    while room.requests(*both)[0] is None:
        rounds += 1
    assert rounds > 10


def test_the_thread_runs_while_somebody_is_followed(room: Room) -> None:
    def running() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "spending"]

    before = running()
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 3))
    room.reader.follow((target(FIRST),))
    wait_for(lambda: _counted(room.reader.found.get(FIRST)) == 3, "what it has spent")
    assert len(running()) == len(before) + 1
    room.reader.follow(())
    wait_for(lambda: running() == before, "the end of the thread")
    room.session(SECOND, OTHER)
    room.reader.follow((target(SECOND),))
    wait_for(lambda: SECOND in room.reader.found, "its second start")
    room.reader.follow(())
    wait_for(lambda: running() == before, "the end of the thread")


def test_every_reason_of_a_program_in_use_is_told_from_0_on(room: Room) -> None:
    assert room.reader.problems == {}
    room.session(FIRST, SESSION)
    room.reader.follow((target(FIRST),))
    assert room.reader.problems == {("claude", each): 0 for each in SpendingProblem}
    room.reader.follow(())


def test_what_a_process_wrote_last_is_read_when_it_has_ended(room: Room) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *answers(1, 2))
    room.requests(target(FIRST))
    room.write(SESSION, *answers(3))
    # It ended, and another one goes on in its session.
    room.write(SESSION, *answers(10, 2))
    room.session(SECOND, SESSION)
    heir = Target(process=SECOND, program="claude", programs=(SECOND,), started=STARTED + 9, fresh=True)
    assert room.requests(heir) == [2]
    assert _counted(room.reader.found[FIRST]) == 3
    room.write(SESSION, *answers(20))
    assert room.requests(heir) == [3]
    assert _counted(room.reader.found[FIRST]) == 3


def test_accounts_are_numbered_by_their_configuration_folder(room: Room, tmp_path: Path) -> None:
    moved = tmp_path / "second"
    (moved / "sessions").mkdir(parents=True)
    environ = room.base / "proc" / str(SECOND.pid) / "environ"
    environ.parent.mkdir(parents=True)
    environ.write_bytes(f"CLAUDE_CONFIG_DIR={moved}\0".encode())
    room.session(FIRST, SESSION)
    document = {"pid": SECOND.pid, "procStart": str(SECOND.start_ticks), "sessionId": OTHER}
    (moved / "sessions" / f"{SECOND.pid}.json").write_text(json.dumps(document))
    room.reader.round((target(SECOND), target(FIRST)))
    assert {each: found.account for each, found in room.reader.found.items()} == {FIRST: 0, SECOND: 1}


@pytest.mark.parametrize(
    ("first", "whole"),
    [
        (answers(1), True),
        # Resumed, and after `/clear`: nobody knows what it wrote elsewhere before.
        ([answer("old", at=STARTED - 99)], False),
        ([line(type="user", message={"content": "<command-name>/clear</command-name>"}), *answers(1)], False),
    ],
)
def test_what_one_that_ran_before_us_has_spent_is_known_where_it_has_no_other_file(
    room: Room, first: list[bytes], whole: bool
) -> None:
    room.session(FIRST, SESSION)
    room.write(SESSION, *first, *answers(2, 3))
    room.requests(target(FIRST, fresh=False))
    assert room.reader.found[FIRST].whole is whole
