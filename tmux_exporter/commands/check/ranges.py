"""Threshold ranges as in the guidelines of monitoring plugins: `10`, `10:`, `~:10`, `10:20`, `@10:20`."""

import math
import re
from dataclasses import dataclass

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(rf"(@?)(?:(~|{_NUMBER})?:)?({_NUMBER})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What raises an alert: values outside of `start` to `end`, or inside of them, both included.

    `text` is the range as it was given.
    """

    text: str
    start: float = 0.0
    end: float = math.inf
    inside: bool = False

    def alerts(self, value: float) -> bool:
        """Whether this value raises the alert."""
        return (self.start <= value <= self.end) is self.inside


def parse_range(text: str) -> Range:
    """The range of a text. Raises ValueError with the mend."""
    found = _RANGE.fullmatch(text)
    if not found or text in ("", "@"):
        raise ValueError(f"{text!r} is no range; write 10, 10:, ~:10, 10:20 or @10:20")
    mark, start, end = found.groups()
    made = Range(
        text=text,
        start=-math.inf if start == "~" else float(start or 0),
        end=math.inf if end is None else float(end),
        inside=bool(mark),
    )
    if made.start > made.end:
        raise ValueError(f"{text!r} ends before it begins; write the smaller number first")
    return made


def above(limit: float) -> Range:
    """Alerts above a limit, and below 0."""
    return Range(text=f"{limit:.12g}", end=limit)
