"""One cycle of one policy: matches, hold times, due steps and refusals; pure."""

from dataclasses import replace

from tmux_exporter.facts.remediation import Action, Mode, Refusal
from tmux_exporter.remediator.decide import breaker, make_order
from tmux_exporter.remediator.decide.budget import SharedBudget
from tmux_exporter.remediator.decide.candidates import Key, TargetCandidate, fits_match, targets_in_scope
from tmux_exporter.remediator.decide.conditions import ConditionStates, evaluate
from tmux_exporter.remediator.decide.culprit import Culprit, awaits_somebody, find_culprit, waits_itself
from tmux_exporter.remediator.decide.make_order import Grounds
from tmux_exporter.remediator.decide.objections import INCOMPLETE_VIEW, ONLY_AGAINST_ENDING, ReportView
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.state import Decision, PolicyState, Retry, State, WatchedTarget
from tmux_exporter.remediator.policies.policy import PANE_STEPS, LadderStep, OnExceed, Policy, Whom

OBSERVATIONS = 2
"""A target must match in this many complete samples before any step."""

CYCLE_SHARE = 0.8
"""Samples jitter: two listings this share of an interval apart count as two cycles."""

_ENDING = (Action.STOP, Action.KILL)

RETRIED = (Action.THROTTLE, Action.RAISE_FD_LIMIT)
"""Steps that are taken again once they were refused, while the ladder goes on: no other one needs them."""

_A_PERSON_MAY = frozenset({Refusal.BUDGET, Refusal.MAX_MATCH, Refusal.APPROVAL, Refusal.BREAKER})
"""Refusals that a person's approval overrides."""


class PolicyCycle:
    """One policy on one report; after `run`: what to do, what matched, what the next one has to know."""

    def __init__(self, view: ReportView, state: State, before: PolicyState, total: SharedBudget) -> None:
        self.policy: Policy = view.policy
        self.decisions: list[Decision] = []
        self.plan: list[Order] = []
        self.matches = 0
        self.state = before
        self._view = view
        self._since = state.since
        self._jumped = state.jumped
        self._before = before
        self._total = total
        self._now = view.moment.monotonic
        self._everything = targets_in_scope(self.policy, view.report)
        self._watches: dict[Key, WatchedTarget] = {}
        self._reasons: dict[Key, Refusal | None] = {}
        self._condition_states: dict[Key, ConditionStates] = {}
        self._culprits: dict[Key, Culprit] = {}

    def run(self) -> None:
        """Decide."""
        breaker_state = breaker.watched(
            self._before.breaker_state, self.policy.breaker, self._view.report, self._now
        )
        matching, doubtful = self._match()
        self.matches = len(matching)
        for candidate in matching:
            self._observe(candidate)
        self._hold(doubtful)
        for candidate in matching:
            self._steps_before_the_end(candidate)
        for candidate in matching:
            self._require_culprit(candidate.key)
        stops, breaker_state = self._endings(matching, breaker_state)
        self._refuse()
        self.state = PolicyState(
            watches=self._watches,
            condition_states=self._condition_states,
            stops=stops,
            breaker_state=breaker_state,
        )

    # What matches.

    def _match(self) -> tuple[list[TargetCandidate], list[TargetCandidate]]:
        """What matches, and what may match but for figures that cannot be read."""
        found: list[TargetCandidate] = []
        doubtful: list[TargetCandidate] = []
        for candidate in self._everything:
            if not fits_match(self.policy.match, candidate, self._view.report):
                continue
            if not self.policy.when.conditions:
                found.append(candidate)
                continue
            before = self._before.condition_states.get(candidate.key)
            condition_states = evaluate(self.policy.when, candidate, self._view.report, before, self._now)
            self._condition_states[candidate.key] = condition_states
            verdict = condition_states.verdict(self.policy.when)
            if verdict:
                found.append(candidate)
            elif verdict is None:
                doubtful.append(candidate)
        return found, doubtful

    def _observe(self, candidate: TargetCandidate) -> None:
        """Note a match, and why it must be left alone for now."""
        key, judged_at = candidate.key, self._view.judged_at(candidate)
        watch = self._before.watches.get(key) or WatchedTarget(
            since=self._now, judged_at=self._now, seen_at=self._now
        )
        watch = self._with_culprit(replace(watch, seen_at=self._now), candidate)
        reason, culprit = self._view.veto(candidate), self._culprits.get(key)
        if reason is Refusal.PANE_SHELL and culprit is not None and not culprit.itself:
            # What is below it is meant, and the pane stays.
            reason = self._view.veto(candidate, culprit.process)
        # An incomplete view is no observation, and a listing counts once.
        if judged_at is not None and reason not in INCOMPLETE_VIEW:
            if watch.observations == 0:
                # Start now: a newer listing may have contradicted the old one.
                watch = replace(watch, observations=1, since=self._now, judged_at=judged_at)
            elif judged_at - watch.judged_at >= CYCLE_SHARE * self._view.report.interval_seconds:
                watch = replace(watch, observations=watch.observations + 1, judged_at=judged_at)
        self._watches[key] = watch
        self._reasons[key] = self._view.protection(candidate) or reason or self._too_early()

    def _with_culprit(self, watch: WatchedTarget, candidate: TargetCandidate) -> WatchedTarget:
        """The watch with who holds the figures now."""
        key = candidate.key
        states = self._condition_states.get(key)
        culprit = find_culprit(self.policy, candidate, self._view.report, states)
        if culprit is None:
            return replace(watch, culprit=None)
        self._culprits[key] = culprit
        if culprit.process == watch.culprit:
            return watch
        return replace(watch, culprit=culprit.process, culprit_since=self._now)

    def _require_culprit(self, key: Key) -> None:
        """Of a policy for the culprit nothing ends that has not held the figures as long as is asked for."""
        if self.policy.whom is not Whom.CULPRIT or not self._is_ripe(key):
            return
        if self._lacks_culprit(key):
            self._reasons[key] = Refusal.NO_CULPRIT

    def _lacks_culprit(self, key: Key) -> bool:
        watch = self._watches[key]
        recent = self._now - watch.culprit_since < self.policy.hold
        return self.policy.whom is Whom.CULPRIT and (watch.culprit is None or recent)

    def _too_early(self) -> Refusal | None:
        if self._now - self._since >= self.policy.warmup:
            return None
        return Refusal.CLOCK_JUMP if self._jumped else Refusal.WARMUP

    def _hold(self, doubtful: list[TargetCandidate]) -> None:
        """Keep watched targets for `max_age` while they cannot be seen."""
        blind = self._view.is_blind
        unseen = {each.key for each in self._everything if self._view.is_unknown(each)}
        unread = {each.key for each in doubtful}
        # A missing target may still live after an incomplete listing; one listed differently has changed.
        otherwise = {
            each.key[1][:1]
            for each in self._everything
            if each.key[1] and each.key not in unseen | unread and each.key not in self._watches
        }
        for key, watch in self._before.watches.items():
            kept = self._now - watch.seen_at <= self.policy.max_age and key[1][:1] not in otherwise
            if key not in self._watches and kept and (blind or key in unseen or key in unread):
                self._watches[key] = watch
                self._reasons[key] = (
                    Refusal.BLIND if blind else Refusal.SERVER_UNKNOWN if key in unseen else Refusal.STALE
                )
        for key, condition_states in self._before.condition_states.items():
            if (
                key not in self._condition_states
                and self._now - condition_states.seen_at <= self.policy.max_age
                and blind
            ):
                self._condition_states[key] = condition_states

    # What is due.

    def _steps_before_the_end(self, candidate: TargetCandidate) -> None:
        """Every step up to the end of the target whose time has come."""
        key = candidate.key
        if self._reasons[key] is not None and self._reasons[key] not in ONLY_AGAINST_ENDING:
            return
        if (retry_at := self._watches[key].retry_at) is not None and self._now < retry_at:
            return
        stop = self.policy.stop
        ends = stop is not None and not stop.approvals and self._due(candidate) is not None
        # Right before its end nothing is held back any more.
        for retry in () if ends else self._watches[key].retries:
            due = retry.at <= self._now and self._watches[key].observations >= OBSERVATIONS
            # What the report speaks against is told once.
            if due and self._step_refusal(candidate, self.policy.ladder[retry.place]) is None:
                self._step(candidate, retry.place, retry.refused)
        while (rung := self._next(key)) is not None and rung.action not in _ENDING:
            place = self._watches[key].rung
            refusal = self._step(candidate, place)
            watch = self._watches[key]
            if refusal is not None and rung.action in PANE_STEPS:
                # As where the step itself is refused: it may be taken later.
                retry_at = self._now + pause_for(
                    self.policy, watch.refused, self._view.report.interval_seconds
                )
                self._watches[key] = replace(watch, refused=watch.refused + 1, retry_at=retry_at)
                return
            self._watches[key] = replace(watch, rung=place + 1, rung_at=self._now)

    def _step(self, candidate: TargetCandidate, place: int, refused: int = 0) -> Refusal | None:
        """Take one step of the ladder, or say why not; one that is refused is taken again where it may be."""
        rung, watch = self.policy.ladder[place], self._watches[candidate.key]
        refusal = self._step_refusal(candidate, rung)
        order = None
        if rung.action is Action.THROTTLE:
            order = make_order.throttle_order(self.policy, self._grounds(candidate), rung)
        self._decide(candidate, action=rung.action, rung=rung, refusal=refusal, order=order, refused=refused)
        others = tuple(each for each in watch.retries if each.place != place)
        again = refusal is not None and rung.action in RETRIED
        retries = (*others, Retry(place=place, at=self._now, refused=refused)) if again else others
        self._watches[candidate.key] = replace(watch, retries=retries)
        return refusal

    def _step_refusal(self, candidate: TargetCandidate, rung: LadderStep) -> Refusal | None:
        """What speaks against a step before the end: what changes something needs all but a budget."""
        key = candidate.key
        if rung.action is Action.RAISE_FD_LIMIT:
            # What only speaks against an end does not speak against this.
            lacks = Refusal.NO_CULPRIT if self._lacks_culprit(key) else None
            return Refusal.MAX_MATCH if self._too_many() else lacks
        if rung.action is not Action.THROTTLE and rung.action not in PANE_STEPS:
            return None
        reason, culprit = self._reasons[key], self._culprits.get(key)
        if rung.throttle is not None and rung.throttle.whole_pane:
            return self._whole_pane_refusal(candidate)
        if reason is None and rung.action is Action.THROTTLE and waits_itself(candidate.subject, culprit):
            return Refusal.STATE
        if reason is None and self._too_many():
            return Refusal.MAX_MATCH
        return reason or (Refusal.NO_CULPRIT if self._lacks_culprit(key) else None)

    def _whole_pane_refusal(self, candidate: TargetCandidate) -> Refusal | None:
        """What speaks against a throttle of a whole pane: it stays open, whoever holds the figure."""
        reason = self._reasons[candidate.key]
        if reason is not None and reason is not Refusal.PANE_SHELL:
            return reason
        if awaits_somebody(candidate.subject, self._view.report):
            return Refusal.STATE
        return Refusal.MAX_MATCH if self._too_many() else None

    def _next(self, key: Key) -> LadderStep | None:
        """The next step of the ladder, once its time has come."""
        watch, ladder = self._watches[key], self.policy.ladder
        # Also what an earlier run has begun is seen again before the next step.
        if watch.rung >= len(ladder) or watch.observations < OBSERVATIONS:
            return None
        rung = ladder[watch.rung]
        if watch.rung_at is None:
            return rung if self._now - watch.since >= self.policy.hold + rung.after else None
        return rung if self._now - watch.rung_at >= rung.after else None

    def _endings(
        self, matching: list[TargetCandidate], breaker_state: breaker.BreakerState
    ) -> tuple[tuple[tuple[float, Key], ...], breaker.BreakerState]:
        """Ask for as many ends as there may be, the longest known first; the stops that are counted."""
        policy, now = self.policy, self._now
        counted = [each for each in self._before.stops if now - each[0] < policy.budget_window]
        left = min(policy.per_cycle, policy.per_hour - len(counted))
        due = [(each, order) for each in matching if (order := self._due(each)) is not None]
        if due and policy.on_exceed is OnExceed.ABORT and self._too_many() and not breaker_state.is_open:
            breaker_state = breaker.opened(breaker_state, breaker.OpenReason.MAX_MATCH, now)
        for candidate, order in sorted(due, key=lambda each: self._rank(each[0])):
            key = candidate.key
            reason = self._objection(key, counted, left, breaker_state)
            if reason is None and not self._total.take(key):
                reason = Refusal.BUDGET
            if reason is None or reason in _A_PERSON_MAY:
                self._plan(candidate)
            if reason is not None:
                self._reasons[key] = reason
                continue
            left -= 1
            counted.append((now, key))
            breaker_state = breaker.tried(breaker_state, now)
            watch = self._watches[key]
            before = watch.acted_at, watch.survived
            self._watches[key] = replace(watch, acted_at=now, survived=False, before=before)
            self._decide(candidate, action=order.stages[0].action, order=order)
        if policy.mode is Mode.RECOMMEND:
            # A planned target stays in the plan until it is gone.
            for candidate in matching:
                if self._is_ripe(candidate.key):
                    self._plan(candidate)
        return tuple(counted), breaker_state

    def _plan(self, candidate: TargetCandidate) -> None:
        """Let a person end it, by all steps in one act."""
        if any(each.target == candidate.target for each in self.plan):
            return
        order = make_order.ending_order(
            self.policy, self._grounds(candidate), longest=make_order.LONGEST_IN_PLAN
        )
        if order is not None:
            self.plan.append(order)

    def _rank(self, candidate: TargetCandidate) -> tuple[float, Key]:
        return self._watches[candidate.key].since, candidate.key

    def _objection(
        self, key: Key, counted: list[tuple[float, Key]], left: int, breaker_state: breaker.BreakerState
    ) -> Refusal | None:
        """What numbers, the breaker or the need of a person's word say against ending it now."""
        policy = self.policy
        allowed = breaker_state.left(policy.breaker, self._now)
        if self._too_many():
            return Refusal.MAX_MATCH
        if allowed is not None and allowed <= 0:
            return Refusal.BREAKER
        if policy.stop is not None and policy.stop.approvals:
            return Refusal.APPROVAL
        spent = sum(each[1] == key for each in counted)
        if left <= 0 or spent >= policy.per_target_per_hour:
            return Refusal.BUDGET
        return None

    def _due(self, candidate: TargetCandidate) -> Order | None:
        """The order to end it, where it is time for that."""
        key = candidate.key
        watch, stop, kill = self._watches[key], self.policy.stop, self.policy.kill
        if stop is None or not self._is_ripe(key) or self._total.is_taken(key):
            return None
        if watch.retry_at is not None and self._now < watch.retry_at:
            return None
        if watch.acted_at is None or self._now - watch.acted_at >= self.policy.cooldown:
            return make_order.ending_order(self.policy, self._grounds(candidate))
        late = kill is not None and watch.survived and not make_order.is_in_act(stop, kill)
        if late and kill is not None and self._now - watch.acted_at >= max(kill.after, stop.grace):
            return make_order.late_kill_order(self.policy, self._grounds(candidate))
        return None

    def _is_ripe(self, key: Key) -> bool:
        """Whether nothing but what was done with it lately speaks against its end."""
        rung = self._next(key)
        return self._reasons[key] is None and rung is not None and rung.action is Action.STOP

    def _grounds(self, candidate: TargetCandidate) -> Grounds:
        key = candidate.key
        return Grounds(
            candidate=candidate,
            states=self._condition_states.get(key),
            culprit=self._culprits.get(key),
            held=self._now - self._watches[key].since,
        )

    def _too_many(self) -> bool:
        policy, matches = self.policy, self.matches
        share = matches > policy.max_match_few and matches > policy.max_match_ratio * len(self._everything)
        return matches > policy.max_match or share

    def _refuse(self) -> None:
        """Tell each reason that is a new one."""
        for candidate in self._everything:
            key = candidate.key
            watch = self._watches.get(key)
            if watch is None:
                continue
            reason = self._reasons.get(key)
            if reason is not None and reason is not watch.refusal:
                self._decide(candidate, refusal=reason)
            self._watches[key] = replace(watch, refusal=reason)

    def _decide(
        self,
        candidate: TargetCandidate,
        *,
        action: Action | None = None,
        rung: LadderStep | None = None,
        refusal: Refusal | None = None,
        order: Order | None = None,
        refused: int = 0,
    ) -> None:
        """Hand a decision out, with what it rests on."""
        condition_states = self._condition_states.get(candidate.key)
        self.decisions.append(
            Decision(
                policy=self.policy,
                candidate=candidate,
                action=action,
                rung=rung,
                refusal=refusal,
                order=order,
                held=self._now - self._watches[candidate.key].since,
                readings=condition_states.readings(self.policy.when) if condition_states else (),
                culprit=self._culprits.get(candidate.key),
                refused=refused,
            )
        )


def pause_for(policy: Policy, refused: int, interval: float) -> float:
    """For how many seconds something is not tried again that was refused so often before."""
    return min(policy.cooldown, interval * 2.0 ** min(refused, 30))
