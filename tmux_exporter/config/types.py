"""Types of settings: which texts are valid, how they are parsed and rendered.

`parse` takes the scalar's text and raises ValueError with one sentence that says how to fix it. `style`
says how YAML must have written the scalar: TEXT refuses what YAML 1.1 itself would not read as a string
(`no`, `1:30`, `2026-01-01`), BARE refuses quotes, ANY takes both.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar, NamedTuple

from tmux_exporter.config.parsers import (
    format_duration,
    format_share,
    format_size,
    nearest,
    parse_duration,
    parse_share,
    parse_size,
    shown,
)


class Style(Enum):
    """How a scalar must be written in YAML."""

    TEXT = auto()
    BARE = auto()
    ANY = auto()


class _Form(NamedTuple):
    """How a quantity is called, read and written."""

    name: str
    read: Callable[[str], float]
    write: Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quantity:
    """A number with its unit between two bounds, both included; with `or_none` also `none` for no limit."""

    at_least: float
    at_most: float
    or_none: bool = False
    style = Style.ANY
    form: ClassVar[_Form]

    def describe(self) -> str:
        """For the reference page."""
        bounds = f"{self.form.name}, {self.form.write(self.at_least)} to {self.form.write(self.at_most)}"
        return f"{bounds}, or `none`" if self.or_none else bounds

    def parse(self, text: str) -> float | None:
        """The number, or None."""
        if self.or_none and text == "none":
            return None
        otherwise = ", or none" if self.or_none else ""
        try:
            value = self.form.read(text)
        except ValueError as error:
            raise ValueError(f"{error}{otherwise}") from None
        if not self.at_least <= value <= self.at_most:
            low, high = self.form.write(self.at_least), self.form.write(self.at_most)
            raise ValueError(f"{shown(text)} is out of range; allowed is {low} to {high}{otherwise}")
        return value

    def render(self, value: float | None) -> str:
        """YAML text."""
        return "none" if value is None else self.form.write(value)


class Duration(_Quantity):
    """Seconds."""

    form = _Form("duration", parse_duration, format_duration)


class Size(_Quantity):
    """Bytes."""

    form = _Form("size", parse_size, format_size)


class Share(_Quantity):
    """A part of all: 0.99 is `99%`."""

    form = _Form("percentage", parse_share, format_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A decimal number between two bounds, both included."""

    at_least: int
    at_most: int
    style = Style.BARE

    def describe(self) -> str:
        """For the reference page."""
        return f"number, {self.at_least} to {self.at_most}"

    def parse(self, text: str) -> int:
        """The number; `010` is refused: YAML 1.1 reads it as 8, people as 10."""
        if re.fullmatch(r"0[0-9]+", text):
            raise ValueError(f"{shown(text)} is octal to YAML; write it without the leading 0")
        if not re.fullmatch(r"-?[0-9]+", text):
            raise ValueError(f"{shown(text)} is not a whole number; write decimal digits only")
        # The length first: int() of a million digits takes minutes.
        if len(text) > len(str(self.at_most)) or not self.at_least <= int(text) <= self.at_most:
            raise ValueError(f"{shown(text)} is out of range; allowed is {self.at_least} to {self.at_most}")
        return int(text)

    def render(self, value: int) -> str:
        """YAML text."""
        return str(value)


# Booleans of YAML 1.1 and of other formats.
_BOOLEAN_WORDS = {
    **dict.fromkeys(("yes", "on", "true", "y", "1"), "true"),
    **dict.fromkeys(("no", "off", "false", "n", "0"), "false"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean:
    """`true` or `false`; no other boolean of YAML 1.1, but `on` or `off` where it `switches` something."""

    style = Style.BARE
    switches: bool = False

    def describe(self) -> str:
        """For the reference page."""
        return "`on` or `off`" if self.switches else "`true` or `false`"

    def parse(self, text: str) -> bool:
        """The truth value."""
        if self.switches and text in ("on", "off"):
            return text == "on"
        if text not in ("true", "false"):
            mend = _BOOLEAN_WORDS.get(text.lower(), "true or false")
            raise ValueError(f"{shown(text)} is neither true nor false; write {mend}")
        return text == "true"

    def render(self, value: bool) -> str:
        """YAML text."""
        return ("on" if value else "off") if self.switches else ("true" if value else "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One member of a closed list."""

    of: type[StrEnum]
    style = Style.ANY

    def describe(self) -> str:
        """For the reference page."""
        return " or ".join(f"`{member}`" for member in self.of)

    def parse(self, text: str) -> StrEnum:
        """The member."""
        names = [member.value for member in self.of]
        if text not in names:
            near = nearest(text, names)
            mend = f"did you mean '{near}'?" if near else "write one of them"
            raise ValueError(f"{shown(text)} is not one of {', '.join(names)}; {mend}")
        return self.of(text)

    def render(self, value: StrEnum) -> str:
        """YAML text."""
        return value.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that `parser` accepts."""

    what: str
    parser: Callable[[str], str]
    style = Style.TEXT

    def describe(self) -> str:
        """For the reference page."""
        return self.what

    def parse(self, text: str) -> str:
        """The text, as the parser returns it."""
        return self.parser(text)

    def render(self, value: str) -> str:
        """YAML text; in single quotes no character is special."""
        return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A value as written, whatever its YAML type: another key decides its meaning."""

    what: str
    style = Style.ANY

    def describe(self) -> str:
        """For the reference page."""
        return self.what

    def parse(self, text: str) -> str:
        """The text."""
        return text

    def render(self, value: str) -> str:
        """YAML text."""
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of scalars of one kind, without duplicates; none by default."""

    item: Text | Choice

    def describe(self) -> str:
        """For the reference page."""
        return f"list of: {self.item.describe()}"


class MisfitError(ValueError):
    """Fields that do not fit together, and the one to fix, if there is one."""

    def __init__(self, words: str, key: str = "") -> None:
        super().__init__(words)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping, read into the frozen dataclass `of` as one of `Records` is."""

    of: type[object]

    def describe(self) -> str:
        """For the reference page."""
        return "mapping, see below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A list of mappings, each read into the frozen dataclass `of`, whose fields are settings again.

    The dataclass raises MisfitError (in `__post_init__`) where its fields do not fit together.
    """

    of: type[object]

    def describe(self) -> str:
        """For the reference page."""
        return "list of mappings, see below"


Scalar = Duration | Size | Share | Integer | Boolean | Choice | Text | Written
Kind = Scalar | ListOf | Records | Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one key holds and what it is for; carried by the dataclass field of that key."""

    kind: Kind
    meaning: str


def setting(kind: Kind, meaning: str) -> dict[str, Setting]:
    """The metadata of a field that is a key of the file."""
    return {"setting": Setting(kind=kind, meaning=meaning)}


def key(kind: Kind, meaning: str, *, default: Any = MISSING) -> Any:  # noqa: ANN401 - as `field` itself
    """A field that is a key of the file; one without a default is required."""
    return field(default=default, metadata=setting(kind, meaning))
