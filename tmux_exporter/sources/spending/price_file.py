"""Read the table of prices that the user names: JSON in the form of LiteLLM's table.

Dollars per token by kind; a model whose prices are not all numbers has none. Nothing is fetched, and nothing
of the file but names of models, numbers and its day is kept.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.facts.prices import ModelPrice, Price, PriceTable
from tmux_exporter.facts.spending import SpendingProblem
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.spending.follow import NotFollowedError

LARGEST = 32 * 1024 * 1024
_DEAREST = 1.0
"""Dollars for one token: more is a mistake of the unit."""

_KINDS = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
)
"""In the order of TokenKind."""

_BEYOND = re.compile(r"(?:input|output)_cost_per_token_above_(\d{1,5})k_tokens")


def read_prices(path: str, uid: int) -> PriceTable:
    """The table in a file of `uid` or of root. Raises NotFollowedError."""
    try:
        with opened(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY) as descriptor:
            found = os.fstat(descriptor)
            if (
                not stat.S_ISREG(found.st_mode)
                or found.st_uid not in (uid, 0)
                or found.st_mode & stat.S_IWOTH
            ):
                raise NotFollowedError(SpendingProblem.UNTRUSTED)
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(LARGEST + 1)
    except OSError:
        raise NotFollowedError(SpendingProblem.UNREADABLE) from None
    try:
        if len(content) > LARGEST:
            raise ValueError("too large")
        document = strict_json.record(strict_json.parse(content))
        as_of = (
            document.pop("prices_as_of", None) or f"{datetime.fromtimestamp(found.st_mtime, UTC):%Y-%m-%d}"
        )
        table = PriceTable(as_of=date.fromisoformat(as_of).isoformat(), models=dict(_rows(document)))
    except (ValueError, TypeError):
        raise NotFollowedError(SpendingProblem.MALFORMED) from None
    if not table.models:
        raise NotFollowedError(SpendingProblem.MALFORMED)
    return table


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, ModelPrice]]:
    for name, row in document.items():
        try:
            if isinstance(row, dict) and row.get(_KINDS[0]) is not None:
                yield name, _row(row)
        except ValueError:
            continue


def _row(row: Mapping[str, Any]) -> ModelPrice:
    """The prices of a model. Raises ValueError where they are none, or of more steps than one."""
    usual = [_price(row, each) for each in _KINDS]
    steps = {found.group(1) for name in row if (found := _BEYOND.fullmatch(name))}
    if not steps:
        return ModelPrice(Price(*usual))
    (step,) = steps
    # A kind without a price of its own there keeps its usual one.
    beyond = [_price(row, f"{each}_above_{step}k_tokens") for each in _KINDS]
    dear = (new if new is not None else old for new, old in zip(beyond, usual, strict=True))
    return ModelPrice(Price(*usual), int(step) * 1000, Price(*dear))


def _price(row: Mapping[str, Any], name: str) -> float | None:
    """Dollars per million tokens."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _DEAREST:
        raise ValueError(f"{name} is no price")
    return value * 1e6
