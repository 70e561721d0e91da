"""Counters of the remediator since its start, for its status file."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, LeaseMeans, PolicyStatus, Refusal

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
        self._memory_high: Counter[str] = Counter()

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

    def act(self, policy: str, action: Action, outcome: ActionOutcome) -> None:
        """Count an action."""
        self._actions[policy][action, outcome] += 1

    def leases(self, running: Iterable[tuple[str, LeaseMeans]], memory_high: Mapping[str, int]) -> None:
        """The leases that hold now, and how much their events have grown, by policy."""
        self._leases = Counter(running)
        self._memory_high.update(memory_high)

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
                memory_high_events=self._memory_high[name],
            )
            for name in self._actions
        )
