"""State between decision cycles, and the decisions of a cycle: frozen facts, no logic.

All times are monotonic seconds unless something else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Refusal
from tmux_exporter.remediator.decide.breaker import BreakerState
from tmux_exporter.remediator.decide.candidates import Key, TargetCandidate
from tmux_exporter.remediator.decide.conditions import ConditionStates
from tmux_exporter.remediator.decide.culprit import Culprit
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.policy import Condition, LadderStep, Policy

Readings = tuple[tuple[Condition, float], ...]
"""Conditions that hold, each with the value that it is about."""


class Retry(NamedTuple):
    """A refused step that is taken again: its place in the ladder, when, and how often it was refused."""

    place: int
    at: float
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTarget:
    """What is remembered of one match.

    `since` is the first complete sample that showed it, `judged_at` the last one that counted, `seen_at` the
    last cycle in which it matched. `rung` is the next step of the ladder, `rung_at` when the one before was
    taken. `acted_at` is when its end was last asked for, `survived` that it was signalled in vain then;
    `before` is what these two were until then, should nothing have been signalled. `refused` is how often in
    a row that was so, and before `retry_at` it is not tried again. `refusal` is the last reason to leave it
    alone: each is reported once. `culprit` is who held its figures in the last sample, without a break since
    `culprit_since`. `retries` are refused steps that the ladder has left behind.
    """

    since: float
    judged_at: float
    seen_at: float
    observations: int = 0
    rung: int = 0
    rung_at: float | None = None
    acted_at: float | None = None
    survived: bool = False
    before: tuple[float | None, bool] = (None, False)
    refused: int = 0
    retry_at: float | None = None
    refusal: Refusal | None = None
    culprit: ProcessId | None = None
    culprit_since: float = 0.0
    retries: tuple[Retry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What is remembered for one policy; `stops` are those that its budgets still count."""

    watches: Mapping[Key, WatchedTarget] = field(default_factory=dict)
    condition_states: Mapping[Key, ConditionStates] = field(default_factory=dict)
    stops: tuple[tuple[float, Key], ...] = ()
    breaker_state: BreakerState = field(default_factory=BreakerState)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one cycle hands to the next.

    `since` is when the remediator started, or the clock was last set (`jumped`); `offset` is wall minus
    monotonic time; `stops` are those of all policies that the total still counts.
    """

    since: float
    offset: float
    jumped: bool = False
    policies: Mapping[str, PolicyState] = field(default_factory=dict)
    stops: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An action for a match, or (`refusal`) to leave it alone; each refusal is reported once.

    A STOP and a KILL have their `order`, every other action its `rung`. `held` is for how many seconds it has
    matched, `readings` are the conditions that hold with the values that they are about, `culprit` is who
    holds these figures of an agent. `refused` is how often the act of this step was refused before.
    """

    policy: Policy
    candidate: TargetCandidate
    action: Action | None = None
    rung: LadderStep | None = None
    refusal: Refusal | None = None
    order: Order | None = None
    held: float = 0.0
    readings: Readings = ()
    culprit: Culprit | None = None
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One cycle: what to do in this order, how many each policy matched, and what the next one has to know.

    `plan` is everything whose time has come and that nothing forbids but a budget, a number or a person's
    word: what a person may agree to. `opened` are the policies whose breaker is open.
    """

    decisions: tuple[Decision, ...]
    matches: Mapping[str, int]
    blind: bool
    state: State
    plan: tuple[Order, ...] = ()
    opened: frozenset[str] = frozenset()
