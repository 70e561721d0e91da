"""Format figures for a terminal; sum figures of which some may be unknown."""

from collections.abc import Iterable
from typing import Any

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
