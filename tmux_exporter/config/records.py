"""Convert nodes to frozen records, for every file that we read; note each mistake with position and fix."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from tmux_exporter.config.nodes import (
    ListNode,
    MappingNode,
    Node,
    Position,
    Problems,
    RefusedNode,
    ScalarNode,
)
from tmux_exporter.config.parsers import nearest, shown
from tmux_exporter.config.types import Kind, ListOf, MisfitError, Records, Scalar, Section, Setting, Style

SHAPES = {ListNode: "a list", MappingNode: "a mapping", ScalarNode: "one value"}
_READ_BY_YAML_AS = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "value": "a default value",
}

Homes = Callable[[str], Sequence[str]]
"""The sections that have a key of this name."""


def section_keys(section: type[Any]) -> dict[str, Setting]:
    """The keys of one section's or record's class, in their order."""
    return {_key(entry): entry.metadata["setting"] for entry in _fields(section)}


def _key(entry: Field[Any]) -> str:
    """The key of a field; a Python keyword has a trailing `_` as a field."""
    return entry.name.removesuffix("_")


def _fields(of: type[Any]) -> tuple[Field[Any], ...]:
    return fields(of)


def _unknown_key(name: str, known: dict[str, Setting], where: str, homes: Homes) -> str:
    if near := nearest(name, known):
        mend = f"did you mean '{near}'?"
    elif found := homes(name):
        mend = f"it is a key of section '{found[0]}'"
    else:
        mend = f"keys of {where} are {', '.join(known)}"
    return f"unknown key {shown(name)}; {mend}"


def entries(node: MappingNode, problems: Problems) -> Iterator[tuple[ScalarNode, str, Node]]:
    """The valid keys with text and value; notes duplicates and reads their values too."""
    seen: dict[str, Position] = {}
    for key, value in node.entries:
        if isinstance(key, RefusedNode):
            continue
        if not isinstance(key, ScalarNode):
            problems.add(key.at, "a key must be a name; write key: value")
        elif key.reads_as == "merge":
            problems.add(key.at, "merge keys are not supported; write the settings out")
        elif key.text in seen:
            problems.add(
                key.at,
                f"duplicate key {shown(key.text)}; the first is in line {seen[key.text].line}, keep one",
            )
            yield key, key.text, value
        else:
            seen[key.text] = key.at
            yield key, key.text, value


def record(
    of: type[Any], node: MappingNode, where: str, problems: Problems, homes: Homes = lambda _: ()
) -> object | None:
    """One section or one record of a list; None if a value is missing, wrong or does not fit the others.

    `homes` names the sections to which a key that is unknown here belongs.
    """
    known = section_keys(of)
    names = {_key(entry): entry.name for entry in _fields(of)}
    before = len(problems.found)
    values: dict[str, object] = {}
    given = set()
    for key, name, value in entries(node, problems):
        given.add(name)
        if name in known:
            values[names[name]] = _value(known[name].kind, value, f"{where}.{name}", problems)
        else:
            problems.add(key.at, _unknown_key(name, known, where, homes))
    for entry in _fields(of):
        if entry.default is MISSING and _key(entry) not in given:
            problems.add(node.at, f"{where}: '{_key(entry)}' is missing; add it")
    if len(problems.found) > before or _lacks_a_value(node):
        return None
    try:
        made: object = of(**values)
    except MisfitError as error:
        text = f"{where}.{error.key}: {error}" if error.key else f"{where}: {error}"
        problems.add(position_of(error.key, node), text)
        return None
    return made


def _lacks_a_value(node: Node) -> bool:
    """Whether a value in it was refused when the file was read."""
    match node:
        case MappingNode():
            values = [value for _, value in node.entries]
            return any(isinstance(each, RefusedNode) or _lacks_a_value(each) for each in values)
        case ListNode():
            return any(map(_lacks_a_value, node.items))
        case _:
            return False


def position_of(name: str, node: MappingNode) -> Position:
    """Where the value of a key stands; the place of the mapping if it has no such key."""
    values = (value for key, value in node.entries if isinstance(key, ScalarNode) and key.text == name)
    return next(values, node).at


def _value(kind: Kind, node: Node, where: str, problems: Problems) -> object:
    match kind, node:
        case _, RefusedNode():
            return None
        case Section(), MappingNode():
            return record(kind.of, node, where, problems)
        case Section(), _:
            problems.add(node.at, f"{where} must be a mapping; write its keys below it, indented")
        case ((ListOf() | Records()), ListNode()):
            return _items(kind, node, where, problems)
        case ((ListOf() | Records()), _):
            problems.add(node.at, f"{where} must be a list; write each item after a '- '")
        case _, ScalarNode():
            return scalar_value(kind, node, where, problems)
        case _:
            problems.add(
                node.at, f"{where} must be one value, not {SHAPES[type(node)]}; write it after the colon"
            )
    return None


def _items(kind: ListOf | Records, node: ListNode, where: str, problems: Problems) -> tuple[object, ...]:
    values: dict[object, None] = {}
    for number, item in enumerate(node.items):
        place = f"{where}[{number}]"
        match kind, item:
            case _, RefusedNode():
                continue
            case Records(), MappingNode():
                value: object = record(kind.of, item, place, problems)
            case ListOf(), ScalarNode():
                value = scalar_value(kind.item, item, place, problems)
            case _:
                wanted = "a mapping" if isinstance(kind, Records) else "one value"
                problems.add(item.at, f"{place} must be {wanted}, not {SHAPES[type(item)]}")
                continue
        if value is not None and value in values:
            problems.add(item.at, f"{place} says the same as an item before it; keep one")
        values[value] = None
    return tuple(values)


def scalar_value(kind: Scalar, node: ScalarNode, where: str, problems: Problems) -> object:
    """What a scalar means; None with the mistake noted."""
    try:
        if node.reads_as == "null":
            raise ValueError("no value; write one or leave the key out")
        if kind.style is Style.BARE and node.quoted:
            raise ValueError(f"{shown(node.text)} is a text; write it without quotes")
        value = kind.parse(node.text)
        if kind.style is Style.TEXT and node.reads_as in _READ_BY_YAML_AS:
            reading = _READ_BY_YAML_AS[node.reads_as]
            raise ValueError(f"YAML reads {node.text} as {reading}; write {shown(node.text)} in quotes")
    except ValueError as error:
        problems.add(node.at, f"{where}: {error}")
        return None
    return value
