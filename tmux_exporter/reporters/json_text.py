"""Edit JSON as text: add and remove members and elements, and leave every other byte as it is.

What is added to a container that was empty stands directly behind its opening bracket; a container that was
added has its content on lines of its own. By that `without` knows which containers it may remove again, and
what was there before comes back byte for byte.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_BLANK = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^\s,\]}]+")
_DEEPEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value in a text: where it stands, and its members or elements. `start` of a member is at its key."""

    start: int
    end: int
    value_start: int
    key: str = ""
    children: tuple["Node", ...] = ()
    container: str = ""

    def member(self, key: str) -> "Node | None":
        """The member of that key."""
        return next((each for each in self.children if each.key == key), None)


class JsonTextError(ValueError):
    """A text that is no JSON, or that says a key twice; the text says where."""


def parse(text: str) -> Node:
    """The value of a whole text. Raises JsonTextError."""
    try:
        json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise JsonTextError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise JsonTextError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    return _value(text, _skip(text, 0), 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise JsonTextError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return found


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int, key: str = "", start: int | None = None) -> Node:
    """The value at `at` of a text that is known to be JSON."""
    start = at if start is None else start
    if depth > _DEEPEST:
        raise JsonTextError("it is nested too deep")
    if text[at] == '"':
        _, end = scanstring(text, at + 1)
        return Node(start=start, end=end, value_start=at, key=key)
    if text[at] not in "{[":
        found = _SCALAR.match(text, at)
        return Node(start=start, end=found.end() if found else at, value_start=at, key=key)
    children = []
    place = _skip(text, at + 1)
    while text[place] not in "}]":
        if text[at] == "{":
            name, after = scanstring(text, place + 1)
            child = _value(text, _skip(text, _skip(text, after) + 1), depth + 1, name, place)
        else:
            child = _value(text, place, depth + 1)
        children.append(child)
        place = _skip(text, child.end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return Node(
        start=start, end=place + 1, value_start=at, key=key, children=tuple(children), container=text[at]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a text is laid out: what ends its lines, one level of indentation, and how deep we are."""

    newline: str
    indent: str
    depth: int = 0

    def at(self, depth: int) -> "Style":
        """The same at a depth: that of the root is 0."""
        return replace(self, depth=depth)


def style_of(text: str) -> Style:
    """The layout of a text; two blanks where it shows none."""
    found = re.search(r"\n([ \t]+)\S", text)
    return Style(newline="\r\n" if "\r\n" in text else "\n", indent=found[1] if found else "  ")


def added(text: str, node: Node, item: object, style: Style, key: str = "") -> str:
    """The text with one more member or element at the end of a container at the depth of `style`."""
    inner = style.newline + style.indent * (style.depth + 1)
    words = json.dumps(item, indent=style.indent, ensure_ascii=False).replace("\n", inner)
    words = f"{json.dumps(key)}: {words}" if key else words
    if not node.children:
        at = node.value_start + 1
        return text[:at] + words + text[at:]
    end = node.children[-1].end
    return text[:end] + "," + inner + words + text[end:]


def without(text: str, path: Sequence[Node]) -> str | None:
    """The text without the last node of a path from the root; None if the root was added with it.

    A container that was added goes with its last child.
    """
    *above, node = path
    if not above:
        return None
    siblings = above[-1].children
    place = siblings.index(node)
    if len(siblings) == 1:
        if node.start > above[-1].value_start + 1:
            return without(text, above)
        start, end = node.start, node.end
    elif place:
        start, end = siblings[place - 1].end, node.end
    else:
        start, end = node.start, siblings[1].start
    return text[:start] + text[end:]


def paths(node: Node, depth: int, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, ...]]:
    """The paths from the root to each node `depth` levels below it."""
    here = (*above, node)
    if depth == 0:
        yield here
    for child in node.children if depth else ():
        yield from paths(child, depth - 1, here)
