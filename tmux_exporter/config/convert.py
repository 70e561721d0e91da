"""Nodes -> the frozen `Config`, with every problem noted at its place."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, replace
from typing import Any

from tmux_exporter.config.kinds import Kind, ListOf, Records, Scalar, Setting, Style
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
from tmux_exporter.config.schema import Config
from tmux_exporter.config.values import nearest, shown

_SHAPES = {ListNode: "a list", MappingNode: "a mapping", ScalarNode: "one value"}
_READ_BY_YAML_AS = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "value": "a default value",
}


def convert(root: Node | None, problems: Problems) -> Config:
    """The configuration that `root` holds, defaults where it says nothing; `problems` is added to."""
    values: dict[str, Any] = {}
    try:
        for name, node in _sections(root, problems):
            section = _record(_section_class(name), node, name, problems)
            if section is not None:
                values[name] = section
    except TooManyProblemsError:
        return Config()
    return replace(Config(), **values)


def section_keys(section: type[Any]) -> dict[str, Setting]:
    """The keys of one section's or record's class, in their order."""
    return {entry.name: entry.metadata["setting"] for entry in _fields(section)}


def section_classes() -> dict[str, type[Any]]:
    """The sections' classes by name, in their order."""
    return {entry.name: _section_class(entry.name) for entry in fields(Config)}


def _section_class(name: str) -> type[Any]:
    return type(getattr(Config(), name))


def _fields(of: type[Any]) -> tuple[Field[Any], ...]:
    return fields(of)


def _sections(root: Node | None, problems: Problems) -> Iterator[tuple[str, MappingNode]]:
    """The sections that can be read; a section without a value has only its comments left: defaults."""
    match root:
        case None | RefusedNode() | ScalarNode(reads_as="null"):
            return
        case MappingNode():
            pass
        case _:
            hint = ""
            if isinstance(root, ScalarNode) and ":" in root.text:
                hint = " and a space after each colon"
            problems.add(
                root.at, f"the file holds {_SHAPES[type(root)]}; write sections such as 'sampling:'{hint}"
            )
            return
    classes = section_classes()
    for key, name, value in _entries(root, problems):
        if name not in classes:
            problems.add(key.at, _unknown_section(name))
        elif isinstance(value, MappingNode):
            yield name, value
        elif isinstance(value, ScalarNode) and value.reads_as == "null":
            continue
        elif not isinstance(value, RefusedNode):
            problems.add(
                value.at, f"section '{name}' holds {_SHAPES[type(value)]}; write its keys below it, indented"
            )


def _unknown_section(name: str) -> str:
    homes = _homes(name)
    if homes:
        return f"unknown section {shown(name)}; it is a key of section '{homes[0]}'"
    near = nearest(name, section_classes())
    mend = f"did you mean '{near}'?" if near else f"sections are {', '.join(section_classes())}"
    return f"unknown section {shown(name)}; {mend}"


def _unknown_key(name: str, known: dict[str, Setting], where: str) -> str:
    near = nearest(name, known)
    homes = _homes(name)
    if near:
        mend = f"did you mean '{near}'?"
    elif homes:
        mend = f"it is a key of section '{homes[0]}'"
    else:
        mend = f"keys of {where} are {', '.join(known)}"
    return f"unknown key {shown(name)}; {mend}"


def _homes(key: str) -> list[str]:
    """The sections that have such a key."""
    return [name for name, of in section_classes().items() if key in section_keys(of)]


def _entries(node: MappingNode, problems: Problems) -> Iterator[tuple[ScalarNode, str, Node]]:
    """The keys that are names, with text and value; duplicates are noted, and their values read as well."""
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


def _record(of: type[Any], node: MappingNode, where: str, problems: Problems) -> object | None:
    """One section or one record of a list; None where a value that it needs is missing or wrong."""
    known = section_keys(of)
    before = len(problems.found)
    values: dict[str, object] = {}
    given = set()
    for key, name, value in _entries(node, problems):
        given.add(name)
        if name in known:
            values[name] = _value(known[name].kind, value, f"{where}.{name}", problems)
        else:
            problems.add(key.at, _unknown_key(name, known, where))
    for entry in _fields(of):
        if entry.default is MISSING and entry.name not in given:
            problems.add(node.at, f"{where}: '{entry.name}' is missing; add it")
    if len(problems.found) > before:
        return None
    record: object = of(**values)
    return record


def _value(kind: Kind, node: Node, where: str, problems: Problems) -> object:
    match kind, node:
        case _, RefusedNode():
            return None
        case ((ListOf() | Records()), ListNode()):
            return _items(kind, node, where, problems)
        case ((ListOf() | Records()), _):
            problems.add(node.at, f"{where} must be a list; write each item after a '- '")
        case _, ScalarNode():
            return _scalar(kind, node, where, problems)
        case _:
            problems.add(
                node.at, f"{where} must be one value, not {_SHAPES[type(node)]}; write it after the colon"
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
                value: object = _record(kind.of, item, place, problems)
                if value is not None:
                    _checked(kind, value, item.at, place, problems)
            case ListOf(), ScalarNode():
                value = _scalar(kind.item, item, place, problems)
            case _:
                wanted = "a mapping" if isinstance(kind, Records) else "one value"
                problems.add(item.at, f"{place} must be {wanted}, not {_SHAPES[type(item)]}")
                continue
        if value is not None and value in values:
            problems.add(item.at, f"{place} says the same as an item before it; keep one")
        values[value] = None
    return tuple(values)


def _checked(kind: Records, record: object, at: Position, place: str, problems: Problems) -> None:
    try:
        kind.check(record)
    except ValueError as error:
        problems.add(at, f"{place}: {error}")


def _scalar(kind: Scalar, node: ScalarNode, where: str, problems: Problems) -> object:
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
