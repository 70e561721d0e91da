"""Roles by names: windows and sessions of Tmux-Orchestrator, configured rules, and `@role` before all."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import listing
from tmux_exporter.analysis.agents.name_rules import ROLES, role_of
from tmux_exporter.config import RoleConfig


def role(
    window: str,
    session: str = "shop",
    *,
    option: str = "",
    automatic: bool = False,
    rules: tuple[RoleConfig, ...] = (),
) -> str:
    listed = listing({session: [window]})
    pane = replace(listed.panes[0], role_option=option)
    return role_of(pane, replace(listed.windows[0], automatic_rename=automatic), listed.sessions[0], rules)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("Project-Manager", "project-manager"), ("frontend-pm", "project-manager"),
        ("Orchestrator", "orchestrator"), ("TEMP-CodeReview", "code-reviewer"),
        ("Code Reviewer", "code-reviewer"), ("Claude-QA", "qa"), ("DevOps", "devops"),
        ("Researcher", "researcher"), ("Documentation_Writer", "documentation-writer"),
        ("Claude-Agent", "engineer"), ("Claude-Frontend", "engineer"), ("Developer.2", "engineer"),
        ("Dev-Server", "dev-server"), ("NextJS-Dev", "dev-server"), ("Uvicorn-API", "dev-server"),
        ("Convex-Server", "dev-server"), ("Shell", "shell"), ("Backend-Shell", "shell"), ("claude", ""),
        ("rpm", ""), ("main", ""), ("", ""),
    ],
)  # fmt: skip
def test_names_of_windows(window: str, expected: str) -> None:
    assert role(window) == expected


def test_a_session_tells_what_its_window_does_not() -> None:
    assert role("0", "orchestrator") == "orchestrator"
    assert role("0", "tmux-orc") == "orchestrator"
    assert role("Project-Manager", "orchestrator") == "project-manager"
    assert role("0", "shop") == ""


def test_a_name_that_tmux_gave_says_nothing() -> None:
    assert role("Claude-Agent", automatic=True) == ""
    assert role("Claude-Agent", "orchestrator", automatic=True) == "orchestrator"


def test_the_option_is_above_all_and_is_cleaned() -> None:
    assert role("Claude-Agent", option="lead\x1b") == "lead\\033"
    assert role("Claude-Agent", option=" ") == "engineer"


def test_own_rules_come_first_and_need_all_that_they_name() -> None:
    rules = (RoleConfig(role="boss", windows=("claude agent",), sessions=("SHOP*",)),)
    assert role("Claude-Agent", rules=rules) == "boss"
    assert role("Claude-Agent", "other", rules=rules) == "engineer"
    assert role("Shell", rules=rules) == "shell"
    assert role("x", rules=(RoleConfig(role="any", sessions=("shop",)),)) == "any"


def test_every_built_in_rule_can_fit() -> None:
    for rule in ROLES:
        for pattern in rule.windows:
            assert role(pattern.replace("*", "x")), pattern
