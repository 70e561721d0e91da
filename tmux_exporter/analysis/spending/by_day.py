"""What the user's programs have spent, by day: of all their files, each request once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.facts.prices import PriceTable
from tmux_exporter.facts.spending import Cost, Tokens

_ALL = 1 << 40
"""Files copy from each other: no request is forgotten."""


@dataclass(slots=True)
class Day:
    """What one day has cost."""

    requests: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    cost: Cost = field(default_factory=Cost)


class DayAccount(Account):
    """An account of all processes of a program, by the days of `day_of` (a day by a wall time)."""

    def __init__(self, since: float, prices: PriceTable, day_of: Callable[[float], str]) -> None:
        super().__init__(since, prices, remembered=_ALL)
        self.days: dict[str, Day] = {}
        self._day_of = day_of

    def spend(self, model: str, tokens: Tokens, *, requests: int, cost: Cost) -> None:  # noqa: ARG002
        """As Account says."""
        day = self.days.setdefault(self._day_of(self.at), Day())
        day.requests += requests
        day.tokens, day.cost = day.tokens.plus(tokens), day.cost.plus(cost)
