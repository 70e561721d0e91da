"""Tables and figures as plain text for terminals: columns as wide as their widest cell, nothing cut."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A heading, and whether the cells below it are set to the right (numbers)."""

    title: str
    right: bool = False


def columns(*titles: str) -> tuple[Column, ...]:
    """Columns with these headings; a `>` at the end of one sets its cells to the right."""
    return tuple(Column(each.removesuffix(">"), right=each.endswith(">")) for each in titles)


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, two blanks in front of each and between columns."""
    cells = [[column.title for column in columns], *rows]
    widths = [max(_width(row[place]) for row in cells) for place in range(len(columns))]
    return [
        "  " + "  ".join(_pad(*cell) for cell in zip(row, widths, columns, strict=True)).rstrip()
        for row in cells
    ]


def _pad(text: str, width: int, column: Column) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if column.right else text + blanks


def _width(text: str) -> int:
    """Terminal cells: East Asian wide characters and emoji take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


UNKNOWN = "?"


def size(count: int | None) -> str:
    """Bytes: `512 B`, `1.5 MiB`."""
    if count is None:
        return UNKNOWN
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit returns")


def span(seconds: float) -> str:
    """A time by its two largest units: `45s`, `12m 05s`, `3h 20m`, `9d 04h`."""
    whole = int(seconds)
    for unit_seconds, unit, below, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= unit_seconds:
            return f"{whole // unit_seconds}{unit} {whole % unit_seconds // below:02d}{small}"
    return f"{whole}s"


def number(count: int | None) -> str:
    """A count."""
    return UNKNOWN if count is None else str(count)


def known_sum(figures: Iterable[Any]) -> Any:  # noqa: ANN401 - of the type of its figures
    """The sum of the known figures; None if none is known."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
