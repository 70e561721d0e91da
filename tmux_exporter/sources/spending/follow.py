"""Follow a file that another program writes line by line: what is new in it, bounded in bytes and memory.

Only whole lines are handed on. A file that shrinks or is replaced is read anew. One that is large when it is
first seen is not read from its beginning: its lines are in order of time.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tmux_exporter.facts.spending import Line, SpendingProblem
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.spending.located import Note
from tmux_exporter.sources.spending.values import parsed, time_of

BLOCK = 256 * 1024
LONGEST_LINE = 4 * 1024 * 1024
"""Longer lines are skipped: they hold images and output of tools, and no usage."""

READ_WHOLE = 4 * 1024 * 1024
"""Files of up to this size are read from their beginning."""

_STEP_BACK = 1024 * 1024
_SLACK_SECONDS = 5.0
"""Lines that are written together are not in order."""

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class NotFollowedError(Exception):
    """A file that is not read; `problem` says why."""

    def __init__(self, problem: SpendingProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class FollowedFile:
    """One file of `uid`; `since` is the wall time before which its lines are of no interest."""

    def __init__(self, path: str, *, uid: int, since: float, note: Note) -> None:
        self.path = path
        self.whole = True
        """Whether it is read from its beginning."""

        self.caught_up = False
        """Whether it has been read to its end once."""

        self._uid = uid
        self._since = since
        self._note = note
        self._mark: tuple[int, ...] = ()
        self._place: tuple[int, int] | None = None
        self.offset = 0
        """How far it has been read."""

        self._skipping = False

    def look(self) -> bool:
        """Whether there is something new to read. Raises NotFollowedError."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            raise NotFollowedError(SpendingProblem.UNREADABLE) from None
        self._check(found)
        return self._mark != _mark(found)

    def read(self, most: int, wanted: Callable[[bytes], bool]) -> Iterator[bytes | None]:
        """The new lines that are `wanted`, of at most about `most` bytes; None where it is read anew.

        Raises NotFollowedError.
        """
        with self._file() as file:
            if file is None:
                return
            descriptor, found = file
            if self._is_another(found):
                yield None
            end = self.offset + most
            while self.offset < end and (lines := self._next(descriptor)) is not None:
                yield from filter(wanted, lines)
            if self.offset < end:
                self._mark, self.caught_up = _mark(found), True

    def begin_late(self) -> None:
        """Before the first `read`: skip what stands in a large file from before `since`. Raises as `read`."""
        with self._file() as file:
            if file is None or file[1].st_size <= READ_WHOLE:
                return
            descriptor, found = file
            self._place = found.st_dev, found.st_ino
            self.offset = self._search(descriptor, found.st_size)
            # From the middle of a line: up to its end nothing is read.
            self._skipping = self.offset > 0
            self.whole = self.offset == 0

    @contextmanager
    def _file(self) -> Iterator[tuple[int, os.stat_result] | None]:
        """The file, for the time of a block; None where there is none. Raises NotFollowedError."""
        try:
            with opened(self.path, _OPEN) as descriptor:
                found = os.fstat(descriptor)
                self._check(found)
                yield descriptor, found
        except FileNotFoundError:
            yield None
        except OSError as error:
            is_link = error.errno == errno.ELOOP
            raise NotFollowedError(
                SpendingProblem.UNTRUSTED if is_link else SpendingProblem.UNREADABLE
            ) from None

    def _check(self, found: os.stat_result) -> None:
        plain = stat.S_ISREG(found.st_mode)
        if not plain or found.st_uid != self._uid or found.st_mode & stat.S_IWOTH:
            raise NotFollowedError(SpendingProblem.UNTRUSTED)

    def _is_another(self, found: os.stat_result) -> bool:
        """Whether it begins anew; it then is read from its beginning, or from where it gets interesting."""
        place = found.st_dev, found.st_ino
        if place == self._place and found.st_size >= self.offset:
            return False
        first, self._place = self._place is None, place
        self.offset, self._skipping = 0, False
        return not first

    def _search(self, descriptor: int, size: int) -> int:
        """A place before everything that was written since, as late as it can be found quickly."""
        before, after = 0, size
        while after - before > _STEP_BACK:
            middle = (before + after) // 2
            at = _time_behind(descriptor, middle, after)
            if at is not None and at < self._since - _SLACK_SECONDS:
                before = middle
            else:
                after = middle
        return max(0, before - _STEP_BACK)

    def _next(self, descriptor: int) -> list[bytes] | None:
        """The whole lines of the next block; None where there is none yet."""
        block = os.pread(descriptor, BLOCK, self.offset)
        end = block.rfind(b"\n")
        if end < 0 and len(block) == BLOCK and not self._skipping:
            block = os.pread(descriptor, LONGEST_LINE, self.offset)
            end = block.rfind(b"\n")
            if end < 0 and len(block) == LONGEST_LINE:
                self._note(SpendingProblem.LONG_LINE)
                self._skipping = True
        if self._skipping:
            start = block.find(b"\n")
            self._skipping = start < 0
            if self._skipping:
                self.offset += len(block)
                return [] if block else None
            self.offset += start + 1
            return []
        if end < 0:
            return None
        self.offset += end + 1
        return block[:end].split(b"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesSource:
    """A file of lines, and how they are parsed; `parse` is called in their order."""

    path: str
    wanted: Callable[[bytes], bool]
    parse: Callable[[bytes], Line | None]
    begins: float | None = None

    def open(self, *, uid: int, since: float, note: Note) -> "FollowedLines":
        """As Source says."""
        return FollowedLines(self, uid=uid, since=since, note=note)


class FollowedLines:
    """The lines of one file, parsed; as Followed says."""

    def __init__(self, source: LinesSource, *, uid: int, since: float, note: Note) -> None:
        self._source, self._note = source, note
        self._file = FollowedFile(source.path, uid=uid, since=since, note=note)
        self._from = 0
        self._file.begin_late()

    @property
    def whole(self) -> bool:
        """As Followed says."""
        return self._file.whole

    @property
    def caught_up(self) -> bool:
        """As Followed says."""
        return self._file.caught_up

    @property
    def taken(self) -> int:
        """As Followed says."""
        return max(0, self._file.offset - self._from)

    def look(self) -> bool:
        """As Followed says."""
        return self._file.look()

    def read(self, most: int) -> Iterator[Line | None]:
        """As Followed says."""
        self._from = self._file.offset
        for line in self._file.read(most, self._source.wanted):
            if line is None:
                self._from = 0
                yield None
                continue
            try:
                parsed_line = self._source.parse(line)
            except ValueError:
                self._note(SpendingProblem.MALFORMED)
                continue
            if parsed_line is not None:
                yield parsed_line


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _time_behind(descriptor: int, offset: int, end: int) -> float | None:
    """When the first line with a time behind a place was written; None where none is found in some MB."""
    for most in (BLOCK, LONGEST_LINE):
        block = os.pread(descriptor, min(most, end - offset), offset)
        for line in block.split(b"\n")[1:-1]:
            try:
                at = time_of(parsed(line))
            except ValueError:
                continue
            if at is not None:
                return at
    return None
