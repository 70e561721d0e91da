"""Real agent programs at a usage limit, offline: what is told until the reset, and what protects them."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import MeteredStub
from tests.support.real_agents.moments import press, say, waiting
from tests.support.real_agents.programs import PROGRAMS
from tests.support.real_agents.stage import Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.remediator.orphans import with_stop
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import defaults
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.remediation import Refusal, TargetKind
from tmux_exporter.remediator.make_plan import sample_and_decide
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import PolicySet, TargetMatch

_DRAWN_SECONDS = 4.0
_RESET = "usage_limit_reset_timestamp_seconds"
_IDLERS = with_stop(
    replace(
        ORPHANED_SCHEDULERS,
        name="idlers",
        match=TargetMatch(kind=TargetKind.AGENT, agent_states=(AgentState.IDLE, AgentState.WAITING)),
        warmup=0.0,
    ),
    after=0.0,
)

_LIMITS = {
    "claude": (
        2,
        waiting("its limit is reached", say(Play.QUOTA), (), "wait for limit"),
        waiting("waits for its limit", press("Enter"), (), "hit your", "? for shortcuts"),
    ),
    "codex": (1, waiting("its limit is reached", say(Play.QUOTA), (), "hit your usage limit")),
}
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder with a short path: it holds sockets."""
    with tempfile.TemporaryDirectory(prefix="spend", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "tmux" / f"tmux-{os.getuid()}").mkdir(parents=True, mode=0o700)
        (Path(folder) / "run").mkdir(mode=0o700)
        yield Path(folder)


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    (base / "c.yml").write_text("agents: {pane_text: off}\n")
    made = Exporter(
        base,
        base / "run",
        "--config",
        str(base / "c.yml"),
        environ={"TMUX_TMPDIR": str(base / "tmux"), "HOME": str(base)},
    )
    yield made
    made.end()


@pytest.mark.parametrize("name", _LIMITS)
def test_a_reached_limit_is_told_and_protects_until_its_reset(
    name: str, base: Path, exporter: Exporter
) -> None:
    """Told by its file alone: what its screen shows is not read. Needs the programs of `make check`."""
    # Programs name whole minutes.
    stub = MeteredStub(name, resets_at=(time.time() // 60 + 4) * 60)
    stage = _played(name, _LIMITS[name], base, stub)

    def told() -> tuple[Any, ...]:
        (agent,) = json.loads(exporter.get("api/v1/report"))["agents"]
        return tuple(agent[key] for key in ("state", "waiting_reason", "state_source", _RESET))

    try:
        wait_for(lambda: told() == ("waiting", "usage_limit", "usage_file", stub.resets_at), f"{told()}", 60)
        assert f'{{agent="{name}",' in exporter.metrics().partition(f"\ntmux_agent_{_RESET}")[2]
        environ = {**os.environ, "TMUX_TMPDIR": str(base / "tmux"), "HOME": str(base)}
        verdict, _ = sample_and_decide(
            defaults(), environ, PolicySet(policies=(_IDLERS,)), SystemClock(), lambda _: pause(0.5)
        )
        assert [each.refusal for each in verdict.decisions] == [Refusal.USAGE_LIMIT] and not verdict.plan
        # The menu of Claude may still be open.
        wait_for(lambda: told()[1:2] != ("usage_limit",), "the reset", 300)
        assert time.time() >= stub.resets_at and told()[3] is None
    finally:
        stage.end()
        stub.end()


def _played(name: str, steps: tuple[Any, ...], base: Path, stub: MeteredStub) -> Stage:
    """The program after all steps; they begin with how many of its own come before them."""
    starts, *more = steps
    program = next(each for each in PROGRAMS if each.program == name)
    own = ("--no-daemon",) if name == "codex" else ()
    program = replace(program, arguments=(*own, *program.arguments), steps=(*program.steps[:starts], *more))
    folder = commands_of(program)
    assert folder is not None, f"{name} could not be installed"
    socket = base / "tmux" / f"tmux-{os.getuid()}" / "default"
    stage = Stage(program, folder, base / "homes", socket, stub.url, size=(100, 30))
    try:
        for step in program.steps:
            stage.do(step)
            stage.reached(step)
            # What is typed into a screen that is only being drawn may be lost.
            pause(_DRAWN_SECONDS)
    except BaseException:
        stage.end()
        raise
    return stage
