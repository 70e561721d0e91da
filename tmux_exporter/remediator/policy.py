"""From reports to decisions, one cycle after the other; pure.

What is decided depends on the reports and the clocks alone, never on whether anything is carried out: to
observe and to enforce is one and the same up to the signal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tmux_exporter.model import SchedulerState
from tmux_exporter.remediation import Action, Method, Refusal, Signal
from tmux_exporter.remediator.order import Order, Stage, scheduler_target
from tmux_exporter.remediator.rules import Policy
from tmux_exporter.remediator.vetoes import (
    Case,
    Moment,
    Pair,
    is_in_scope,
    is_match,
    pair_of,
    refusal,
    sees_its_servers,
)
from tmux_exporter.report import Report, SchedulerReport

OBSERVATIONS = 2
"""Complete looks of their own that must have shown it orphaned before anything is said of it."""

_CYCLE_SHARE = 0.8
"""Samples come a little early or late: looks this part of an interval apart are of two cycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one match; all times are monotonic.

    `since` is the first complete look that showed it, `judged_at` the last one that counted, and `seen_at`
    the last cycle in which it matched. `refusal` is the last reason to leave it alone: each is told once.
    """

    since: float
    judged_at: float
    seen_at: float
    observations: int = 0
    warned_at: float | None = None
    stopped_at: float | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one cycle hands to the next.

    `since` is when the remediator started, or the clock was last set (`jumped`); `offset` is wall minus
    monotonic time; `stops` are the times of the stops that the budget still counts.
    """

    since: float
    offset: float
    jumped: bool = False
    watches: Mapping[Pair, Watch] = field(default_factory=dict)
    stops: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """To do something with a match, or (`refusal`) to leave it alone, told once as long as that stays so.

    A STOP has its `order`.
    """

    scheduler: SchedulerReport
    action: Action | None = None
    refusal: Refusal | None = None
    order: Order | None = None

    @property
    def pair(self) -> Pair:
        """Its two processes."""
        return pair_of(self.scheduler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One cycle: what to do in this order, how many matched, and what the next cycle has to know."""

    decisions: tuple[Decision, ...]
    matches: int
    blind: bool
    state: State


def start(moment: Moment) -> State:
    """The state of a remediator that has seen nothing yet."""
    return State(since=moment.monotonic, offset=moment.wall - moment.monotonic)


def decide(policy: Policy, report: Report, state: State, moment: Moment, own: frozenset[int]) -> Verdict:
    """What to do after one more report, taken just before `moment`.

    Asks for `Action.WARN` once and for `Action.STOP` again after each cooldown. A match is forgotten when a
    look shows it otherwise; while it cannot be judged it is kept for `max_age`, and nothing is done.
    """
    cycle = _Cycle(policy, report, _after_jump(policy, state, moment), moment, own)
    return cycle.verdict()


def _after_jump(policy: Policy, state: State, moment: Moment) -> State:
    """The state with what an unsteady clock makes worthless taken out: a suspended machine is one, too."""
    offset = moment.wall - moment.monotonic
    if abs(offset - state.offset) > policy.clock_jump:
        return State(since=moment.monotonic, offset=offset, jumped=True, stops=state.stops)
    return replace(state, offset=offset)


class _Cycle:
    """One call of `decide` as it grows; `_reasons` says of each watched scheduler why it is left alone."""

    def __init__(
        self, policy: Policy, report: Report, state: State, moment: Moment, own: frozenset[int]
    ) -> None:
        self._policy = policy
        self._report = report
        self._state = state
        self._now = moment.monotonic
        everything = [
            Case(subject=each, report=report, policy=policy, moment=moment, own=own)
            for each in report.schedulers
        ]
        self._cases = [case for case in everything if is_in_scope(case)]
        self._watches: dict[Pair, Watch] = {}
        self._reasons: dict[Pair, Refusal | None] = {}
        self._decisions: list[Decision] = []

    def verdict(self) -> Verdict:
        matches = [case for case in self._cases if is_match(case)]
        for case in matches:
            self._observe(case)
        self._hold()
        for case in matches:
            self._warn(case.scheduler)
        stops = self._stop(matches)
        self._refuse()
        return Verdict(
            decisions=tuple(self._decisions),
            matches=len(matches),
            blind=self._blind,
            state=replace(self._state, watches=self._watches, stops=stops),
        )

    @property
    def _blind(self) -> bool:
        return not self._report.collector_success.get("processes", False)

    def _observe(self, case: Case) -> None:
        """Note a match, and why it must be left alone for now."""
        pair, judged_at = pair_of(case.scheduler), case.scheduler.judged_at
        watch = self._state.watches.get(pair) or Watch(
            since=self._now, judged_at=self._now, seen_at=self._now
        )
        watch = replace(watch, seen_at=self._now)
        reason = refusal(case)
        # A view that is not whole is no observation; a listing that was used before is no second one.
        if judged_at is not None and reason not in _UNSEEN:
            if watch.observations == 0:
                # Since now: what an old listing says of then, a younger look may have contradicted.
                watch = replace(watch, observations=1, since=self._now, judged_at=judged_at)
            elif judged_at - watch.judged_at >= _CYCLE_SHARE * self._report.interval_seconds:
                watch = replace(watch, observations=watch.observations + 1, judged_at=judged_at)
        self._watches[pair] = watch
        self._reasons[pair] = reason or self._too_early()

    def _too_early(self) -> Refusal | None:
        if self._now - self._state.since >= self._policy.warmup:
            return None
        return Refusal.CLOCK_JUMP if self._state.jumped else Refusal.WARMUP

    def _hold(self) -> None:
        """Keep for a while what was watched and cannot be seen now."""
        unseen = {
            pair_of(case.scheduler)
            for case in self._cases
            if case.scheduler.state is SchedulerState.UNKNOWN and not sees_its_servers(case)
        }
        # Half a look does not show that one is gone; but what it does show is no longer what was watched.
        otherwise = {
            each.process
            for each in self._report.schedulers
            if each.state not in (SchedulerState.DANGLING, SchedulerState.UNKNOWN)
        }
        for pair, watch in self._state.watches.items():
            fresh = self._now - watch.seen_at <= self._policy.max_age
            kept = fresh and pair.shell not in otherwise
            if pair not in self._watches and kept and (self._blind or pair in unseen):
                self._watches[pair] = watch
                self._reasons[pair] = Refusal.BLIND if self._blind else Refusal.SERVER_UNKNOWN

    def _warn(self, scheduler: SchedulerReport) -> None:
        pair = pair_of(scheduler)
        watch = self._watches[pair]
        held = watch.observations >= OBSERVATIONS and self._now - watch.since >= self._policy.hold
        if held and watch.warned_at is None and self._reasons[pair] is None:
            self._watches[pair] = replace(watch, warned_at=self._now)
            self._decisions.append(Decision(scheduler=scheduler, action=Action.WARN))

    def _stop(self, matches: list[Case]) -> tuple[float, ...]:
        """Ask for as many stops as the budget has left, the longest known first; the stops that it counts."""
        counted = [at for at in self._state.stops if self._now - at < self._policy.budget_window]
        left = min(self._policy.per_cycle, self._policy.per_hour - len(counted))
        due = [case.scheduler for case in matches if self._is_due(pair_of(case.scheduler))]
        for scheduler in sorted(due, key=lambda each: (self._watches[pair_of(each)].since, each.process)):
            pair = pair_of(scheduler)
            if self._too_many(len(matches)):
                self._reasons[pair] = Refusal.MAX_MATCH
            elif left <= 0:
                self._reasons[pair] = Refusal.BUDGET
            else:
                left -= 1
                counted.append(self._now)
                self._watches[pair] = replace(self._watches[pair], stopped_at=self._now)
                order = _order(self._policy, scheduler)
                self._decisions.append(Decision(scheduler=scheduler, action=Action.STOP, order=order))
        return tuple(counted)

    def _is_due(self, pair: Pair) -> bool:
        """Whether it is time to end it."""
        watch, now = self._watches[pair], self._now
        if self._reasons[pair] is not None or watch.warned_at is None:
            return False
        rested = watch.stopped_at is None or now - watch.stopped_at >= self._policy.cooldown
        return rested and now - watch.warned_at >= self._policy.stop_after

    def _too_many(self, matches: int) -> bool:
        policy, everything = self._policy, len(self._cases)
        share = matches > policy.max_match_few and matches > policy.max_match_ratio * everything
        return matches > policy.max_match or share

    def _refuse(self) -> None:
        """Tell each reason that is a new one."""
        for case in self._cases:
            pair = pair_of(case.scheduler)
            watch = self._watches.get(pair)
            reason = self._reasons.get(pair)
            if watch is None:
                continue
            if reason is not None and reason is not watch.refusal:
                self._decisions.append(Decision(scheduler=case.scheduler, refusal=reason))
            self._watches[pair] = replace(watch, refusal=reason)


def _order(policy: Policy, scheduler: SchedulerReport) -> Order:
    return Order(
        policy=policy,
        target=scheduler_target(scheduler),
        method=Method.SCHEDULER_PAIR,
        stages=(
            Stage(action=Action.STOP, signal=Signal.TERM, seconds=policy.grace),
            Stage(action=Action.KILL, signal=Signal.KILL, seconds=policy.gone_within),
        ),
    )


_UNSEEN = frozenset({Refusal.BLIND, Refusal.SERVER_UNKNOWN, Refusal.STALE})
"""Reasons that say that there was no complete look at all."""
