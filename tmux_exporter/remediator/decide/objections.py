"""Why a target is left alone by a report: holds and protection first, then the vetoes; pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Refusal
from tmux_exporter.facts.report import AgentReport, PaneReport, Report, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.candidates import (
    TargetCandidate,
    fits_match,
    target_of,
    targets_in_scope,
)
from tmux_exporter.remediator.decide.conditions import evaluate
from tmux_exporter.remediator.decide.culprit import find_culprit
from tmux_exporter.remediator.decide.protection import Hold, protection_refusal
from tmux_exporter.remediator.decide.vetoes import Case, Moment, refusal, sees_its_servers
from tmux_exporter.remediator.policies.metrics import FIGURES, Subject
from tmux_exporter.remediator.policies.policy import Policy

INCOMPLETE_VIEW = frozenset({Refusal.BLIND, Refusal.SERVER_UNKNOWN, Refusal.STALE})
"""Refusals that mean an incomplete view."""

ONLY_AGAINST_ENDING = frozenset(
    {
        Refusal.STATE,
        Refusal.PANE_SHELL,
        Refusal.ATTACHED_SESSION,
        Refusal.LISTENING_SOCKET,
        Refusal.LIVE_DESCENDANT,
    }
)
"""Refusals to terminate that do not prevent a warning."""

_ALWAYS_TOLD = ONLY_AGAINST_ENDING | {Refusal.NOT_A_PAIR, Refusal.TOO_LATE}
"""Refusals that do not matter for a policy that neither stops nor throttles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """One report at one moment, judged for one policy."""

    policy: Policy
    report: Report
    moment: Moment
    own: frozenset[int]
    holds: tuple[Hold, ...] = ()

    @property
    def is_blind(self) -> bool:
        """Whether the processes could not all be listed."""
        return not self.report.collector_success.get("processes", False)

    def veto(self, candidate: TargetCandidate, culprit: ProcessId | None = None) -> Refusal | None:
        """The refusal by a veto, if any; with a culprit of that instead of the agent that it is below."""
        case = self._case(candidate)
        if case is None:
            return self._sight(candidate)
        reason = refusal(replace(case, culprit=culprit))
        return None if not self.policy.acts and reason in _ALWAYS_TOLD else reason

    def protection(self, candidate: TargetCandidate, culprit: ProcessId | None = None) -> Refusal | None:
        """The refusal by a hold or by protection, if any; a hold may also be of the culprit alone."""
        if culprit is not None:
            processes = (*candidate.target.processes, culprit)
            candidate = replace(candidate, target=replace(candidate.target, processes=processes))
        return protection_refusal(self.policy, candidate, self.report, self.holds, self.moment.wall)

    def judged_at(self, candidate: TargetCandidate) -> float | None:
        """When the oldest listing was taken that it is judged by, monotonic; None where one never was."""
        case = self._case(candidate)
        return self._listed_at(candidate) if case is None else case.judged_at

    def is_unknown(self, candidate: TargetCandidate) -> bool:
        """Whether its state is unknown because tmux gave no complete answer."""
        subject = candidate.subject
        if isinstance(subject, SchedulerReport):
            case = self._case(candidate) if subject.state is SchedulerState.UNKNOWN else None
            return case is not None and not sees_its_servers(case)
        return self.veto(candidate) in INCOMPLETE_VIEW

    def objection(self, subject: Subject, culprit: ProcessId | None = None) -> Refusal | None:
        """The refusal right before a signal: it no longer matches, or a hold or protection covers it.

        A single sample has no rates and knows no idle time, so only levels are checked, against
        `clear_below`: of the target, and that still this process holds them where one was found to be the
        culprit. An agent for whose idle time a policy asks must be idle.
        """
        candidate = TargetCandidate(target=target_of(subject), subject=subject)
        shown = {each.key for each in targets_in_scope(self.policy, self.report)}
        when = replace(
            self.policy.when,
            conditions=tuple(
                # Between the two bounds it still holds where it held.
                replace(each, above=each.clear_below)
                for each in self.policy.when.conditions
                if each.rate_over is None and not FIGURES[each.metric].is_idle_time
            ),
        )
        condition_states = evaluate(when, candidate, self.report, None, self.moment.monotonic)
        holds = not when.conditions or condition_states.verdict(when) is True
        if any(FIGURES[each.metric].is_idle_time for each in self.policy.when.conditions):
            holds = holds and isinstance(subject, AgentReport) and subject.state is AgentState.IDLE
        matches = candidate.key in shown and fits_match(self.policy.match, candidate, self.report) and holds
        if matches and culprit is not None and when.conditions:
            shown_now = replace(self.policy, when=when)
            found = find_culprit(shown_now, candidate, self.report, condition_states)
            matches = found is not None and found.process == culprit
        return self.protection(candidate, culprit) if matches else Refusal.CHANGED

    def _case(self, candidate: TargetCandidate) -> Case | None:
        """For the vetoes, which are for what can be ended."""
        subject = candidate.subject
        if isinstance(subject, PaneReport | ServerReport):
            return None
        return Case(subject=subject, report=self.report, policy=self.policy, moment=self.moment, own=self.own)

    def _sight(self, candidate: TargetCandidate) -> Refusal | None:
        if self.is_blind:
            return Refusal.BLIND
        server = self._server(candidate)
        if server is None or not server.up or server.held or server.problem is not None:
            return Refusal.SERVER_UNKNOWN
        taken = self._listed_at(candidate)
        age = None if taken is None else self.moment.monotonic - taken
        return Refusal.STALE if age is None or age > self.policy.max_age else None

    def _listed_at(self, candidate: TargetCandidate) -> float | None:
        server = self._server(candidate)
        return None if server is None else server.listing_taken_at

    def _server(self, candidate: TargetCandidate) -> ServerReport | None:
        found: Iterable[ServerReport] = self.report.servers
        return next((each for each in found if each.server == candidate.target.server), None)


def confirmation(policy: Policy, holds: Callable[[], tuple[Hold, ...]]) -> Callable[[Case], Refusal | None]:
    """The check of the last sample before a signal: None if the policy still matches.

    `holds` reads the current holds.
    """

    def confirm(case: Case) -> Refusal | None:
        view = ReportView(policy=policy, report=case.report, moment=case.moment, own=case.own, holds=holds())
        return view.objection(case.subject, case.culprit)

    return confirm
