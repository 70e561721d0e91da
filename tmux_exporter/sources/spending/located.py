"""What a program's locator says of the files of one process."""

from collections.abc import Callable
from dataclasses import dataclass

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, Line

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: how its lines are parsed, and when what it may have copied ends (see `Account`)."""

    path: str
    wanted: Callable[[bytes], bool]
    parse: Callable[[bytes], Line | None]
    begins: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The files of a process; without any it has written nothing yet. `home` is its configuration folder."""

    exactness: Exactness
    sources: tuple[Source, ...]
    home: str = ""
