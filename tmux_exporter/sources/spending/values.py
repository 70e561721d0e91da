"""Values of lines that programs write: times, counts, names of models; accepted in their known form only."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.sources.agents.limit_end import limit_end

OTHER_MODEL = "other"
"""The name of a model that is not one that we would show."""

_MODEL = re.compile(r"(?!arn:)[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}(?:@[0-9]{1,8})?(?:\[[0-9]{1,4}[a-z]\])?")
"""No name of a resource in somebody's account, and no mail."""

_MOST_TEXT = 500

_MOST = 1 << 40
"""Tokens of one request or conversation; more is a mistake."""


def parsed(line: bytes) -> dict[str, Any]:
    """The object of a line. Raises ValueError where it is none."""
    try:
        return strict_json.record(strict_json.parse(line))
    except TypeError as error:
        raise ValueError(str(error)) from None


def time_of(record: Mapping[str, Any]) -> float | None:
    """The wall time at which a line was written; None where it has none."""
    text = record.get("timestamp")
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None


def tokens(record: Mapping[str, Any], name: str) -> int:
    """A count of tokens; 0 where there is none. Raises ValueError for what is no count."""
    value = record.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"{name} is no count")
    return value


def number(record: Mapping[str, Any], name: str) -> float | None:
    """A number that is not negative; None where there is none. Raises ValueError for what is no number."""
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise ValueError(f"{name} is no number")
    return float(value)


def output_of(prompt: int, output: int, reasoning: int, total: int) -> int:
    """The output with its reasoning: some services count it in their output, some beside it."""
    return output + reasoning if prompt + output + reasoning <= total else output


def window(minutes: int) -> str:
    """The name of a window of a quota by its length: `5h`, `7d`."""
    for unit, length in (("d", 1440), ("h", 60)):
        if minutes % length == 0:
            return f"{minutes // length}{unit}"
    return f"{minutes}m"


def reset_of(text: object, at: float) -> float | None:
    """When a limit ends that a message of the program itself tells of, written at `at`; None if it does not.

    The message is a text, or blocks of them. Nothing of it is kept.
    """
    first = text[0] if isinstance(text, list) and text else text
    words = first.get("text") if isinstance(first, dict) else first
    return limit_end([words[:_MOST_TEXT]], at) if isinstance(words, str) else None


def model(value: object) -> str:
    """The name of a model as a label: one that is not of the usual form becomes `other`."""
    return value if isinstance(value, str) and _MODEL.fullmatch(value) else OTHER_MODEL


def part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within an object; an empty one where there is none."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def key(value: object) -> str:
    """The identity of a request or call; empty where it has none of a usual form."""
    return value if isinstance(value, str) and 0 < len(value) <= 128 else ""
