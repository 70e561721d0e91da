"""What the remediator counts from its start: the figures of its status file."""

from collections import Counter

from tmux_exporter.model import ProcessId
from tmux_exporter.remediation import Action, Outcome, PolicyStatus, Refusal

ENDED_KEPT = 100
"""How many of the shells that were ended last are told: an exporter looks every few seconds."""


class Tally:
    """The counters of one policy, and the shells that it ended."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._matches = 0
        self._actions: Counter[tuple[Action, Outcome]] = Counter()
        self._refusals: Counter[Refusal] = Counter()
        self._ended: list[ProcessId] = []

    @property
    def ended(self) -> tuple[ProcessId, ...]:
        """The shells that were ended last, or are being ended now."""
        return tuple(self._ended)

    def match(self, matches: int) -> None:
        """How many things the policy matched in this cycle."""
        self._matches = matches

    def act(self, action: Action, outcome: Outcome) -> None:
        """Count an action."""
        self._actions[action, outcome] += 1

    def refuse(self, reason: Refusal) -> None:
        """Count a refusal."""
        self._refusals[reason] += 1

    def end(self, shell: ProcessId) -> None:
        """Note a shell as ended, before it is: who sees it gone must find it here."""
        self._ended = [*self._ended, shell][-ENDED_KEPT:]

    def spare(self, shell: ProcessId) -> None:
        """Take that back."""
        self._ended = [each for each in self._ended if each != shell]

    def status(self) -> PolicyStatus:
        """The counts as they are."""
        return PolicyStatus(
            policy=self._policy,
            matches=self._matches,
            actions=dict(self._actions),
            refusals=dict(self._refusals),
        )
