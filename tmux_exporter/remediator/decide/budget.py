"""How many ends all policies together may ask for; pure."""

from tmux_exporter.remediator.decide.candidates import Key
from tmux_exporter.remediator.policies.policy import PolicySet


class SharedBudget:
    """The budget over all policies, and the targets taken in this cycle."""

    def __init__(self, policies: PolicySet, stops: tuple[float, ...], now: float) -> None:
        window = max(each.budget_window for each in policies.policies)
        self.counted = tuple(at for at in stops if now - at < window)
        self._left = min(policies.per_cycle, policies.per_hour - len(self.counted))
        self._now = now
        self._taken: set[Key] = set()

    def is_taken(self, key: Key) -> bool:
        """Whether another policy ends it in this cycle."""
        return key in self._taken

    def take(self, key: Key) -> bool:
        """Whether there is one more left; then it is taken."""
        if self._left <= 0:
            return False
        self._left -= 1
        self._taken.add(key)
        self.counted = (*self.counted, self._now)
        return True
