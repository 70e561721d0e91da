"""Rules of the configuration on the names of windows and sessions; pure.

Names are advice only: people rename windows, and tmux does. So capitals do not count, and blanks, `_` and `.`
are as `-`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.facts.tmux import Session, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationNames:
    """The names of an agent's window and session; `window` is None where nobody chose it."""

    window: str | None
    session: str

    @classmethod
    def of(cls, window: Window | None, session: Session) -> "LocationNames":
        """A window that tmux names after its running command has no name that says anything."""
        named = window is not None and not window.automatic_rename
        return cls(
            window=plain(window.name) if window is not None and named else None, session=plain(session.name)
        )

    def fit(self, windows: Sequence[str], sessions: Sequence[str]) -> bool:
        """Whether one of each fits, of those lists that are not empty."""
        if windows and (self.window is None or not any(_fits(self.window, each) for each in windows)):
            return False
        return not sessions or any(_fits(self.session, each) for each in sessions)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name or a pattern as it is compared."""
    return re.sub(r"[\s_.]", "-", name.lower())


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, plain(pattern))
