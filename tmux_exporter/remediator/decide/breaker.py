"""Circuit breaker: stops a policy that does harm or has no effect; pure.

It opens when targets survive, when terminated things are missed, when an agent keeps coming back, and on more
matches than `max_match`. While it is open the policy terminates nothing; after a while one action is let
through, and its outcome decides.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.label import bounded
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import LeakReport, Report, SchedulerReport
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.order import Target
from tmux_exporter.remediator.policies.policy import Breaker

_MOST_ENDED = 200


class OpenReason(StrEnum):
    """What opened a breaker (closed list)."""

    SURVIVED = "survived"
    REGRET = "regret"
    RESTARTS = "restarts"
    MAX_MATCH = "max_match"


class EndedTarget(NamedTuple):
    """A terminated target: when, and the names that show that it is missed.

    `names` are the sessions that a scheduler would have typed into and that were not there, at the tmux
    servers `servers`; or the hash of a command line.
    """

    at: float
    target: Target
    servers: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """The state of one policy's breaker; times are monotonic. `tried_at` is the act that was let through."""

    opened_at: float | None = None
    why: OpenReason | None = None
    tried_at: float | None = None
    failed: int = 0
    regrets: int = 0
    ended: tuple[EndedTarget, ...] = ()
    stops: tuple[tuple[float, Target], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it stops its policy."""
        return self.opened_at is not None

    def left(self, breaker: Breaker, now: float) -> int | None:
        """How many targets may be terminated now; None means no limit."""
        if self.opened_at is None:
            return None
        if breaker.half_open_after is None or now - self.opened_at < breaker.half_open_after:
            return 0
        return int(self.tried_at is None or now - self.tried_at >= breaker.half_open_after)


def opened(breaker_state: BreakerState, why: OpenReason, now: float) -> BreakerState:
    """The breaker after it was opened, or opened again."""
    return replace(breaker_state, opened_at=now, why=why, tried_at=None, failed=0, regrets=0)


def tried(breaker_state: BreakerState, now: float) -> BreakerState:
    """The breaker once something is let through."""
    return replace(breaker_state, tried_at=now) if breaker_state.is_open else breaker_state


def survived(breaker_state: BreakerState, breaker: Breaker, now: float) -> BreakerState:
    """The breaker after a target that nothing has ended."""
    breaker_state = replace(breaker_state, failed=breaker_state.failed + 1)
    if breaker_state.is_open or breaker_state.failed >= breaker.failed_verifications:
        return opened(breaker_state, OpenReason.SURVIVED, now)
    return breaker_state


def ended(
    breaker_state: BreakerState, breaker: Breaker, candidate: TargetCandidate, report: Report, now: float
) -> BreakerState:
    """The breaker after a target that was seen to be gone; `report` is what it was ended on."""
    target = candidate.target
    mark = EndedTarget(now, target, candidate.servers, _names(candidate, report))
    breaker_state = replace(
        breaker_state,
        opened_at=None,
        why=None,
        tried_at=None,
        failed=0,
        ended=(*breaker_state.ended, mark)[-_MOST_ENDED:],
    )
    if target.kind is not TargetKind.AGENT or breaker.restarts is None:
        return breaker_state
    stops = tuple(
        each for each in (*breaker_state.stops, (now, target)) if now - each[0] <= breaker.restarts_within
    )
    breaker_state = replace(breaker_state, stops=stops)
    same = sum(_is_same_agent(each, target) for _, each in stops)
    return opened(breaker_state, OpenReason.RESTARTS, now) if same >= breaker.restarts else breaker_state


def watched(breaker_state: BreakerState, breaker: Breaker, report: Report, now: float) -> BreakerState:
    """The breaker after a sample: whether a terminated target is missed by now."""
    kept = tuple(each for each in breaker_state.ended if now - each.at <= breaker.regret_window)
    regretted = [each for each in kept if _is_missed(each, report)]
    breaker_state = replace(
        breaker_state,
        ended=tuple(each for each in kept if each not in regretted),
        regrets=breaker_state.regrets + len(regretted),
    )
    if regretted and breaker_state.regrets >= breaker.regrets:
        return opened(breaker_state, OpenReason.REGRET, now)
    return breaker_state


def session_of(target: str) -> str:
    """The label of the session that a target of tmux names; empty where it names none."""
    name = target.removeprefix("=").partition(":")[0]
    return "" if name[:1] in ("%", "@", "$", "{") else bounded(name)


def _names(candidate: TargetCandidate, report: Report) -> tuple[str, ...]:
    subject = candidate.subject
    if isinstance(subject, LeakReport):
        return (subject.argv_sha256,) if subject.argv_sha256 else ()
    if not isinstance(subject, SchedulerReport):
        return ()
    there = _sessions(candidate.servers, report)
    return tuple(name for target in subject.targets if (name := session_of(target)) and name not in there)


def _sessions(servers: tuple[str, ...], report: Report) -> set[str]:
    return {each.session for each in report.sessions if each.server in servers}


def _is_missed(ended: EndedTarget, report: Report) -> bool:
    match ended.target.kind:
        case TargetKind.SCHEDULER:
            return not _sessions(ended.servers, report).isdisjoint(ended.names)
        case TargetKind.LEAKED_PROCESS:
            return any(
                each.argv_sha256 in ended.names and each.process not in ended.target.processes
                for each in report.leaks
            )
        case _:
            return False


def _is_same_agent(one: Target, other: Target) -> bool:
    return (one.server, one.session, one.name) == (other.server, other.session, other.name)
