"""Nodes of a configuration file with positions, and the problems found in it."""

from dataclasses import dataclass, field
from typing import NamedTuple

# A file with more mistakes is no configuration.
MOST_PROBLEMS = 100


class Position(NamedTuple):
    """A position in the file, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """A scalar's text. `reads_as` is what YAML 1.1 takes it for: str, bool, int, float, null, timestamp, …"""

    at: Position
    text: str
    quoted: bool
    reads_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """A list."""

    at: Position
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """A mapping, duplicate keys included."""

    at: Position
    entries: "tuple[tuple[Node, Node], ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedNode:
    """A node whose problem is already reported; accepted as any value."""

    at: Position


Node = ScalarNode | ListNode | MappingNode | RefusedNode


class TooManyProblemsError(Exception):
    """The list of problems is full."""


@dataclass(slots=True)
class Problems:
    """The problems of one file, in any order."""

    path: str
    found: list[tuple[Position, str]] = field(default_factory=list)

    def add(self, at: Position, text: str) -> None:
        """Note one sentence that says what is wrong and how to fix it."""
        self.found.append((at, text))
        if len(self.found) > MOST_PROBLEMS:
            raise TooManyProblemsError

    def lines(self) -> tuple[str, ...]:
        """`file:line:column: text` for each problem, in the order of the file."""
        path = self.path if self.path.isprintable() else repr(self.path)[1:-1]
        ordered = sorted(self.found[:MOST_PROBLEMS])
        lines = [f"{path}:{at.line}:{at.column}: {text}" for at, text in ordered]
        if len(self.found) > MOST_PROBLEMS:
            at = ordered[-1][0]
            lines.append(f"{path}:{at.line}:{at.column}: and more; mend these {MOST_PROBLEMS} first")
        return tuple(lines)
