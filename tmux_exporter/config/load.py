"""Load a YAML file into a `Config`.

All mistakes of a file are reported at once, each with its position and fix, and a file with a mistake is
not applied at all.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.file import read_text
from tmux_exporter.config.nodes import (
    MappingNode,
    Node,
    Problems,
    RefusedNode,
    ScalarNode,
    TooManyProblemsError,
)
from tmux_exporter.config.parsers import nearest, shown
from tmux_exporter.config.records import SHAPES, entries, record, section_keys
from tmux_exporter.config.schema import Config


def defaults() -> Config:
    """The configuration without a file."""
    return Config()


def load(path: str | None) -> Config:
    """The configuration in a file, the defaults for None. Raises ConfigError with every mistake."""
    if path is None:
        return defaults()
    problems = Problems(path)
    config = convert(read_tree(problems), problems)
    if problems.found:
        raise ConfigError(problems.lines())
    return config


def read_tree(problems: Problems) -> Node | None:
    """The tree of the file `problems.path`, None if it is empty; notes its mistakes."""
    text = read_text(problems)
    if text is None:
        return None
    from tmux_exporter.config import yaml_tree  # noqa: PLC0415 - a daemon without a file needs no YAML

    return yaml_tree.parse(text, problems)


def convert(root: Node | None, problems: Problems) -> Config:
    """The configuration that `root` holds, defaults where it says nothing; `problems` is added to."""
    values: dict[str, Any] = {}
    try:
        for name, node in _sections(root, problems):
            section = record(_section_class(name), node, name, problems, _homes)
            if section is not None:
                values[name] = section
    except TooManyProblemsError:
        return Config()
    return replace(Config(), **values)


def section_classes() -> dict[str, type[Any]]:
    """The sections' classes by name, in their order."""
    return {entry.name: _section_class(entry.name) for entry in fields(Config)}


def _section_class(name: str) -> type[Any]:
    return type(getattr(Config(), name))


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
                root.at, f"the file holds {SHAPES[type(root)]}; write sections such as 'sampling:'{hint}"
            )
            return
    classes = section_classes()
    for key, name, value in entries(root, problems):
        if name not in classes:
            problems.add(key.at, _unknown_section(name))
        elif isinstance(value, MappingNode):
            yield name, value
        elif isinstance(value, ScalarNode) and value.reads_as == "null":
            continue
        elif not isinstance(value, RefusedNode):
            problems.add(
                value.at, f"section '{name}' holds {SHAPES[type(value)]}; write its keys below it, indented"
            )


def _unknown_section(name: str) -> str:
    homes = _homes(name)
    if homes:
        return f"unknown section {shown(name)}; it is a key of section '{homes[0]}'"
    near = nearest(name, section_classes())
    mend = f"did you mean '{near}'?" if near else f"sections are {', '.join(section_classes())}"
    return f"unknown section {shown(name)}; {mend}"


def _homes(key: str) -> list[str]:
    """The sections that have such a key."""
    return [name for name, of in section_classes().items() if key in section_keys(of)]
