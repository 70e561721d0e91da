"""Counters of what agents spend, under their labels. They start at 0, never fall, and are never priced again.

They follow the labels of an agent, as its CPU counters do: what a process has spent between two samples goes
to the labels that it has at the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tmux_exporter.analysis.label_expiry import LabelExpiry
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import (
    AgentSpending,
    Cost,
    CostSource,
    Exactness,
    ProcessSpending,
    SessionSpending,
    SpendingCounters,
    Spent,
    TokenKind,
    Tokens,
    ToolResult,
)

Labels = tuple[str, str, str]
ByKind = tuple[str, str]


_FREE = Cost()


@dataclass(slots=True)
class _Counts:
    """`new` are the kinds and models that this sample is the first to have: they show 0.

    `exactness` is how the file of its last process was known.
    """

    tokens: dict[ByKind, int] = field(default_factory=dict)
    reasoning: dict[str, int] = field(default_factory=dict)
    cost: Cost = _FREE
    requests: int = 0
    turns: int = 0
    compactions: int = 0
    tool_calls: dict[ToolResult, int] = field(default_factory=lambda: dict.fromkeys(ToolResult, 0))
    new: frozenset[ByKind | str] = frozenset()
    exactness: Exactness = Exactness.EXACT
    untold: frozenset[str] = frozenset()
    by_state: dict[AgentState, float] = field(default_factory=dict)

    def add(self, now: Spent, before: Spent, state: AgentState | None) -> tuple[Tokens, Cost]:
        """Count what is new; returns it."""
        new, dollars = Tokens(), _FREE
        known = self._keys()
        for model, tokens in now.tokens.items():
            spent = tokens.less(before.tokens.get(model, Tokens()))
            new = new.plus(spent)
            for kind, count in zip(TokenKind, spent.by_kind, strict=True):
                if count or (kind, model) in self.tokens:
                    self.tokens[kind, model] = self.tokens.get((kind, model), 0) + count
            if spent.reasoning or model in self.reasoning:
                self.reasoning[model] = self.reasoning.get(model, 0) + spent.reasoning
        for model, cost in now.costs.items():
            dollars = dollars.plus(cost.less(before.costs.get(model, _FREE)))
        self.cost = self.cost.plus(dollars)
        if state is not None:
            self.by_state[state] = self.by_state.get(state, 0.0) + dollars.dollars + dollars.own
        self.requests += max(0, now.requests - before.requests)
        self.turns += max(0, now.turns - before.turns)
        self.compactions += max(0, now.compactions - before.compactions)
        for result in ToolResult:
            more = now.tool_calls.get(result, 0) - before.tool_calls.get(result, 0)
            self.tool_calls[result] += max(0, more)
        self.new |= self._keys() - known
        return new, dollars

    def _keys(self) -> frozenset[ByKind | str]:
        own = (CostSource.AGENT,) if self.cost.own else ()
        return frozenset((*self.tokens, *self.reasoning, *own))


class SpendingCounts:
    """The counters; call `observe` once per sample, in order."""

    def __init__(self) -> None:
        self._counts: dict[Labels, _Counts] = {}
        self._last: Mapping[ProcessId, Spent] = {}
        self._labels: dict[ProcessId, Labels] = {}
        self._expiry: LabelExpiry[Labels] = LabelExpiry()
        self._sessions: dict[tuple[str, str], tuple[Tokens, Cost]] = {}

    def observe(
        self,
        found: Mapping[ProcessId, ProcessSpending],
        agents: Mapping[Labels, ProcessId | None],
        at: float,
        states: Mapping[Labels, AgentState] = MappingProxyType({}),
    ) -> SpendingCounters:
        """Count one sample taken at the monotonic time `at`; what each agent shows whose file is known.

        `agents` are the processes of agents by the labels under which they are shown. One that does not run
        shows the counters of its labels; what its process spent last goes to these too. Those of a session
        are there as long as one of its agents is.
        """
        before, self._last = self._last, {process: each.spent for process, each in found.items()}
        current = {process: labels for labels, process in agents.items() if process is not None}
        self._labels = {
            process: labels
            for process, labels in {**self._labels, **current}.items()
            if process in found or process in current
        }
        shown: dict[Labels, AgentSpending] = {}
        for counts in self._counts.values():
            counts.new = frozenset()
        for root, spending in found.items():
            if (owner := self._labels.get(root)) is not None:
                counts = self._counts.setdefault(owner, _Counts())
                counts.exactness, counts.untold = spending.exactness, spending.untold
                new = counts.add(spending.spent, before.get(root, spending.base), states.get(owner))
                tokens, cost = self._sessions.get(owner[:2], (Tokens(), _FREE))
                self._sessions[owner[:2]] = tokens.plus(new[0]), cost.plus(new[1])
        for labels, process in agents.items():
            if (of := self._counts.get(labels)) is not None and (process is None or process in found):
                shown[labels] = _shown(of, found.get(process) if process is not None else None)
        for labels in self._expiry.expired(self._counts, shown.keys(), at):
            del self._counts[labels]
        kept = {labels[:2] for labels in self._counts}
        self._sessions = {session: spent for session, spent in self._sessions.items() if session in kept}
        return SpendingCounters(
            agents=shown,
            sessions={
                session: SessionSpending(
                    tokens=dict(zip(TokenKind, tokens.by_kind, strict=True)),
                    cost_dollars={CostSource.TABLE: cost.dollars}
                    | ({CostSource.AGENT: cost.own} if cost.own else {}),
                    unpriced_tokens=cost.unpriced,
                )
                for session, (tokens, cost) in self._sessions.items()
            },
        )


def _shown(counts: _Counts, spending: ProcessSpending | None) -> AgentSpending:
    new, spent, untold = counts.new, spending.spent if spending else Spent(), counts.untold
    dollars = {CostSource.TABLE: counts.cost.dollars}
    if counts.cost.own:
        dollars[CostSource.AGENT] = 0.0 if CostSource.AGENT in new else counts.cost.own
    return AgentSpending(
        exactness=counts.exactness,
        tokens={key: 0 if key in new else count for key, count in counts.tokens.items()},
        reasoning_tokens={model: 0 if model in new else count for model, count in counts.reasoning.items()},
        cost_dollars=dollars,
        unpriced_tokens=counts.cost.unpriced,
        requests=None if "requests" in untold else counts.requests,
        turns=None if "turns" in untold else counts.turns,
        compactions=None if "compactions" in untold else counts.compactions,
        tool_calls={} if "tool_calls" in untold else dict(counts.tool_calls),
        context_tokens=spent.context_tokens,
        context_window_tokens=spent.context_window_tokens,
        last_prompt_timestamp_seconds=spent.last_prompt,
        since_start=spent,
        whole=spending is not None and spending.whole,
        account=spending.account if spending else 0,
        state_cost_dollars=dict(counts.by_state),
    )
