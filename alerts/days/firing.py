"""One time in which an alert fires."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time in which an alert fires, in seconds of the day; not `told` where another one inhibits it."""

    labels: Mapping[str, str]
    begins: int
    ends: int
    told: bool = True

    @property
    def name(self) -> str:
        """The name of the alert."""
        return self.labels["alertname"]

    @property
    def priority(self) -> str:
        """P1 to P4."""
        return self.labels.get("priority", "")
