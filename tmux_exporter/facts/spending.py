"""Facts about what agents spend: tokens by kind and model, requests, turns, tool calls, context.

A program writes what it spends into a file of its own. One line of such a file gives some of the events
below; an account adds them up, each thing once. Only numbers, model names and closed words: no text.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.prices import PRICES_AS_OF

PROGRAMS = ("claude", "codex", "gemini", "opencode", "pi")
"""The programs that have a source, by their names as agents."""

PRICES = "prices"
"""In the place of a program: the table of prices that the user names."""

LONGEST_LIMIT_SECONDS = 8 * 86_400.0
"""The longest window of a quota that is known has seven days."""


class TokenKind(StrEnum):
    """Kinds of tokens (closed list, a label). They are disjoint: input is what no cache had."""

    INPUT = "input"
    OUTPUT = "output"
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"


class ToolResult(StrEnum):
    """How a tool call of an agent ended (closed list, a label)."""

    OK = "ok"
    ERROR = "error"


class Exactness(StrEnum):
    """How an agent's file is known (closed list, a label).

    EXACT: the process itself names or holds it. UNIQUE: it is the only candidate. Of several candidates none
    is taken.
    """

    EXACT = "exact"
    UNIQUE = "unique"


class SpendingProblem(StrEnum):
    """Why something of an agent's file was not counted (closed list, a label)."""

    UNREADABLE = "unreadable"
    UNTRUSTED = "untrusted"
    MALFORMED = "malformed"
    LONG_LINE = "long_line"
    AMBIGUOUS = "ambiguous"


class Tokens(NamedTuple):
    """Tokens by kind, in the order of TokenKind; `reasoning` is a part of `output`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0

    def plus(self, more: "Tokens") -> "Tokens":
        """The sum, kind by kind."""
        return Tokens(*map(int.__add__, self, more))

    def less(self, others: "Tokens") -> "Tokens":
        """The difference, kind by kind, where it is positive."""
        return Tokens(*(max(0, one - other) for one, other in zip(self, others, strict=True)))

    def at_least(self, others: "Tokens") -> "Tokens":
        """The larger one of each kind."""
        return Tokens(*map(max, self, others))

    @property
    def by_kind(self) -> tuple[int, ...]:
        """Without `reasoning`: in the order of TokenKind."""
        return self[: len(TokenKind)]


class Cost(NamedTuple):
    """US dollars by the table of prices, tokens without a price there, and dollars by the program itself."""

    dollars: float = 0.0
    unpriced: int = 0
    own: float = 0.0

    def plus(self, more: "Cost") -> "Cost":
        """The sum."""
        return Cost(self.dollars + more.dollars, self.unpriced + more.unpriced, self.own + more.own)

    def less(self, others: "Cost") -> "Cost":
        """The difference, where it is positive."""
        return Cost(
            max(0.0, self.dollars - others.dollars),
            max(0, self.unpriced - others.unpriced),
            max(0.0, self.own - others.own),
        )


class CostSource(StrEnum):
    """Who says what something cost (closed list, a label)."""

    AGENT = "agent"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSeen:
    """What is known of one request to a model; a program may write it several times, with more each time.

    `context` is how much of the context window it filled, None where it says nothing of the main
    conversation. `usual`: it was served at the usual price, neither faster nor in a batch nor in one region.
    `dollars` is what the program itself says that it cost; 0 where it does not.
    """

    key: str
    model: str
    tokens: Tokens
    context: int | None = None
    usual: bool = True
    dollars: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalSeen:
    """What a whole conversation has spent so far; written again without a new request too."""

    model: str
    total: Tokens
    dollars: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSeen:
    """How full the context window is, and how large; None where the line does not tell."""

    tokens: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSeen:
    """The end of one tool call."""

    key: str
    result: ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneySeen:
    """What a process has cost, as it says itself, since it was first asked; `model` is the one in use."""

    model: str
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSeen:
    """How much of a window of the quota of its account is used, and when it is reset (wall time)."""

    window: str
    used_ratio: float
    reset: float | None = None


class Occasion(StrEnum):
    """What else a line can tell."""

    PROMPT = "prompt"
    TURN = "turn"
    COMPACTION = "compaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSeen:
    """A turn ended because the quota is used up; `reset` is when that ends (wall time), as the line says."""

    reset: float | None = None


Event = RequestSeen | TotalSeen | ContextSeen | ToolSeen | MoneySeen | QuotaSeen | LimitSeen | Occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The events of one line and when it was written (wall time)."""

    at: float
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a program was told last of one window (`5h`, `7d`) of the quota of its account.

    `used_ratio` is 1 where it is used up; `reset` and `observed` are wall times. After `reset` it
    says nothing.
    """

    used_ratio: float
    reset: float | None
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one process has spent since it started, as far as its files were read.

    `costs` are by model. Context, its window and the last prompt (wall time) are None
    where they are not known. `quotas` are by window. `limited_since`: its last turn ended then (wall time)
    because the quota is used up, and nothing was asked or answered since; `limit_reset` as LimitSeen says.
    """

    tokens: Mapping[str, Tokens] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    requests: int = 0
    turns: int = 0
    compactions: int = 0
    tool_calls: Mapping[ToolResult, int] = field(default_factory=dict)
    context_tokens: int | None = None
    context_window_tokens: int | None = None
    last_prompt: float | None = None
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    limited_since: float | None = None
    limit_reset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimit:
    """That an agent can do nothing because its quota is used up, as files say: since when (wall time).

    `until` is when the quota is reset, None where no file says so. `stopped`: its own last turn ended
    because of that; else only the quota of its account is known to be used up. `unread`: its files have not
    been read to their end yet, so that nobody knows.
    """

    since: float
    until: float | None
    stopped: bool
    unread: bool = False

    @property
    def latest_end(self) -> float:
        """When it is over at the latest: nobody stands at a limit for longer than the longest window."""
        return min(math.inf if self.until is None else self.until, self.since + LONGEST_LIMIT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountQuota:
    """One window of the quota of one account of a program; `used_ratio` is None once it has been reset."""

    program: str
    account: int
    window: str
    used_ratio: float | None
    reset: float | None
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpending:
    """What a source says of one agent's process: how it is known, and what the process has spent.

    `base` is what it had spent when it was first read; counters have only what came after that. A process
    that was started later has spent nothing then. `whole`: `spent` lacks nothing since the process started.
    `account` is the ordinal of the folder of its configuration: 0 for the usual one, the others as they are
    seen first. `untold` are the counts that its program does not write down.
    """

    exactness: Exactness
    spent: Spent
    base: Spent
    whole: bool = False
    account: int = 0
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpending:
    """What an agent has spent under its labels since the exporter saw it, and what it says of now.

    `tokens` are by kind and model, `reasoning_tokens` by model; both have a model from 0 on. What the tokens
    cost in dollars is by who says so, and (of both) by the state in which the agent was;
    `unpriced_tokens` have no price. Counts that the program does not write down are None, its tool calls then
    empty. `since_start` is what its process has spent since it started, all of it where it is `whole`, else
    at least that; it has the quotas too, of the `account` of its program (see ProcessSpending).
    """

    exactness: Exactness
    tokens: Mapping[tuple[str, str], int]
    reasoning_tokens: Mapping[str, int]
    cost_dollars: Mapping[CostSource, float]
    unpriced_tokens: int
    requests: int | None
    turns: int | None
    compactions: int | None
    tool_calls: Mapping[ToolResult, int]
    context_tokens: int | None
    context_window_tokens: int | None
    last_prompt_timestamp_seconds: float | None
    since_start: Spent = field(default_factory=Spent)
    whole: bool = False
    account: int = 0
    state_cost_dollars: Mapping[AgentState, float] = field(default_factory=dict)

    @property
    def session_tokens(self) -> Mapping[TokenKind, int] | None:
        """What its process has spent, by kind; None where some of it is not known."""
        if not self.whole:
            return None
        spent = (each.by_kind for each in self.since_start.tokens.values())
        return dict(zip(TokenKind, map(sum, zip((0,) * len(TokenKind), *spent, strict=True)), strict=True))

    @property
    def session_cost_dollars(self) -> Mapping[CostSource, float] | None:
        """By who says so; None where some of it is not known, or has no price."""
        costs = self.since_start.costs.values()
        if not self.whole or any(each.unpriced for each in costs):
            return None
        own = sum(each.own for each in costs)
        table = {CostSource.TABLE: sum(each.dollars for each in costs)}
        return table | ({CostSource.AGENT: own} if own else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpending:
    """What all agents of a tmux session have spent since the exporter saw them, those that are gone too."""

    tokens: Mapping[TokenKind, int]
    cost_dollars: Mapping[CostSource, float]
    unpriced_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingCounters:
    """What agents have spent by their labels (server, session, agent), and sessions by theirs.

    `prices_as_of` is the day of the table of prices in use; None where it could not be read.
    """

    agents: Mapping[tuple[str, str, str], AgentSpending] = field(default_factory=dict)
    sessions: Mapping[tuple[str, str], SessionSpending] = field(default_factory=dict)
    prices_as_of: str | None = PRICES_AS_OF
