"""A program of the lock, for the test that runs it."""

from pathlib import Path

import pytest

from tests.support.programs.fresh_agents import PLACE, locked


def fresh_program(name: str) -> Path:
    """The folder that it is installed to. A registry that was away skips the test, whatever else fails it."""
    each, problem = locked()[name], PLACE / f"{name}.problem"
    if problem.exists():
        words = problem.read_text()
        (pytest.skip if words.startswith("away") else pytest.fail)(f"{each.package} {each.version}: {words}")
    assert (PLACE / name / ".done").exists(), "python -m tests.support.programs.fresh_agents"
    return PLACE / name
