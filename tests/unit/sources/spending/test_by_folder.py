"""Conversations of programs that name no process: whose they are, and that nobody's are never taken."""

import json
import os
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.spending import STARTED, stamp
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.spending.by_folder import AloneInFolder
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Located, Target

FOLDER = "/home/ann/my_project"
FIRST, SECOND, STRANGER = 11, 22, 33


class Room:
    """Processes of pi with one home, each in a folder."""

    def __init__(self, base: Path) -> None:
        self.proc, self.clock = base / "proc", ManualClock()
        self.place = base / ".pi" / "agent" / "sessions" / "--home-ann-my_project--"
        self.place.mkdir(parents=True)
        self.files = AloneInFolder(
            uid=os.getuid(), own={"HOME": str(base)}, proc_root=str(self.proc), clock=self.clock
        )
        self.targets: tuple[Target, ...] = ()

    def process(
        self, pid: int, *, folder: str = FOLDER, parent: int = 1, words: str = "node\0/x/bin/pi"
    ) -> None:
        entry = self.proc / str(pid)
        entry.mkdir(parents=True)
        (entry / "cwd").symlink_to(folder)
        (entry / "cmdline").write_text(words)
        (entry / "stat").write_text(f"{pid} (pi) S {parent} 1 1")

    def runs(self, *pids: int) -> None:
        self.targets = tuple(
            Target(
                process=ProcessId(each, 1),
                program="pi",
                programs=(ProcessId(each, 1),),
                started=STARTED,
                fresh=True,
            )
            for each in pids
        )

    def write(self, name: str, *, folder: str = FOLDER, at: float = STARTED + 1) -> Path:
        path = self.place / f"{name}.jsonl"
        head = {"type": "session", "id": name, "cwd": folder, "timestamp": stamp(at)}
        path.write_text(json.dumps(head) + "\n")
        return path

    def found(self, pid: int) -> list[str]:
        """The names of its conversations a little later, and that they are its only ones."""
        located = self.located(pid)
        assert located is not None and located.exactness is Exactness.UNIQUE
        return [Path(each.path).stem for each in located.sources]

    def located(self, pid: int) -> Located | None:
        self.clock.advance(20)
        self.files.begin(self.targets)
        return self.files.locate(next(each for each in self.targets if each.process.pid == pid))

    def is_nobodys(self, pid: int) -> bool:
        with pytest.raises(NotFollowedError) as error:
            self.located(pid)
        return error.value.problem is SpendingProblem.AMBIGUOUS


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(tmp_path)
    made.process(FIRST)
    made.runs(FIRST)
    return made


def test_the_only_one_of_a_folder_and_those_after_it(room: Room) -> None:
    assert room.found(FIRST) == []
    room.write("a")
    assert room.found(FIRST) == ["a"]
    room.write("b")
    assert room.found(FIRST) == ["a", "b"]


def test_where_two_work_nobody_has_any_until_its_end(room: Room) -> None:
    room.write("a")
    assert room.found(FIRST) == ["a"]
    room.process(SECOND)
    room.runs(FIRST, SECOND)
    assert room.is_nobodys(FIRST) and room.is_nobodys(SECOND)
    room.runs(FIRST)
    assert room.is_nobodys(FIRST)


def test_two_in_two_folders_have_their_own(room: Room) -> None:
    room.process(SECOND, folder="/home/ann/my-project")
    room.runs(FIRST, SECOND)
    room.write("a")
    assert room.found(FIRST) == ["a"] and room.found(SECOND) == []


def test_several_that_nobody_saw_begin_are_nobodys(room: Room) -> None:
    room.write("a")
    room.write("b")
    assert room.is_nobodys(FIRST)


@pytest.mark.parametrize("words", ["node\0/x/bin/pi", "pi", "/usr/bin/pi\0--continue"])
def test_one_that_another_process_may_have_begun_is_nobodys(room: Room, words: str) -> None:
    room.write("a")
    room.process(STRANGER, words=words)
    assert room.is_nobodys(FIRST)


@pytest.mark.parametrize(
    ("words", "folder", "parent"),
    [("bash", FOLDER, 1), ("/usr/bin/pip\0x", FOLDER, 1), ("pi", "/elsewhere", 1), ("pi", FOLDER, FIRST)],
)
def test_who_begins_none(room: Room, words: str, folder: str, parent: int) -> None:
    room.process(STRANGER, words=words, folder=folder, parent=parent)
    room.write("a")
    assert room.found(FIRST) == ["a"]


def test_what_was_not_changed_since_its_start_or_is_of_another_folder(room: Room) -> None:
    os.utime(room.write("old"), (STARTED - 9, STARTED - 9))
    room.write("other", folder="/home/ann/my/project")
    (room.place / "half.jsonl").write_text('{"type":"sess')
    (room.place / "pipe.jsonl").symlink_to(room.write("a"))
    assert room.found(FIRST) == ["a"]


def test_one_that_is_gone_on_with_is_found(room: Room) -> None:
    path = room.write("a")
    os.utime(path, (STARTED - 9, STARTED - 9))
    assert room.found(FIRST) == []
    os.utime(path, (STARTED + 9, STARTED + 9))
    assert room.found(FIRST) == ["a"]


def test_a_process_whose_folder_is_not_to_be_seen(room: Room) -> None:
    room.runs(FIRST, STRANGER)
    assert room.located(STRANGER) is None
