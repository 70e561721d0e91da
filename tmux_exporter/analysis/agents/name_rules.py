"""Matches the names of windows and sessions against configured patterns, for names and roles of agents.

People and tmux rename windows, so matching is tolerant: case is ignored, and blanks, `_` and `.` equal `-`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.config import RoleConfig
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.tmux import Pane, Session, Window


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRule:
    """A role with shell patterns for names, in lower case and with `-` for every blank, `_` and `.`.

    One of `windows` and one of `sessions` must match, where the list is not empty.
    """

    role: str
    windows: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()


ROLES: tuple[RoleRule, ...] = (
    RoleRule(role="project-manager", windows=("*project-manager*", "pm", "pm-*", "*-pm", "*-pm-*")),
    RoleRule(role="orchestrator", windows=("*orchestrator*", "tmux-orc")),
    RoleRule(
        role="code-reviewer", windows=("*code-review*", "*codereview*", "*reviewer*", "review", "*-review")
    ),
    RoleRule(role="qa", windows=("qa", "qa-*", "*-qa", "*-qa-*", "*tester*", "*test-engineer*")),
    RoleRule(role="devops", windows=("*devops*", "*-ops", "sre", "*-sre")),
    RoleRule(role="researcher", windows=("*research*",)),
    RoleRule(role="documentation-writer", windows=("*doc*-writer*", "docs", "*-docs", "documentation")),
    RoleRule(role="engineer", windows=("*engineer*", "*developer*", "claude-*", "*-agent", "*-agent-*")),
    RoleRule(role="dev-server", windows=("*-dev", "dev-server", "*-server", "uvicorn-*")),
    RoleRule(role="shell", windows=("shell", "*-shell")),
    RoleRule(role="orchestrator", sessions=("*orchestrator*", "tmux-orc")),
)
"""The order matters: `backend-pm` is a manager, `Claude-QA` a tester."""


def role_of(pane: Pane, window: Window | None, session: Session, configured: Sequence[RoleConfig]) -> str:
    """The role as a label; empty where no rule matches. The automatic name of a window is ignored."""
    if pane.role_option.strip():
        return label_text(pane.role_option)
    location = LocationNames.of(window, session)
    own = (RoleRule(role=each.role, windows=each.windows, sessions=each.sessions) for each in configured)
    return next((rule.role for rule in (*own, *ROLES) if location.fit(rule.windows, rule.sessions)), "")
