"""The numbers of the alerts: `thresholds.toml`, which lies beside this file in every installation."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from tmux_exporter.config.parsers import parse_duration

PRIORITIES = ("P1", "P2", "P3", "P4")
LEVELS = ("emergency", "critical", "warning")
"""Levels of a threshold, worst first."""

FILE = "thresholds.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The tables of the file. What is missing or of another type raises ValueError with its place."""

    tables: Mapping[str, Mapping[str, object]]

    def number(self, table: str, key: str) -> float:
        """A count or a ratio."""
        value = self._value(table, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"[{table}] {key}: {value!r} is not a number")
        return value

    def text(self, table: str, key: str) -> str:
        """A name."""
        value = self._value(table, key)
        if not isinstance(value, str):
            raise ValueError(f"[{table}] {key}: {value!r} is not a text")
        return value

    def seconds(self, table: str, key: str) -> float:
        """A duration."""
        try:
            return parse_duration(self.text(table, key))
        except ValueError as error:
            raise ValueError(f"[{table}] {key}: {error}") from None

    def priority(self, table: str, level: str = "") -> str:
        """The priority of an alert: that of its table, else that of the level."""
        of_level = level and "priority" not in self.tables.get(table, {})
        found = self.text("levels", level) if of_level else self.text(table, "priority")
        if found not in PRIORITIES:
            raise ValueError(f"[{table}] priority: {found!r} is none of {', '.join(PRIORITIES)}")
        return found

    def hold(self, table: str, priority: str) -> float:
        """For how many seconds the condition of an alert must hold: its own `for`, else its priority's."""
        return self.seconds(table if "for" in self.tables.get(table, {}) else priority, "for")

    def _value(self, table: str, key: str) -> object:
        try:
            return self.tables[table][key]
        except KeyError:
            raise ValueError(f"[{table}] {key} is missing") from None


def parse(text: str) -> Thresholds:
    """The tables of a file's text. Raises ValueError."""
    return Thresholds(tables=tomllib.loads(text))


def load() -> Thresholds:
    """The numbers that came with this installation."""
    return parse(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
