"""Conditions of a policy (`when`) on figures of a target, with hysteresis and rates; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import AgentReport, Report, TreeProcess
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.policies.metrics import FIGURES
from tmux_exporter.remediator.policies.policy import Condition, When

_POINTS = 32
"""The most points kept for one rate window."""

_WHOLE = 0.9
"""A rate is known once this share of its window has been observed."""


class Point(NamedTuple):
    """A figure at a monotonic time; of an agent also what each of its processes had of it."""

    at: float
    value: float
    shares: Mapping[ProcessId, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionState:
    """The state of one condition: latched or not, its value now, and the points of a rate.

    `value` is compared with the bounds; None if unknown now. `shares` is what each process of an agent has of
    it, where that is known.
    """

    latched: bool = False
    value: float | None = None
    points: tuple[Point, ...] = ()
    shares: Mapping[ProcessId, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None if unknown now."""
        return None if self.value is None else self.latched


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStates:
    """The states of all conditions of one target.

    `seen_at` is the time of the last sample, `labels` are the labels in that sample.
    """

    seen_at: float
    labels: tuple[str, ...] = ()
    condition_states: tuple[ConditionState, ...] = field(default=())

    def verdict(self, when: When) -> bool | None:
        """Whether the conditions hold; None if unknown now."""
        states = [each.holds for each in self.condition_states]
        decided = when.one_is_enough
        if decided in states:
            return decided
        return None if None in states else not decided

    def held(self, when: When) -> tuple[tuple[Condition, ConditionState], ...]:
        """The conditions that hold, each with its state."""
        pairs = zip(when.conditions, self.condition_states, strict=True)
        return tuple((condition, each) for condition, each in pairs if each.holds)

    def readings(self, when: When) -> tuple[tuple[Condition, float], ...]:
        """The conditions that hold, each with the value that it is about."""
        return tuple((condition, each.value) for condition, each in self.held(when) if each.value is not None)


def evaluate(
    when: When, candidate: TargetCandidate, report: Report, before: ConditionStates | None, now: float
) -> ConditionStates:
    """The states after one more sample."""
    known = before.condition_states if before is not None else (ConditionState(),) * len(when.conditions)
    if before is not None and before.labels != candidate.labels:
        known = tuple(replace(each, points=()) for each in known)
    return ConditionStates(
        seen_at=now,
        labels=candidate.labels,
        condition_states=tuple(
            _step(
                condition,
                each,
                _value(condition, candidate, report),
                _shares(condition, candidate, report),
                now,
            )
            for condition, each in zip(when.conditions, known, strict=True)
        ),
    )


def _value(condition: Condition, candidate: TargetCandidate, report: Report) -> float | None:
    figure = FIGURES[condition.metric]
    if figure.kind is candidate.target.kind:
        return figure.read(candidate.subject, report.timestamp)
    if figure.kind is not TargetKind.SERVER:
        return None
    servers = [each for each in report.servers if each.server == candidate.target.server]
    return figure.read(servers[0], report.timestamp) if servers else None


def tree_of(candidate: TargetCandidate, report: Report) -> tuple[TreeProcess, ...]:
    """The processes of an agent; none where they are not known, and of every other target."""
    subject = candidate.subject
    if not isinstance(subject, AgentReport) or subject.process is None:
        return ()
    return report.trees.get(subject.process, ())


def _shares(condition: Condition, candidate: TargetCandidate, report: Report) -> dict[ProcessId, float]:
    figure = FIGURES[condition.metric]
    if not figure.is_held:
        return {}
    found = ((each.process, figure.read_one(each)) for each in tree_of(candidate, report))
    return {process: value for process, value in found if value is not None}


def _step(
    condition: Condition,
    evaluate: ConditionState,
    value: float | None,
    shares: Mapping[ProcessId, float],
    now: float,
) -> ConditionState:
    if condition.rate_over is not None:
        points = _points(evaluate.points, value, shares, condition.rate_over, now)
        evaluate = replace(evaluate, points=points)
        value = _rate(points, value, condition.rate_over, now)
        shares = {} if value is None else _rates(points[0], shares, now)
    evaluate = replace(evaluate, shares=shares)
    if value is None:
        return replace(evaluate, value=None)
    latched = value > condition.above or (evaluate.latched and value >= condition.clear_below)
    return replace(evaluate, latched=latched, value=value)


def _points(
    points: tuple[Point, ...],
    value: float | None,
    shares: Mapping[ProcessId, float],
    over: float,
    now: float,
) -> tuple[Point, ...]:
    """The points of a rate with one more, each at least a part of its time apart, none older than it."""
    if value is None:
        return points
    kept = tuple(each for each in points if now - each.at <= over)
    if not kept or now - kept[-1].at >= over / _POINTS:
        kept = (*kept, Point(now, value, shares))
    return kept


def _rate(points: tuple[Point, ...], value: float | None, over: float, now: float) -> float | None:
    if value is None or not points or now - points[0].at < _WHOLE * over:
        return None
    return (value - points[0].value) / (now - points[0].at)


def _rates(first: Point, shares: Mapping[ProcessId, float], now: float) -> dict[ProcessId, float]:
    """How fast the share of each process grows; one that started since began with nothing."""
    newest = max((each.start_ticks for each in first.shares), default=0)
    span = now - first.at
    return {
        process: (value - first.shares.get(process, 0.0)) / span
        for process, value in shares.items()
        if process in first.shares or process.start_ticks > newest
    }
