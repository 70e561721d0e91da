"""Files that are followed: whole lines, each once, whatever their writer does, in bounded reads."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.literals.spending import STARTED, line, stamp
from tmux_exporter.facts.spending import SpendingProblem
from tmux_exporter.sources.spending.follow import BLOCK, LONGEST_LINE, FollowedFile, NotFollowedError

MUCH = 1 << 40


class Reading:
    """A file that is followed, and what of it was told."""

    def __init__(self, path: Path, *, since: float = STARTED, uid: int | None = None) -> None:
        self.path = path
        self.problems: list[SpendingProblem] = []
        own = os.getuid() if uid is None else uid
        self.file = FollowedFile(str(path), uid=own, since=since, note=self.problems.append)

    def lines(self, most: int = MUCH) -> list[bytes | None]:
        return list(self.file.read(most, lambda _: True)) if self.file.look() else []


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path / "file.jsonl")


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(content)


def test_whole_lines_each_once(reading: Reading) -> None:
    assert reading.lines() == []
    append(reading.path, b"one\ntwo\nthr")
    assert reading.lines() == [b"one", b"two"]
    assert reading.lines() == []
    append(reading.path, b"ee\n")
    assert reading.lines() == [b"three"]
    assert reading.file.caught_up


def test_lines_across_blocks(reading: Reading) -> None:
    lines = [b"%d" % number + b"x" * (number * 977 % 5000) for number in range(500)]
    append(reading.path, b"\n".join(lines) + b"\n")
    assert reading.path.stat().st_size > 3 * BLOCK
    assert reading.lines() == lines


def test_a_round_reads_a_part_and_the_next_one_goes_on(reading: Reading) -> None:
    lines = [b"%07d" % number for number in range(200_000)]
    append(reading.path, b"\n".join(lines) + b"\n")
    first = reading.lines(BLOCK)
    assert 0 < len(first) < len(lines) and not reading.file.caught_up
    assert first + reading.lines() == lines and reading.file.caught_up


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, BLOCK + 1, LONGEST_LINE - 1])
def test_long_lines_are_read(reading: Reading, length: int) -> None:
    append(reading.path, b"a\n" + b"x" * length)
    assert reading.lines() == [b"a"]
    append(reading.path, b"\nb\n")
    assert [len(each or b"") for each in reading.lines()] == [length, 1]


def test_lines_that_are_too_long_are_skipped_and_counted_once(reading: Reading) -> None:
    append(reading.path, b"a\n" + b"x" * (5 * LONGEST_LINE))
    assert reading.lines() == [b"a"]
    append(reading.path, b"x" * LONGEST_LINE + b"\nb\n")
    assert reading.lines() == [b"b"]
    assert reading.problems == [SpendingProblem.LONG_LINE]


def test_a_file_that_shrinks_is_read_anew(reading: Reading) -> None:
    append(reading.path, b"one\ntwo\n")
    reading.lines()
    reading.path.write_bytes(b"three\n")
    assert reading.lines() == [None, b"three"]


def test_a_file_that_is_replaced_is_read_anew(reading: Reading) -> None:
    append(reading.path, b"one\n")
    reading.lines()
    other = reading.path.with_name("other")
    other.write_bytes(b"one\ntwo\n")
    other.rename(reading.path)
    assert reading.lines() == [None, b"one", b"two"]


def test_a_file_that_goes_and_comes_back_is_read_anew(reading: Reading) -> None:
    append(reading.path, b"one\n")
    reading.lines()
    kept = reading.path.rename(reading.path.with_name("kept"))
    assert reading.lines() == [] and kept.exists()
    append(reading.path, b"two\n")
    assert reading.lines() == [None, b"two"]


def link(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(b"x\n")
    path.symlink_to(target)


def writable(path: Path) -> None:
    path.write_bytes(b"x\n")
    path.chmod(0o666)


@pytest.mark.parametrize("make", [link, writable, os.mkfifo, os.mkdir])
def test_what_is_not_trusted_is_not_opened(reading: Reading, make: Callable[[Path], None]) -> None:
    make(reading.path)
    with pytest.raises(NotFollowedError) as caught:
        reading.lines()
    assert caught.value.problem is SpendingProblem.UNTRUSTED


def test_a_file_of_another_user_is_not_read(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "file", uid=os.getuid() + 1)
    append(reading.path, b"x\n")
    with pytest.raises(NotFollowedError, match="untrusted"):
        reading.lines()


def test_a_pipe_that_takes_its_place_between_two_looks_does_not_hold_us_up(reading: Reading) -> None:
    append(reading.path, b"x\n")
    assert reading.file.look()
    reading.path.unlink()
    os.mkfifo(reading.path)
    with pytest.raises(NotFollowedError, match="untrusted"):
        list(reading.file.read(MUCH, lambda _: True))


def test_a_large_file_is_read_from_where_the_process_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    filler = "x" * 100_000
    with path.open("wb") as stream:
        for number in range(600):
            stream.write(line(timestamp=stamp(STARTED + number), filler=filler) + b"\n")
            stream.write(line(filler=filler) + b"\n")
    read: list[int] = []
    pread = os.pread

    def counted(descriptor: int, most: int, offset: int) -> bytes:
        found = pread(descriptor, most, offset)
        read.append(len(found))
        return found

    monkeypatch.setattr(os, "pread", counted)
    reading = Reading(path, since=STARTED + 590)
    reading.file.begin_late()
    told = reading.lines()
    # All that was written since is there, and little of what was written before.
    assert sum(b'"timestamp"' in (each or b"") for each in told) in range(10, 60)
    assert stamp(STARTED + 590).encode() in b"".join(each or b"" for each in told)
    assert not reading.file.whole and sum(read) < 0.5 * path.stat().st_size


def test_a_small_file_is_read_from_its_beginning(reading: Reading) -> None:
    append(reading.path, line(timestamp=stamp(STARTED - 5)) + b"\n")
    reading.file.begin_late()
    assert len(reading.lines()) == 1 and reading.file.whole


def test_a_link_that_takes_its_place_between_two_looks_is_not_followed(reading: Reading) -> None:
    append(reading.path, b"x\n")
    assert reading.file.look()
    reading.path.unlink()
    link(reading.path)
    with pytest.raises(NotFollowedError, match="untrusted"):
        list(reading.file.read(MUCH, lambda _: True))
