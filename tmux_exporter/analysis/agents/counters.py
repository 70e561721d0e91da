"""Counters of agents: restarts, time per state, recovery time. They start at 0 and never fall.

They follow the labels of an agent, as its CPU counters do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.analysis.histogram import Buckets
from tmux_exporter.analysis.label_expiry import LabelExpiry
from tmux_exporter.facts.agents import AgentState, TrackedAgent
from tmux_exporter.facts.report import Histogram
from tmux_exporter.facts.tmux import ServerView

RECOVERY_BOUNDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""In seconds: from a relaunch by a wrapper to one by a person."""

Labels = tuple[str, str, str]


@dataclass(slots=True)
class _Counts:
    restarts: int = 0
    seconds: dict[AgentState, float] = field(default_factory=lambda: dict.fromkeys(AgentState, 0.0))


class AgentCounts:
    """The counters; call `observe` once per sample, in order."""

    def __init__(self) -> None:
        self._counts: dict[Labels, _Counts] = {}
        self._shown: Mapping[Labels, AgentState] = {}
        self._expiry: LabelExpiry[Labels] = LabelExpiry()
        self._recovery: dict[str, Buckets] = {}
        self._outages: dict[str, Buckets] = {}
        self._at: float | None = None

    def observe(
        self, tracked_agents: Sequence[TrackedAgent], servers: Sequence[ServerView], at: float, now: float
    ) -> None:
        """Count one sample taken at the monotonic time `at`, which is the wall time `now`.

        The time since the last sample is added to the current state of each agent, as its CPU usage is; what
        passed before that state began, where its source tells, to the state before. A new label starts at 0;
        a label that comes back continues from its last value.
        """
        passed = 0.0 if self._at is None else max(0.0, at - self._at)
        self._at = at
        before, self._shown = (
            self._shown,
            {(each.server, each.session, each.name): each.status.state for each in tracked_agents},
        )
        for tracked in tracked_agents:
            labels = (tracked.server, tracked.session, tracked.name)
            if (counts := self._counts.get(labels)) is None:
                self._counts[labels] = _Counts()
                continue
            counts.restarts += tracked.restarted
            if labels in before:
                lasted = now - tracked.status.since
                # Without a source that tells, a state begins with the sample that finds it.
                since = lasted if 0 < lasted < passed else passed
                counts.seconds[before[labels]] += passed - since
                counts.seconds[tracked.status.state] += since
        for labels in self._expiry.expired(self._counts, self._shown.keys(), at):
            del self._counts[labels]
        shown = [view.label for view in servers]
        known = self._recovery.keys()
        self._recovery, self._outages = _of(self._recovery, shown), _of(self._outages, shown)
        for tracked in tracked_agents:
            if tracked.recovered_seconds is not None and tracked.server in known:
                self._recovery[tracked.server].add(tracked.recovered_seconds)
                if tracked.declared or tracked.had_crashed:
                    self._outages[tracked.server].add(tracked.recovered_seconds)

    def restarts(self, labels: Labels) -> int:
        """How often an agent was restarted with a new process."""
        return self._of(labels).restarts

    def seconds(self, labels: Labels) -> dict[AgentState, float]:
        """Seconds that an agent was seen in each state."""
        return dict(self._of(labels).seconds)

    def recovery(self) -> dict[str, Histogram]:
        """How long agents were down before they were up again, by server."""
        return {label: buckets.histogram() for label, buckets in self._recovery.items()}

    def outages(self) -> dict[str, Histogram]:
        """The same of agents that are declared or had crashed."""
        return {label: buckets.histogram() for label, buckets in self._outages.items()}

    def _of(self, labels: Labels) -> _Counts:
        return self._counts.get(labels) or _Counts()


def _of(buckets: Mapping[str, Buckets], labels: Sequence[str]) -> dict[str, Buckets]:
    """Those of these servers; new ones where there were none."""
    return {label: buckets.get(label) or Buckets(RECOVERY_BOUNDS) for label in labels}
