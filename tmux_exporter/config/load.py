"""Load a YAML file into a `Config`.

All mistakes of a file are reported at once, each with its position and fix, and a file with a mistake is
not applied at all.
"""

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.build import convert
from tmux_exporter.config.file import read_text
from tmux_exporter.config.nodes import Node, Problems
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
