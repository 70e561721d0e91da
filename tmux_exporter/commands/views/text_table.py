"""Plain text tables for terminals: columns as wide as their widest cell, nothing cut."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple


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
