"""Holds, `@protect` and `protected:` entries, which outrank every policy; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Refusal, TargetKind
from tmux_exporter.facts.report import AgentReport, LeakReport, PaneReport, Report, SchedulerReport
from tmux_exporter.remediator.decide.breaker import session_of
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.policies.policy import NamePattern, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A user's request to leave a target alone until `until` (wall time).

    Of the rest exactly what is given has to fit: a process for as long as it lives, or the labels of a tmux
    server, a session, an agent, a pane. With nothing given it is everything.
    """

    until: float
    process: ProcessId | None = None
    server: str = ""
    session: str = ""
    agent: str = ""
    pane: str = ""

    def covers(self, candidate: TargetCandidate) -> bool:
        """Whether it is meant."""
        target = candidate.target
        return (
            (self.process is None or self.process in target.processes)
            and (not self.server or self.server in (target.server, *candidate.servers))
            and (not self.session or self.session in _sessions(candidate))
            and (not self.agent or (target.kind, target.name) == (TargetKind.AGENT, self.agent))
            and (not self.pane or self.pane == pane_of(candidate))
        )


def protection_refusal(
    policy: Policy, candidate: TargetCandidate, report: Report, holds: Iterable[Hold], wall: float
) -> Refusal | None:
    """The refusal by a hold or by protection, whatever a policy says; None if there is none."""
    if any(each.until > wall and each.covers(candidate) for each in holds):
        return Refusal.HELD
    protected = policy.protected
    target = candidate.target
    named = (
        any(_is_named(protected.servers, each) for each in (target.server, *candidate.servers))
        or any(_is_named(protected.sessions, each) for each in _sessions(candidate))
        or (target.kind is TargetKind.AGENT and _is_named(protected.agents, target.name))
    )
    return Refusal.PROTECTED if named or _has_option(candidate, report) else None


def _is_named(patterns: tuple[NamePattern, ...], name: str) -> bool:
    return any(each.fits(name) for each in patterns)


def _sessions(candidate: TargetCandidate) -> set[str]:
    """The sessions that it has to do with: the one it is counted in, and those it would type into."""
    subject = candidate.subject
    named = subject.targets if isinstance(subject, SchedulerReport) else ()
    return {candidate.target.session, *map(session_of, named)} - {""}


def pane_of(candidate: TargetCandidate) -> str:
    """The pane that it lives or lived in; empty where it is none's, or not known."""
    subject = candidate.subject
    return subject.pane if isinstance(subject, AgentReport | LeakReport | PaneReport) else ""


def _has_option(candidate: TargetCandidate, report: Report) -> bool:
    """Whether `@protect` is set where it lives: on its pane, or, where that is gone, in its session."""
    target, pane = candidate.target, pane_of(candidate)
    here = [each for each in report.panes if each.server == target.server]
    if target.kind is not TargetKind.SERVER:
        own = [each for each in here if pane and each.pane == pane]
        here = own or [each for each in here if each.session in _sessions(candidate)]
    return any(each.protected for each in here)
