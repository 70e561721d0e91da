"""What a program's locator says of the files of one process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, Line, SpendingProblem

Note = Callable[[SpendingProblem], None]

MOST_FILES = 256
"""Files of one process that are followed; beyond them the ones that were changed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An agent of a program that has a source: its root, and the processes of the program itself, root first.

    `started` is the wall time at which the root started. `fresh`: that was after we began, so that all that
    it has spent counts.
    """

    process: ProcessId
    program: str
    programs: tuple[ProcessId, ...]
    started: float
    fresh: bool


class Followed(Protocol):
    """What a source tells, as it is written."""

    @property
    def whole(self) -> bool:
        """Whether it is read from its beginning."""

    @property
    def caught_up(self) -> bool:
        """Whether it has been read to its end once."""

    def look(self) -> bool:
        """Whether there is something new to read. Raises NotFollowedError."""

    def read(self, most: int) -> Iterator[Line | None]:
        """The new lines that tell something; None where it is read anew. Raises NotFollowedError."""

    @property
    def taken(self) -> int:
        """How many bytes the last `read` has read, as far as it got."""


class Source(Protocol):
    """One file, or one conversation within it; when what it may have copied ends (see `Account`)."""

    @property
    def path(self) -> str:
        """Its identity: two processes that name one share it."""

    @property
    def begins(self) -> float | None:
        """The wall time at which its own lines begin; None: with the process."""

    def open(self, *, uid: int, since: float, note: Note) -> Followed:
        """Follow it; what was written before the wall time `since` is of no interest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The files of a process; without any it has written nothing yet.

    `home` is its configuration folder; `untold` are the counts that its program does not write down. `whole`:
    what they say is all that it has written since it started, also before we saw it.
    """

    exactness: Exactness
    sources: tuple[Source, ...]
    home: str = ""
    untold: frozenset[str] = frozenset()
    whole: bool = False
