"""Facts about what models cost: a price by kind of tokens, and a table of them with its day."""

from collections.abc import Mapping
from typing import NamedTuple

PRICES_AS_OF = "2026-12-01"
"""The day of our table of prices."""


class Price(NamedTuple):
    """Dollars per million tokens, in the order of TokenKind; None where that kind has no price."""

    input: float | None
    output: float | None
    cache_read: float | None
    cache_write_5m: float | None
    cache_write_1h: float | None


class ModelPrice(NamedTuple):
    """A price, and what the whole of a request costs with a prompt of more than `most` tokens."""

    price: Price
    most: int | None = None
    beyond: Price | None = None


class PriceTable(NamedTuple):
    """Prices by model; `as_of` is the day (ISO) of which they are, None of a table that could not be read."""

    as_of: str | None
    models: Mapping[str, ModelPrice]
