"""Strict JSON: values of files and answers, each accepted only if it is of the expected type.

Raises TypeError for a value of another type, and for a number beyond what a float holds.
"""

import json
import math
from typing import Any

from tmux_exporter.facts.process import ProcessId


def parse(content: bytes) -> object:
    """The value that a text holds. Raises ValueError where it is no JSON or nested too deep."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deep") from None


def document(content: bytes, version: int) -> dict[str, Any]:
    """The object in a file. Raises ValueError where it is none, or of another version."""
    found = parse(content)
    if not isinstance(found, dict) or found.get("version") != version:
        raise ValueError(f"not of version {version}")
    return found


def record(value: object) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def array(value: object) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def flag(value: object) -> bool:
    """True or false; never 1 or 0."""
    if not isinstance(value, bool):
        raise TypeError("no truth value")
    return value


def count(value: object) -> int:
    """A whole number from 0 on that 63 bits hold; never true."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise TypeError("no count")
    return value


def number(value: object) -> float:
    """A finite number; never true."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    try:
        found = float(value)
    except OverflowError:
        raise TypeError("no number") from None
    if not math.isfinite(found):
        raise TypeError("no number")
    return found


def process(value: object) -> ProcessId:
    """A process, as the array of its pid and its start."""
    found = array(value)
    if len(found) != 2:
        raise TypeError("no process")
    return ProcessId(count(found[0]), count(found[1]))
