"""Reports with schedulers in them, for the remediator's policy: one healthy server, cycles of 5 seconds.

The clocks of a test start at wall time WALL and monotonic time 0; a report is seen 0.1 s after its listing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.literals.report import UP
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Refusal
from tmux_exporter.facts.report import Report, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.candidates import Key
from tmux_exporter.remediator.decide.decide import decide, start
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.decide.state import Decision, Verdict, WatchedTarget
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Policy, PolicySet

WALL = 1_795_500_000.0
INTERVAL = 5.0
OWN = frozenset({1, 40, 41})
SERVER = replace(UP, server="default", pid=100)


def orphan(pid: int = 500, **changes: Any) -> SchedulerReport:
    """A dangling scheduler that has hours left; its sleep is the next pid."""
    fields: dict[str, Any] = {
        "server": "default", "session": "", "state": SchedulerState.DANGLING, "reason": "no target exists",
        "targets": ("gone:0",), "process": ProcessId(pid, 9_000), "sleep": ProcessId(pid + 1, 9_000),
        "due_timestamp_seconds": WALL + 100_000, "memory_bytes": 1_000_000, "cpu_seconds_total": 0.0,
        "open_fds": 3, "aimed": ("default",), "judged_at": 0.0,
    }  # fmt: skip
    return SchedulerReport(**(fields | changes))


def seen(*schedulers: SchedulerReport, servers: tuple[ServerReport, ...] = (SERVER,), **more: Any) -> Report:
    """A complete report of these schedulers."""
    fields: dict[str, Any] = {
        "timestamp": WALL, "duration_seconds": 0.1, "interval_seconds": INTERVAL, "complete": True,
        "samples": {}, "servers": servers, "schedulers": schedulers, "collector_success": {"processes": True},
    }  # fmt: skip
    return Report(**(fields | more))


def with_stop(policy: Policy, **changes: Any) -> Policy:
    """The same policy with another stop."""
    ladder = tuple(replace(each, **changes) if each.action is Action.STOP else each for each in policy.ladder)
    return replace(policy, ladder=ladder)


class Cycles:
    """A remediator's policy, cycle by cycle; `now` is monotonic, `step` is how far the wall clock was set."""

    def __init__(self, policy: Policy = ORPHANED_SCHEDULERS) -> None:
        self.policy = policy
        self.more: tuple[Policy, ...] = ()
        self.own = OWN
        self.holds: tuple[Hold, ...] = ()
        self.now = 0.0
        self.step = 0.0
        self.state = start(self.moment())
        self.verdict = Verdict(decisions=(), matches={}, blind=True, state=self.state)

    def moment(self) -> Moment:
        return Moment(wall=WALL + self.now + self.step, monotonic=self.now)

    def see(self, report: Report, *, after: float = INTERVAL, aged: float = 0.1) -> tuple[Decision, ...]:
        """The decisions on a report that comes `after` seconds, its listings `aged` seconds old."""
        self.now += after
        judged = tuple(
            each if each.judged_at is None else replace(each, judged_at=self.now - aged)
            for each in report.schedulers
        )
        servers = tuple(
            each if each.listing_taken_at is None else replace(each, listing_taken_at=self.now - aged)
            for each in report.servers
        )
        report = replace(report, schedulers=judged, servers=servers, timestamp=self.moment().wall - aged)
        policies = PolicySet(policies=(self.policy, *self.more), per_cycle=1_000, per_hour=100_000)
        self.verdict = decide(policies, report, self.state, self.moment(), self.own, holds=self.holds)
        self.state = self.verdict.state
        return self.verdict.decisions

    @property
    def matches(self) -> int:
        """How many things matched in the last cycle."""
        return self.verdict.matches[self.policy.name]

    @property
    def watches(self) -> Mapping[Key, WatchedTarget]:
        """What is watched."""
        return self.state.policies[self.policy.name].watches

    def run(self, report: Report, seconds: float) -> list[tuple[float, Decision]]:
        """Every decision, with its time, of that many seconds in which nothing changes."""
        end = self.now + seconds
        found: list[tuple[float, Decision]] = []
        while self.now + INTERVAL <= end:
            found += [(self.now, decision) for decision in self.see(report)]
        return found


def actions(decisions: tuple[Decision, ...]) -> list[Action]:
    """What is to be done."""
    return [each.action for each in decisions if each.action is not None]


def refusals(decisions: tuple[Decision, ...]) -> list[Refusal]:
    """What is left alone, and why."""
    return [each.refusal for each in decisions if each.refusal is not None]
