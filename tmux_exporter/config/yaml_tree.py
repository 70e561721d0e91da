"""Parse YAML into the tree of a configuration or policy, each node with its position.

This file alone reads YAML. It reads libyaml's events and not its node tree: an event still shows anchors,
aliases and tags, which the tree has resolved away.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.resolver import Resolver

from tmux_exporter.config.nodes import (
    ListNode,
    MappingNode,
    Node,
    Position,
    Problems,
    RefusedNode,
    ScalarNode,
    TooManyProblemsError,
)

_START = Position(1, 1)
# Levels of `_parse`: 0 is the stream, 1 the document's mapping, 2 a section, 5 the deepest list of a record.
_SECTION_LEVEL = 2
_DEEPEST = 16
# libyaml's text, ours, and whether the mistake is where the construct began.
_SYNTAX_FIXES = (
    ("cannot start any token", "a tab cannot indent; use spaces", False),
    ("tab character", "a tab cannot indent; use spaces", False),
    ("unexpected end of stream", "the quote that opens here is not closed; close it", True),
    (
        "mapping values are not allowed",
        "a ': ' cannot stand here; mend the indentation or quote the value",
        False,
    ),
    ("flow sequence", "the '[' here is not closed or lacks a comma; mend it or quote the value", True),
    ("flow mapping", "the '{' here is not closed or lacks a comma; mend it or quote the value", True),
    ("flow node", "no list or mapping starts here; put the value in quotes", False),
    ("expected key", "the indentation fits nothing above; mend it", False),
    ("expected '-'", "the indentation fits nothing above; mend it", False),
    ("simple key", "this line has no ': '; write key: value", True),
    ("unknown escape", "unknown escape; use single quotes", False),
)


class _Mark(Protocol):
    """A position as PyYAML gives it, from 0; its two loaders have different classes."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(slots=True)
class _Open:
    """A list or a mapping that is still open; keys and values of a mapping alternate."""

    at: Position
    is_mapping: bool
    children: list[Node] = field(default_factory=list)

    def closed(self) -> Node:
        if not self.is_mapping:
            return ListNode(at=self.at, items=tuple(self.children))
        pairs = zip(self.children[::2], self.children[1::2], strict=False)
        return MappingNode(at=self.at, entries=tuple(pairs))


def parse(text: str, problems: Problems) -> Node | None:
    """The tree of the first document, None without one.

    A syntax error ends the reading; the sections' settings that stand complete before it are kept, so that
    their mistakes are shown as well.
    """
    levels = [_Open(_START, is_mapping=False)]
    last_line = 0
    try:
        for event in _content(yaml.parse(text, Loader=yaml.CSafeLoader), problems):
            match event:
                case yaml.CollectionEndEvent():
                    done = levels.pop()
                    levels[-1].children.append(done.closed())
                case yaml.CollectionStartEvent():
                    levels.append(_Open(_at(event.start_mark), isinstance(event, yaml.MappingStartEvent)))
                case yaml.ScalarEvent():
                    levels[-1].children.append(_scalar(event))
                    last_line = _at(event.end_mark).line
                case _:
                    levels[-1].children.append(RefusedNode(at=_at(event.start_mark)))
            if len(levels) > _DEEPEST:
                problems.add(levels[-1].at, "nested too deep; no setting lies this deep")
                break
    except yaml.MarkedYAMLError as error:
        at, words = _syntax_error(error, text)
        if last_line >= at.line and levels[-1].children:
            # The syntax error is in this scalar: its value is wrong.
            levels[-1].children.pop()
        problems.add(at, words)
    except TooManyProblemsError:
        return None
    del levels[_SECTION_LEVEL + 1 :]
    while len(levels) > 1:
        done = levels.pop()
        levels[-1].children.append(done.closed())
    return levels[0].children[0] if levels[0].children else None


def _content(events: Iterator[yaml.Event], problems: Problems) -> Iterator[yaml.Event]:
    """The events of the first document; notes features that no setting needs."""
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                problems.add(_at(event.start_mark), "a second document starts here; keep one")
                return
        elif isinstance(event, yaml.AliasEvent):
            problems.add(_at(event.start_mark), "aliases are not supported; write the value out")
            yield event
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            if event.anchor is not None:
                problems.add(_at(event.start_mark), "anchors are not supported; remove it")
            if event.tag is not None:
                problems.add(_at(event.start_mark), "tags are not supported; remove it")
            yield event
        elif isinstance(event, yaml.CollectionEndEvent):
            yield event


def _scalar(event: yaml.ScalarEvent) -> ScalarNode:
    return ScalarNode(
        at=_at(event.start_mark),
        text=event.value,
        quoted=bool(event.style),
        reads_as="str" if event.style else _reads_as(event.value),
    )


def _reads_as(text: str) -> str:
    """The YAML 1.1 type of an unquoted text, by the table of PyYAML (by first character)."""
    readings = Resolver.yaml_implicit_resolvers.get(text[:1], ())
    tag = next((str(tag) for tag, pattern in readings if pattern.match(text)), Resolver.DEFAULT_SCALAR_TAG)
    return tag.removeprefix("tag:yaml.org,2002:")


def _at(mark: _Mark | None) -> Position:
    return _START if mark is None else Position(mark.line + 1, mark.column + 1)


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> tuple[Position, str]:
    """Position and text of a syntax error, with the fix; libyaml's text if we have no better one."""
    at = _at(error.problem_mark)
    what = f"{error.context or ''} {error.problem or ''}"
    line = text.splitlines()[at.line - 1 : at.line]
    character = line[0][at.column - 1 : at.column] if line else ""
    if "cannot start any token" in what and character != "\t":
        return at, f"'{character}' cannot start a value; put the value in quotes"
    for words, mend, at_context in _SYNTAX_FIXES:
        if words in what:
            return (_at(error.context_mark) if at_context else at), mend
    return at, f"YAML syntax: {error.problem}; mend this line"
