"""Counters of the remediator since its start, for its status file."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import (
    CULPRIT_ACTIONS,
    Action,
    ActionOutcome,
    CulpritKind,
    LeaseMeans,
    PolicyStatus,
    Reclaimed,
    Refusal,
)
from tmux_exporter.remediator.decide.culprit import Culprit

ENDED_KEPT = 100
"""How many of the last terminated shells the status file lists: an exporter reads it every few seconds."""


class RemediatorCounters:
    """The counters of every policy, and the shells of the schedulers that were ended."""

    def __init__(self, policies: Iterable[str]) -> None:
        self._actions: dict[str, Counter[tuple[Action, ActionOutcome]]] = {}
        self._refusals: dict[str, Counter[Refusal]] = {}
        self.use(policies)
        self._matches: Mapping[str, int] = {}
        self._opened: frozenset[str] = frozenset()
        self._ended: list[ProcessId] = []
        self._leases: Counter[tuple[str, LeaseMeans]] = Counter()
        self._lease_ends: dict[str, float] = {}
        self._memory_high: Counter[str] = Counter()
        self._culprits: Counter[tuple[str, Action, CulpritKind]] = Counter()
        self._reclaimed: Counter[tuple[str, Reclaimed]] = Counter()

    def use(self, policies: Iterable[str]) -> None:
        """Count for these policies from now on; what was counted for one of them stays."""
        names = tuple(policies)
        self._actions = {name: self._actions.get(name, Counter()) for name in names}
        self._refusals = {name: self._refusals.get(name, Counter()) for name in names}

    @property
    def ended(self) -> tuple[ProcessId, ...]:
        """The shells that were ended last, or are being ended now."""
        return tuple(self._ended)

    def cycle(self, matches: Mapping[str, int], opened: frozenset[str]) -> None:
        """Matches of each policy in this cycle, and the policies with an open breaker."""
        self._matches, self._opened = matches, opened

    def act(
        self, policy: str, action: Action, outcome: ActionOutcome, culprit: Culprit | None = None
    ) -> None:
        """Count an action, and what was done to a culprit."""
        self._actions[policy][action, outcome] += 1
        if culprit is not None and outcome is ActionOutcome.DONE and action in CULPRIT_ACTIONS:
            kind = CulpritKind.AGENT if culprit.itself else CulpritKind.DESCENDANT
            self._culprits[policy, action, kind] += 1

    def leases(
        self, running: Iterable[tuple[str, LeaseMeans, float]], memory_high: Mapping[str, int]
    ) -> None:
        """The leases in force with the wall time of their end, and how much their events have grown."""
        found = sorted(running, key=lambda each: each[2], reverse=True)
        self._leases = Counter((policy, means) for policy, means, _ in found)
        self._lease_ends = {policy: end for policy, _, end in found}
        self._memory_high.update(memory_high)

    def reclaim(self, policy: str, source: Reclaimed, count: int) -> None:
        """Count bytes that were measured before an act and are gone after it."""
        self._reclaimed[policy, source] += count

    def refuse(self, policy: str, reason: Refusal) -> None:
        """Count a refusal."""
        self._refusals[policy][reason] += 1

    def end(self, shell: ProcessId) -> None:
        """Note a shell as ended, before it is: who sees it gone must find it here."""
        self._ended = [*self._ended, shell][-ENDED_KEPT:]

    def spare(self, shell: ProcessId) -> None:
        """Take that back."""
        self._ended = [each for each in self._ended if each != shell]

    def status(self) -> tuple[PolicyStatus, ...]:
        """The counts as they are."""
        return tuple(
            PolicyStatus(
                policy=name,
                matches=self._matches.get(name, 0),
                actions=dict(self._actions[name]),
                refusals=dict(self._refusals[name]),
                breaker_open=name in self._opened,
                leases={each: self._leases[name, each] for each in LeaseMeans},
                lease_end_timestamp=self._lease_ends.get(name),
                memory_high_events=self._memory_high[name],
                culprits={
                    (action, kind): count
                    for (policy, action, kind), count in self._culprits.items()
                    if policy == name
                },
                reclaimed={each: self._reclaimed[name, each] for each in Reclaimed},
            )
            for name in self._actions
        )
