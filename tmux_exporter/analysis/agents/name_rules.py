"""Matches the names of windows and sessions against configured patterns, for names and roles of agents.

People and tmux rename windows, so matching is tolerant: case is ignored, and blanks, `_` and `.` equal `-`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.facts.tmux import Session, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationNames:
    """The names of an agent's window and session; `window` is None where tmux has named it itself."""

    window: str | None
    session: str

    @classmethod
    def of(cls, window: Window | None, session: Session) -> "LocationNames":
        """The names to match; the automatic name of a window is ignored."""
        named = window is not None and not window.automatic_rename
        return cls(
            window=plain(window.name) if window is not None and named else None, session=plain(session.name)
        )

    def fit(self, windows: Sequence[str], sessions: Sequence[str]) -> bool:
        """Whether a pattern of each list that is not empty matches."""
        if windows and (self.window is None or not any(_fits(self.window, each) for each in windows)):
            return False
        return not sessions or any(_fits(self.session, each) for each in sessions)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name or a pattern, normalized for comparison."""
    return re.sub(r"[\s_.]", "-", name.lower())


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, plain(pattern))
