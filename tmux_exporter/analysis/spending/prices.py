"""What models cost: a small table with its day and source, for estimates where a program names no money.

US dollars per million tokens, each row from LiteLLM 1.110.2 (MIT), read on PRICES_AS_OF. Nothing is fetched.
A model that is not in it has no price, and no other one's. A table that the user names replaces it whole.
"""

import re
from collections.abc import Mapping

from tmux_exporter.facts.prices import PRICES_AS_OF, ModelPrice, Price, PriceTable
from tmux_exporter.facts.spending import Cost, Tokens

_DATED = re.compile(r"(?:-20[0-9]{6}|-20[0-9]{2}-[0-9]{2}-[0-9]{2}|@[0-9]+)?(?:\[1m\])?$")
"""What a name may have behind that of the model: the day of a release, and the size of its window."""


def cost_of(table: PriceTable, model: str, tokens: Tokens, prompt: int | None) -> Cost:
    """What tokens of a request with a prompt of this size cost; None: its size is not known."""
    row = table.models.get(model) or table.models.get(_DATED.sub("", model))
    if row is None or (prompt is None and row.most is not None):
        return Cost(0.0, sum(tokens.by_kind))
    dear = row.most is not None and prompt is not None and prompt > row.most
    price = row.beyond if dear and row.beyond is not None else row.price
    each = list(zip(tokens.by_kind, price, strict=True))
    return Cost(
        sum(count * per_million for count, per_million in each if per_million is not None) / 1e6,
        sum(count for count, per_million in each if per_million is None),
    )


MODELS: Mapping[str, ModelPrice] = {
    "claude-fable-5": ModelPrice(Price(10, 50, 1, 12.5, 20)),
    "claude-fable-5-1": ModelPrice(Price(10, 50, 0.25, 12.5, 20)),
    "claude-haiku-4-5": ModelPrice(Price(1, 5, 0.1, 1.25, 2)),
    "claude-haiku-5-5": ModelPrice(
        Price(0.1, 0.5, 0.01, 0.125, 0.2), 100_000, Price(0.5, 2.5, 0.05, 0.625, 1)
    ),
    "claude-mythos-5": ModelPrice(Price(10, 50, 1, 12.5, 20)),
    "claude-mythos-5-1": ModelPrice(Price(10, 50, 0.25, 12.5, 20)),
    "claude-opus-4-5": ModelPrice(Price(5, 25, 0.5, 6.25, 10)),
    "claude-opus-4-6": ModelPrice(Price(5, 25, 0.5, 6.25, 10)),
    "claude-opus-4-7": ModelPrice(Price(5, 25, 0.5, 6.25, 10)),
    "claude-opus-4-8": ModelPrice(Price(5, 25, 0.5, 6.25, 10)),
    "claude-opus-5": ModelPrice(Price(5, 25, 0.5, 6.25, 10)),
    "claude-opus-5-5": ModelPrice(Price(4, 20, 0.2, 5, 8)),
    "claude-sonnet-4-5": ModelPrice(Price(3, 15, 0.3, 3.75, 6)),
    "claude-sonnet-4-6": ModelPrice(Price(3, 15, 0.3, 3.75, 6)),
    "claude-sonnet-5": ModelPrice(Price(2, 10, 0.2, 2.5, 4)),
    "claude-sonnet-5-5": ModelPrice(Price(2, 10, 0.1, 2.5, 4)),
    "gpt-5": ModelPrice(Price(1.25, 10, 0.125, None, None)),
    "gpt-5-codex": ModelPrice(Price(1.25, 10, 0.125, None, None)),
    "gpt-5-mini": ModelPrice(Price(0.25, 2, 0.025, None, None)),
    "gpt-5-nano": ModelPrice(Price(0.05, 0.4, 0.005, None, None)),
    "gpt-5-pro": ModelPrice(Price(15, 120, None, None, None)),
    "gpt-5.1": ModelPrice(Price(1.25, 10, 0.125, None, None)),
    "gpt-5.1-codex": ModelPrice(Price(1.25, 10, 0.125, None, None)),
    "gpt-5.1-codex-max": ModelPrice(Price(1.25, 10, 0.125, None, None)),
    "gpt-5.1-codex-mini": ModelPrice(Price(0.25, 2, 0.025, None, None)),
    "gpt-5.2": ModelPrice(Price(1.75, 14, 0.175, None, None)),
    "gpt-5.2-codex": ModelPrice(Price(1.75, 14, 0.175, None, None)),
    "gpt-5.2-pro": ModelPrice(Price(21, 168, None, None, None)),
    "gpt-5.3-codex": ModelPrice(Price(1.75, 14, 0.175, None, None)),
    "gpt-5.4": ModelPrice(Price(2.5, 15, 0.25, None, None), 272_000, Price(5, 22.5, 0.5, None, None)),
    "gpt-5.4-mini": ModelPrice(Price(0.75, 4.5, 0.075, None, None)),
    "gpt-5.4-nano": ModelPrice(Price(0.2, 1.25, 0.02, None, None)),
    "gpt-5.4-pro": ModelPrice(Price(30, 180, None, None, None), 272_000, Price(60, 270, None, None, None)),
    "gpt-5.5": ModelPrice(Price(5, 30, 0.5, None, None), 272_000, Price(10, 45, 1, None, None)),
    "gpt-5.5-pro": ModelPrice(Price(30, 180, None, None, None), 272_000, Price(60, 270, None, None, None)),
    "gpt-5.6": ModelPrice(Price(4, 20, 0.4, 5, None), 272_000, Price(8, 30, 0.8, 10, None)),
    "gpt-5.6-luna": ModelPrice(Price(0.2, 1.2, 0.02, 0.25, None), 272_000, Price(0.4, 1.8, 0.04, 0.5, None)),
    "gpt-5.6-sol": ModelPrice(Price(4, 20, 0.4, 5, None), 272_000, Price(8, 30, 0.8, 10, None)),
    "gpt-5.6-terra": ModelPrice(Price(2, 12, 0.2, 2.5, None), 272_000, Price(4, 18, 0.4, 5, None)),
    "o3": ModelPrice(Price(2, 8, 0.5, None, None)),
    "o3-mini": ModelPrice(Price(1.1, 4.4, 0.55, None, None)),
    "o3-pro": ModelPrice(Price(20, 80, None, None, None)),
    "o4-mini": ModelPrice(Price(1.1, 4.4, 0.275, None, None)),
}

OURS = PriceTable(as_of=PRICES_AS_OF, models=MODELS)
