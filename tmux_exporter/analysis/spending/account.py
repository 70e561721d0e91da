"""What one process has spent, by the lines of its files: each request, tool call and total counts once.

A program writes a request several times, with more of its output each time, and copies it into other files of
the same process. So of each request the largest figure of each kind counts, and only what is new of it is
added. What was written before the process started is of another one, and not counted.
"""

import math
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Generic, TypeVar

from tmux_exporter.analysis.spending.prices import OURS, cost_of
from tmux_exporter.facts.prices import PriceTable
from tmux_exporter.facts.spending import (
    ContextSeen,
    Cost,
    Event,
    LimitSeen,
    Line,
    MoneySeen,
    Occasion,
    Quota,
    QuotaSeen,
    RequestSeen,
    Spent,
    Tokens,
    ToolResult,
    ToolSeen,
    TotalSeen,
)

MOST_MODELS = 8
"""Models of one process that have a name of their own; what others spend is that of `other`."""

_OTHER = "other"
_REMEMBERED = 256
"""Requests that may be written again: those of one answer and of subagents at work stand close together."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Recent(Generic[K, V]):
    """The values of the last keys."""

    def __init__(self, most: int) -> None:
        self._values: dict[K, V] = {}
        self._most = most

    def swap(self, key: K, value: V) -> V | None:
        """Keep a value; the one before."""
        before = self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]
        return before

    def get(self, key: K) -> V | None:
        return self._values.get(key)


class Account:
    """The account of one process; its conversations add to it."""

    def __init__(self, since: float, prices: PriceTable = OURS, *, remembered: int = _REMEMBERED) -> None:
        """`since` is the wall time at which the process started; `remembered` is of how many requests."""
        self.since, self.prices = since, prices
        self.at = since
        """When the line was written that is being counted."""

        self.until = math.inf
        self._tokens: dict[str, Tokens] = {}
        self._costs: dict[str, Cost] = {}
        self._requests: _Recent[str, RequestSeen] = _Recent(remembered)
        self._tools: _Recent[str, bool] = _Recent(remembered)
        self._counts = dict.fromkeys(("requests", "turns", "compactions"), 0)
        self._tool_calls = dict.fromkeys(ToolResult, 0)
        self._context: int | None = None
        self._context_at = since
        self._window: int | None = None
        self._last_prompt: float | None = None
        self._named: float | None = None
        self._quotas: dict[str, Quota] = {}
        self._limited: tuple[float, float | None] | None = None

    def close(self, until: float) -> None:
        """The process has ended: what was written from this wall time on is another one's."""
        self.until = until

    def spent(self) -> Spent:
        """All of it so far."""
        return Spent(
            tokens=dict(self._tokens),
            costs=dict(self._costs),
            **self._counts,
            tool_calls=dict(self._tool_calls),
            context_tokens=self._context,
            context_window_tokens=self._window,
            last_prompt=self._last_prompt,
            quotas=dict(self._quotas),
            limited_since=None if self._limited is None else self._limited[0],
            limit_reset=None if self._limited is None else self._limited[1],
        )

    def conversation(self, *, begins: float | None = None, whole: bool = True) -> "Conversation":
        """A file of the process; `begins` is when what it copies ends (wall time).

        `whole`: it is read from its first line. Without both its first total is not that of this process.
        """
        return Conversation(self, begins, whole=whole)

    def spend(self, model: str, tokens: Tokens, *, requests: int, cost: Cost) -> None:
        """Add tokens of a model and what they cost on the day on which they are read.

        Where the process says itself what it costs, no other price is added.
        """
        if self._named is not None and not cost.own:
            cost = Cost()
        if model not in self._tokens and len(self._tokens) >= MOST_MODELS:
            model = _OTHER
        self._tokens[model] = self._tokens.get(model, Tokens()).plus(tokens)
        self._costs[model] = self._costs.get(model, Cost()).plus(cost)
        self._counts["requests"] += requests

    def add(self, at: float, event: Event) -> None:
        """Count one event of the wall time `at`."""
        match event:
            case RequestSeen():
                self._request(event)
                self._fill(at, event.context)
                self._go_on(at)
            case ContextSeen(tokens=context, window=window):
                self._fill(at, context)
                self._window = window if window is not None else self._window
            case ToolSeen(key=key, result=result):
                if self._tools.swap(key, True) is None:
                    self._tool_calls[result] += 1
            case Occasion.PROMPT:
                self._last_prompt = max(at, self._last_prompt or at)
                self._go_on(at)
            case MoneySeen(model=model, dollars=dollars):
                before, self._named = self._named or 0.0, max(dollars, self._named or 0.0)
                self.spend(model, Tokens(), requests=0, cost=Cost(own=self._named - before))
            case LimitSeen(reset=reset):
                if self._limited is None or at >= self._limited[0]:
                    self._limited = at, reset
            case QuotaSeen(window=window, used_ratio=used, reset=reset):
                known = self._quotas.get(window)
                if known is None or at >= known.observed:
                    self._quotas[window] = Quota(used_ratio=used, reset=reset, observed=at)
            case Occasion.TURN:
                self._counts["turns"] += 1
            case Occasion.COMPACTION:
                self._counts["compactions"] += 1
                # What is left of the context is known with the next request.
                self._context, self._context_at = None, at
            case TotalSeen():
                raise TypeError("a total is counted by its conversation")

    def _request(self, seen: RequestSeen) -> None:
        known = self._requests.get(seen.key)
        before = known.tokens if known is not None else Tokens()
        most = seen.tokens.at_least(before)
        dollars = max(seen.dollars, known.dollars if known is not None else 0.0)
        self._requests.swap(seen.key, replace(seen, tokens=most, dollars=dollars))
        new = most.less(before)
        if dollars:
            # What the program itself says of all of it.
            cost = Cost(own=dollars - (known.dollars if known is not None else 0.0))
        elif seen.usual:
            cost = cost_of(self.prices, seen.model, new, sum(most.by_kind) - most.output)
        else:
            cost = Cost(unpriced=sum(new.by_kind))
        self.spend(seen.model, new, requests=known is None, cost=cost)

    def _go_on(self, at: float) -> None:
        """Something was asked or answered: a limit that was reached before is over, or is told again."""
        if self._limited is not None and at > self._limited[0]:
            self._limited = None

    def _fill(self, at: float, context: int | None) -> None:
        if context is not None and at >= self._context_at:
            self._context, self._context_at = context, at


class Conversation:
    """One file of an account; call `observe` for its lines in order, and `again` where it is read anew."""

    def __init__(self, account: Account, begins: float | None, *, whole: bool) -> None:
        self._account = account
        self._from = account.since if begins is None else max(begins, account.since)
        self._total = (Tokens(), 0.0) if whole and begins is not None else None
        self._latest = self._from

    def observe(self, lines: Iterable[Line]) -> None:
        """Count these lines."""
        for line in lines:
            counts = self._from <= line.at < self._account.until
            self._account.at = line.at
            for event in line.events:
                if isinstance(event, TotalSeen):
                    self._observe_total(event, counts=counts)
                elif counts:
                    self._account.add(line.at, event)
            self._latest = max(self._latest, line.at)

    def again(self) -> None:
        """From here on it is read anew: what was written up to the last line that was read is known."""
        self._from = self._latest + 0.001 if self._latest > self._from else self._from

    def _observe_total(self, event: TotalSeen, *, counts: bool) -> None:
        before, self._total = self._total, (event.total, event.dollars)
        if before is None or not counts:
            return
        tokens, dollars = before
        fell = tokens.less(event.total) != Tokens() or event.dollars < dollars
        # A total that falls was replaced: by an estimate when the window was full, and for another process.
        if fell or before == self._total:
            return
        new, own = event.total.less(tokens), event.dollars - dollars
        cost = Cost(own=own) if own else cost_of(self._account.prices, event.model, new, None)
        self._account.spend(event.model, new, requests=int(new != Tokens()), cost=cost)
