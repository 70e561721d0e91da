"""Candidates: which targets of a report a policy matches; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import (
    AgentReport,
    LeakReport,
    PaneReport,
    Report,
    SchedulerReport,
    ServerReport,
)
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.order import Target
from tmux_exporter.remediator.policies.metrics import Subject
from tmux_exporter.remediator.policies.policy import Policy, PolicySet, TargetMatch, fits

Key = tuple[TargetKind, tuple[ProcessId, ...], str, str]
"""The identity of a target: its processes, or names where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCandidate:
    """A target and its part of the report."""

    target: Target
    subject: Subject

    @property
    def key(self) -> Key:
        """Its identity: of what has processes these, else server and name."""
        target = self.target
        if target.processes:
            return target.kind, target.processes, "", ""
        return target.kind, (), target.server, target.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that its counters follow: under others they go on from another value."""
        target, subject = self.target, self.subject
        window = subject.window if isinstance(subject, PaneReport) else ""
        return target.server, target.session, window, target.name

    @property
    def servers(self) -> tuple[str, ...]:
        """The labels of the tmux servers that it has to do with, or was made for where there is none."""
        if isinstance(self.subject, SchedulerReport):
            return tuple(dict.fromkeys((*self.subject.aimed, *self.subject.made_for)))
        return (self.subject.server,)


def targets_in_scope(policy: Policy, report: Report) -> tuple[TargetCandidate, ...]:
    """All targets of a policy's kind at the servers that `--server` names."""
    return tuple(each for each in _candidates(policy, report) if _is_in_scope(policy, each))


def left_out_words(policies: PolicySet, report: Report) -> dict[ProcessId, str]:
    """A log line for each serverless scheduler that a policy would match without `--server`, by its shell.

    A scheduler with a live server is out of scope on purpose; one without a server may be overlooked.
    """
    found = {}
    for policy in policies.policies:
        for each in _candidates(policy, report):
            subject = each.subject
            if (
                isinstance(subject, SchedulerReport)
                and subject.state is SchedulerState.SERVERLESS
                and not _is_in_scope(policy, each)
                and fits_match(policy.match, each, report)
            ):
                names = ", ".join(each.servers) or "a server that is not known"
                found[subject.process] = (
                    f"left out: the scheduler of pid {subject.process.pid} has no server any more "
                    f"and was made for {names}, which --server does not name"
                )
    return found


def _candidates(policy: Policy, report: Report) -> Iterable[TargetCandidate]:
    return (
        TargetCandidate(target=target_of(each), subject=each) for each in _subjects(policy.match.kind, report)
    )


def _is_in_scope(policy: Policy, candidate: TargetCandidate) -> bool:
    scope, servers = set(policy.servers), candidate.servers
    return not scope or (bool(servers) and scope.issuperset(servers))


def _subjects(kind: TargetKind, report: Report) -> Iterable[Subject]:
    weak = ("by_marker", "by_folder", "by_lineage")
    proven = (each for each in report.leaks if not any(getattr(each, name) for name in weak))
    subjects: Mapping[TargetKind, Iterable[Subject]] = {
        TargetKind.SCHEDULER: report.schedulers,
        TargetKind.AGENT: report.agents,
        TargetKind.LEAKED_PROCESS: proven,
        TargetKind.PANE: report.panes,
        TargetKind.SERVER: report.servers,
    }
    return subjects[kind]


def target_of(subject: Subject) -> Target:
    """The target that something in a report is."""
    session = "" if isinstance(subject, ServerReport) else subject.session

    def target(
        kind: TargetKind, name: str = "", *processes: ProcessId | None, argv_sha256: str = ""
    ) -> Target:
        return Target(
            kind=kind,
            server=subject.server,
            session=session,
            name=name,
            processes=tuple(each for each in processes if each is not None),
            argv_sha256=argv_sha256,
        )

    match subject:
        case SchedulerReport():
            return target(TargetKind.SCHEDULER, "", subject.process, subject.sleep)
        case AgentReport():
            return target(TargetKind.AGENT, subject.agent, subject.process)
        case LeakReport():
            hashed = subject.argv_sha256
            return target(TargetKind.LEAKED_PROCESS, subject.kind, subject.process, argv_sha256=hashed)
        case PaneReport():
            return target(TargetKind.PANE, subject.pane)
        case ServerReport():
            return target(TargetKind.SERVER, str(subject.pid))


def fits_match(match: TargetMatch, candidate: TargetCandidate, report: Report) -> bool:
    """Whether a match is for this; what its `when` says is not asked."""
    subject = candidate.subject
    if not all(fits(match.servers, label) for label in candidate.servers):
        return False
    if match.servers and not candidate.servers:
        return False
    if isinstance(subject, ServerReport):
        return subject.up
    if not _is_own(match, subject, report.timestamp) or not fits(match.sessions, subject.session):
        return False
    return match.attached is None or match.attached == is_attached(subject.server, subject.session, report)


def _is_own(
    match: TargetMatch, subject: SchedulerReport | AgentReport | LeakReport | PaneReport, wall: float
) -> bool:
    """Whether what only its kind has fits."""
    match subject:
        case SchedulerReport():
            return subject.state in match.states
        case AgentReport():
            return (
                subject.process is not None
                and _within(match.programs, subject.program)
                and _within(match.agent_states, subject.state)
            )
        case LeakReport():
            return _within(match.leak_kinds, subject.kind) and (
                (not match.opted_in or subject.argv_sha256 in match.argv_sha256)
                and runs_one_of(match, subject.name)
                and (match.age is None or wall - subject.start_time_seconds >= match.age)
                and match.listening in (None, subject.listens)
            )
        case PaneReport():
            return (match.history_bytes is None or subject.history_bytes >= match.history_bytes) and (
                match.dead in (None, subject.dead)
            )


def runs_one_of(match: TargetMatch, name: str) -> bool:
    """Whether the name of a leaked process, or the first word of it, is one of a match."""
    return fits(match.leak_programs, name) or fits(match.leak_programs, name.partition(" ")[0])


def is_attached(server: str, session: str, report: Report) -> bool | None:
    """Whether a client is attached to a session; None if the report does not show it."""
    for each in report.sessions:
        if (each.server, each.session) == (server, session):
            return each.attached_clients > 0
    return None


def _within(wanted: tuple[str, ...], value: str) -> bool:
    return not wanted or value in wanted
