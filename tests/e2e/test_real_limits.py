"""Real agent programs at a usage limit, offline: what is told until the reset, and what protects them."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.home import default_socket, exporter_of, short_home
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.metered import MeteredStub
from tests.support.real_agents.moments import idle, press, say, waiting, working
from tests.support.real_agents.programs import PROGRAMS
from tests.support.real_agents.stage import NotStagedError, Stage, pause
from tests.support.real_agents.stub import Play
from tests.support.remediator.orphans import with_stop
from tests.support.wait import wait_for
from tmux_exporter.config import defaults
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.remediation import Refusal, TargetKind
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import PolicySet, TargetMatch
from tmux_exporter.remediator.service import decide_now

_DRAWN_SECONDS = 4.0
_MINUTES = 3
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
    "codex": (
        1,
        idle("has answered", say(Play.SAY), "All of it is done."),
        waiting("its limit is reached", say(Play.QUOTA), (), "hit your usage limit"),
    ),
}
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def base() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def exporter(base: Path) -> Iterator[Exporter]:
    (base / "c.yml").write_text("agents: {pane_text: off}\n")
    with exporter_of(base, "--config", str(base / "c.yml")) as made:
        yield made


@pytest.mark.parametrize("name", _LIMITS)
def test_a_reached_limit_is_told_and_protects_until_its_reset(
    name: str, base: Path, exporter: Exporter, chrome: Chrome
) -> None:
    """Told by its file alone: what its screen shows is not read. Needs the programs of `make check`."""
    stub = MeteredStub(name)
    stage = _played(name, _LIMITS[name], base, stub)

    def told() -> tuple[Any, ...]:
        (agent,) = json.loads(exporter.get("api/v1/report"))["agents"]
        return tuple(agent[key] for key in ("state", "waiting_reason", "state_source", _RESET))

    try:
        wait_for(lambda: told() == ("waiting", "usage_limit", "usage_file", stub.resets_at), f"{told()}", 60)
        (line,) = (
            each for each in exporter.metrics().splitlines() if each.startswith(f"tmux_agent_{_RESET}{{")
        )
        assert f'agent="{stage.program.name}:0"' in line and float(line.split()[-1]) == stub.resets_at
        environ = {**os.environ, "TMUX_TMPDIR": str(base / "tmux"), "HOME": str(base)}
        assert re.search(rf"{stage.program.name}:0.* limit, \d", _top(base, environ)), _top(base, environ)
        assert f"until {time.strftime('%-I:%M', time.localtime(stub.resets_at))}" in _paged(chrome, exporter)
        assert _refusals(environ) == [Refusal.USAGE_LIMIT]
        # The menu of Claude may still be open.
        wait_for(lambda: told()[1:2] != ("usage_limit",), "the reset", 300)
        assert time.time() >= stub.resets_at and told()[3] is None
        assert _refusals(environ) not in ([], [Refusal.USAGE_LIMIT])
        stage.do(working("goes on", say(Play.THINK)))
        wait_for(lambda: told()[0] == "working", f"{told()}\n{stage.screen()}", 60)
    finally:
        stage.end()
        stub.end()


def _refusals(environ: Mapping[str, str]) -> list[Refusal | None]:
    """Why agents that rest would be left alone now, None for those that would be ended; none is."""
    verdict, _ = decide_now(defaults(), environ, PolicySet(policies=(_IDLERS,)))
    found = [each.refusal for each in verdict.state.policies[_IDLERS.name].watches.values()]
    assert len(verdict.plan) == found.count(None)
    return found


def _top(base: Path, environ: Mapping[str, str]) -> str:
    """What the running exporter tells `top`."""
    script = Path(sys.executable).with_name("tmux-exporter")
    environ = {**environ, "XDG_RUNTIME_DIR": str(base / "run"), "XDG_STATE_HOME": str(base), "COLUMNS": "160"}
    return subprocess.run(
        [script, "top", "--once"], env=environ, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def _paged(chrome: Chrome, exporter: Exporter) -> str:
    """What the live page says of the agents."""
    chrome.get(exporter.url)
    try:
        wait_for(lambda: chrome.find_elements(By.CSS_SELECTOR, "#agents tbody tr"), "the page is drawn", 60)
        return chrome.find_element(By.ID, "agents").text
    finally:
        # Its stream of events would keep the server.
        chrome.get("about:blank")


def _played(name: str, steps: tuple[Any, ...], base: Path, stub: MeteredStub) -> Stage:
    """The program after all steps; they begin with how many of its own come before them."""
    starts, *more = steps
    program = next(each for each in PROGRAMS if each.program == name)
    own = ("--no-daemon",) if name == "codex" else ()
    program = replace(program, arguments=(*own, *program.arguments), steps=(*program.steps[:starts], *more))
    folder = commands_of(program)
    assert folder is not None, f"{name} could not be installed"
    socket = default_socket(base)
    stage = Stage(program, folder, base / "homes", socket, stub.url, size=(100, 30))
    try:
        for step in program.steps:
            # Programs name whole minutes; on a busy machine Codex is not ready for long after it seems to be.
            stub.resets_at = (time.time() // 60 + _MINUTES) * 60
            stage.do(step)
            try:
                stage.reached(step)
            except NotStagedError:
                stage.reached(step)
            # What is typed into a screen that is only being drawn may be lost.
            pause(_DRAWN_SECONDS)
    except BaseException:
        stage.end()
        raise
    return stage
