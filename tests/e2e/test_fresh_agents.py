"""Coding agents as they install, each started in three ways without a network: recognised, with its version.

`make check` installs them before (tests/support/programs/fresh_agents.py). A registry that is away skips its
programs, with the reason; whatever else is missing fails.
"""

import shlex
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.programs.fresh_agents import PLACE, locked, ways
from tests.support.programs.fresh_program import fresh_program
from tests.support.tmux.played_agent import PlayedAgents
from tests.support.wait import wait_for

AGENTS = {name: each for name, each in locked().items() if each.agent}

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", AGENTS)
def test_a_fresh_install_is_recognised_however_it_is_started(
    name: str, tmux_server: StartTmux, socket_dir: Path
) -> None:
    each = AGENTS[name]
    fresh_program(name)
    agents = PlayedAgents(socket_dir.parent, tmux_server("default"))
    started = dict(ways(each, PLACE))
    assert len(started) >= 3
    for way, command in started.items():
        home = agents.base / f"home-{way}"
        (home / "work").mkdir(parents=True)
        for file, content in each.files.items():
            (home / file).write_text(content)
        script = f"export HOME={home} TERM=xterm-256color; cd ~/work; {command}"
        agents.server.cmd(
            "new-window", "-d", "-n", way, "-t", "main:", f"bash -c {shlex.quote(script)}; sleep 900"
        )
    # What npm installed says its version.
    told = each.registry == "npm" and not each.titled
    wanted = dict.fromkeys(started, (each.program or name, each.version if told else ""))

    def seen() -> dict[str, tuple[str, str]]:
        up = {way: found for way, found in agents.look().items() if found.up}
        return {way: (found.program, found.version if told else "") for way, found in up.items()}

    def drawn() -> bool:
        screens = (agents.server.cmd("capture-pane", "-p", "-t", f"main:{way}").stdout for way in started)
        return all(any(line.strip() for line in screen) for screen in screens)

    wait_for(drawn, "each has begun to draw, and did not only start", 240.0)
    wait_for(lambda: seen() == wanted, f"{wanted} are seen", 60.0)
