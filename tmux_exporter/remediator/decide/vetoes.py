"""Vetoes: what no policy overrides, judged by a report. Each is a pure function with its own refusal.

VETOES run before a decision and again on the last sample before a signal; `last_checks` judges what /proc
shows of the processes. Every row must agree; the first that does not gives the refusal.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Refusal
from tmux_exporter.facts.report import AgentReport, LeakReport, Report, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.policy import OptIn

Subject = SchedulerReport | AgentReport | LeakReport
"""The report of a target that can be terminated."""

ENDABLE = frozenset(
    {
        SchedulerState.DANGLING,
        SchedulerState.SERVERLESS,
        SchedulerState.STALE_GENERATION,
        SchedulerState.MISDIRECTED,
        SchedulerState.DUPLICATE,
        SchedulerState.IMMORTAL,
    }
)
"""States in which a scheduler may be terminated: never when it is due or not understood."""

QUIET = 600.0
"""For so many seconds nobody must have been connected to a process that is ended by its kind."""

_START_ERROR = 2.0
"""Seconds by which the start of a process is known too early or too late: boot time is in whole seconds."""


class Moment(NamedTuple):
    """One instant on both clocks."""

    wall: float
    monotonic: float


class Pair(NamedTuple):
    """A scheduler: its shell and the sleep that it waits for."""

    shell: ProcessId
    sleep: ProcessId


def pair_of(scheduler: SchedulerReport) -> Pair:
    """The two processes of a scheduler; of one without a sleep, which is vetoed, its shell twice."""
    return Pair(scheduler.process, scheduler.sleep or scheduler.process)


class Terms(Protocol):
    """What a policy says that vetoes go by; all times are seconds."""

    @property
    def servers(self) -> tuple[str, ...]:
        """The labels of the tmux servers that it is for, all where it is empty."""

    @property
    def max_age(self) -> float:
        """The oldest tmux listing that counts."""

    @property
    def remaining(self) -> float:
        """The least that a scheduler's sleep must have left."""

    @property
    def warmup(self) -> float:
        """For how long a new tmux server is left alone."""

    @property
    def allow(self) -> tuple[OptIn, ...]:
        """Opt-ins to targets that are otherwise never touched."""

    @property
    def by_hash(self) -> bool:
        """Whether it names the command lines of leaked processes."""

    @property
    def by_rest(self) -> bool:
        """Whether it is for agents that do nothing: by for how long, or by their state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One target in a report; `own` are the pids of this process and its ancestors.

    `below` are the pids of all that descends from its processes, where that has been looked at. `culprit` is
    the process of an agent's tree that is meant instead of its root.
    """

    subject: Subject
    report: Report
    policy: Terms
    moment: Moment
    own: frozenset[int]
    below: frozenset[int] = frozenset()
    culprit: ProcessId | None = None

    @property
    def scheduler(self) -> SchedulerReport:
        """The subject where it is a scheduler. Raises TypeError where it is none."""
        if isinstance(self.subject, SchedulerReport):
            return self.subject
        raise TypeError("not a scheduler")

    @property
    def processes(self) -> tuple[ProcessId, ...]:
        """Its processes: none where it has none to end."""
        match self.subject:
            case SchedulerReport() as scheduler:
                return pair_of(scheduler)
            case AgentReport(process=process):
                return () if process is None else (self.culprit or process,)
            case LeakReport(process=process):
                return (process,)

    @property
    def pids(self) -> frozenset[int]:
        """The pids of its processes."""
        return frozenset(each.pid for each in self.processes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the tmux servers that it has to do with; empty ones are not known."""
        return self.subject.aimed if isinstance(self.subject, SchedulerReport) else (self.subject.server,)

    @property
    def servers(self) -> tuple[ServerReport | None, ...]:
        """These servers; None for one that the report does not show."""
        known = {server.server: server for server in self.report.servers}
        return tuple(known.get(label) for label in self.labels)

    @property
    def judged_at(self) -> float | None:
        """The time of the oldest listing it is judged by, monotonic; None if one is missing."""
        if isinstance(self.subject, SchedulerReport):
            return self.subject.judged_at
        taken = [None if server is None else server.listing_taken_at for server in self.servers]
        known = [each for each in taken if each is not None]
        return min(known) if known and len(known) == len(taken) else None

    @property
    def is_serverless(self) -> bool:
        """Whether it is judged by the absence of its tmux server."""
        subject = self.subject
        return isinstance(subject, SchedulerReport) and subject.state is SchedulerState.SERVERLESS


class Veto(NamedTuple):
    """A reason, and the function that has to be true for it not to be given."""

    refusal: Refusal
    allows: Callable[[Case], bool]


def sees_all_processes(case: Case) -> bool:
    """The listing of the processes was complete."""
    return case.report.collector_success.get("processes", False)


def sees_its_servers(case: Case) -> bool:
    """Every server that it has to do with has answered, completely and in this sample or lately.

    Of one that is said to have none, all servers were found, and none that could be its own is unknown.
    """
    if case.is_serverless:
        unknown = (each for each in case.report.servers if not (each.up or each.ended))
        return not case.report.problems and not any(_may_own(each, case.scheduler) for each in unknown)
    return bool(case.servers) and all(
        server is not None and server.up and not server.held and server.problem is None
        for server in case.servers
    )


def _may_own(server: ServerReport, scheduler: SchedulerReport) -> bool:
    """Whether a server may be reached at a socket of a scheduler; it has one, at the path it was bound to.

    One whose process is not known may have been bound to any path of its folder.
    """
    if not server.socket or not scheduler.sockets or server.socket in scheduler.sockets:
        return True
    folders = {posixpath.dirname(each) for each in scheduler.sockets}
    return server.pid is None and posixpath.dirname(server.socket) in folders


def is_recent(case: Case) -> bool:
    """The oldest listing it was judged by is not older than the policy allows."""
    age = look_age(case)
    return age is not None and 0 <= age <= case.policy.max_age


def look_age(case: Case) -> float | None:
    """How old the oldest listing is that it was judged by, in seconds; None where one has never been.

    How long the rest of the sample took says nothing about what tmux has shown.
    """
    return None if case.judged_at is None else case.moment.monotonic - case.judged_at


def is_endable(case: Case) -> bool:
    """It is not about to act, and it is understood."""
    match case.subject:
        case SchedulerReport(state=state):
            return state in ENDABLE
        case AgentReport(process=process):
            return process is not None
        case LeakReport(kind=kind, by_marker=by_marker, by_folder=by_folder, by_lineage=by_lineage):
            # Of a scheduler both processes have to end, in their order.
            return kind is not LeakKind.SCHEDULER and not (by_marker or by_folder or by_lineage)


def is_proven(case: Case) -> bool:
    """A sample has seen a leaked process in its pane by more than its environment, or its hash is named."""
    return not isinstance(case.subject, LeakReport) or case.policy.by_hash or not case.subject.by_environment


def is_unused(case: Case) -> bool:
    """No sample has seen a leaked process connected from outside for a while, or its hash is named."""
    if not isinstance(case.subject, LeakReport) or case.policy.by_hash:
        return True
    since = case.subject.quiet_since
    return since is not None and case.moment.monotonic - since >= QUIET


def has_quota(case: Case) -> bool:
    """No file says that an agent, meant for doing nothing, can do nothing because its quota is used up.

    What its screen shows and what its hooks report protects nothing.
    """
    limit = case.subject.usage_limit if isinstance(case.subject, AgentReport) else None
    return limit is None or not case.policy.by_rest or case.moment.wall >= limit.latest_end


def has_its_sleep(case: Case) -> bool:
    """There is a sleep to end: without one it may be sending its keys right now."""
    return not isinstance(case.subject, SchedulerReport) or case.subject.sleep is not None


def has_time(case: Case) -> bool:
    """It will not fire while it is looked at."""
    if not isinstance(case.subject, SchedulerReport) or case.subject.state is SchedulerState.IMMORTAL:
        return True
    due = case.subject.due_timestamp_seconds
    return due is not None and due - case.moment.wall >= case.policy.remaining


def is_settled(case: Case) -> bool:
    """The servers that it has to do with are not new: sessions may still be coming back in them."""
    if case.is_serverless:
        return True
    starts = [server.start_time_seconds for server in case.servers if server is not None]
    return all(
        start is not None and case.moment.wall - start + _START_ERROR >= case.policy.warmup
        for start in starts
    )


def is_no_known_server(case: Case) -> bool:
    """None of its processes is a tmux server: that would end every session in it."""
    return case.pids.isdisjoint(server.pid for server in case.report.servers)


def is_not_above_us(case: Case) -> bool:
    """None of its processes is this one or an ancestor of it."""
    return case.pids.isdisjoint(case.own)


def is_no_pane(case: Case) -> bool:
    """None of its processes is what tmux started in a pane: the pane would close."""
    if OptIn.PANE_SHELL in case.policy.allow:
        return True
    return case.pids.isdisjoint(pane.pid for pane in case.report.panes)


def is_not_attended(case: Case) -> bool:
    """No client is attached to its session. A leaked process has no session."""
    if not isinstance(case.subject, AgentReport) or OptIn.ATTACHED_SESSION in case.policy.allow:
        return True
    place = (case.subject.server, case.subject.session)
    found = [each for each in case.report.sessions if (each.server, each.session) == place]
    return bool(found) and not any(each.attached_clients for each in found)


def carries_nobody(case: Case) -> bool:
    """Below its processes lives no agent, no pane and no tmux server."""
    agents = {each.process.pid for each in case.report.agents if each.process is not None}
    panes = {each.pid for each in case.report.panes}
    servers = {each.pid for each in case.report.servers}
    return (case.below - case.pids).isdisjoint(agents | panes | servers)


VETOES = (
    Veto(Refusal.BLIND, sees_all_processes),
    Veto(Refusal.SERVER_UNKNOWN, sees_its_servers),
    Veto(Refusal.STALE, is_recent),
    Veto(Refusal.STATE, is_endable),
    Veto(Refusal.UNPROVEN, is_proven),
    Veto(Refusal.NOT_A_PAIR, has_its_sleep),
    Veto(Refusal.TOO_LATE, has_time),
    Veto(Refusal.WARMUP, is_settled),
    Veto(Refusal.TMUX_SERVER, is_no_known_server),
    Veto(Refusal.OWN_PROCESS, is_not_above_us),
    Veto(Refusal.PANE_SHELL, is_no_pane),
    Veto(Refusal.ATTACHED_SESSION, is_not_attended),
    Veto(Refusal.LIVE_DESCENDANT, carries_nobody),
    Veto(Refusal.IN_USE, is_unused),
    Veto(Refusal.USAGE_LIMIT, has_quota),
)


def refusal(case: Case) -> Refusal | None:
    """The first refusal of this case; None if it may be terminated."""
    return next((veto.refusal for veto in VETOES if not veto.allows(case)), None)
