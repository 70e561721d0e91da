"""The role of an agent: its pane's `@role`, else a rule that matches the names of its window and session.

The first matching rule decides. Configured rules come before the built-in ones, which match the names that
Tmux-Orchestrator uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.name_rules import LocationNames
from tmux_exporter.config import RoleConfig
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.tmux import Pane, Session, Window


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
