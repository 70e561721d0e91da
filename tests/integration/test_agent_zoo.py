"""Decoys of agents: none is ever called one, and each guard is what tells its decoys apart."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.literals.agents import find_agents
from tests.support.scenes.own_sockets import own_sockets
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tests.support.zoo.agent_decoys import DECOYS, GUARDS, VIEWS, mutate
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import matcher

_PROGRAMS = (
    *(f"bin/{name}" for name in ("claude", "codex", "opencode", "goose", "claude-code-router", "my-codex")),
    *(f"bin/{name}" for name in ("claude-desktop", "grep", "vim", "less", "tail", "ssh", "worker")),
    *("share/claude/versions/rg", "claude-desktop/claude", "Claude.app/claude", "renamed/claude"),
)


class AgentZoo:
    """All decoys in panes of one server; `red` judges one look at them, with guards taken away."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.panes: dict[str, str] = {}
        for path in _PROGRAMS:
            place = scene.base / path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("/bin/sh", place)
        (scene.base / "bin" / "python3").symlink_to(sys.executable)
        (scene.base / "share" / "claude" / "server.py").write_text("import time\ntime.sleep(3600)\n")

    def start(self) -> None:
        scene = self.scene
        scene.start()
        for each in DECOYS:
            command = each.command.format(bin=scene.base / "bin", base=scene.base)
            for word in command.split()[1:]:
                script = scene.base / word.strip("'")
                if not script.exists() and not word.startswith("-"):
                    script.write_text("sleep 3600; :\n")
            pane = scene.tmux(
                *("new-window", "-d", "-P", "-F", "#{pane_id}", "-n", each.window, "-c", str(scene.base)),
                command,
            )
            self.panes[each.name] = pane
            if each.title:
                scene.tmux("select-pane", "-t", pane, "-T", each.title)

        def running() -> bool:
            scene.look()
            seen = {word for process in scene.table.processes.values() for word in process.argv or ()}
            return {each.seen for each in DECOYS} <= seen

        wait_for(running, "all decoys run", 60.0)

    def red(self, *guards: str) -> set[str]:
        """The decoys that are called agents without these guards."""
        # What it knows of a command line it knows with all guards.
        matcher.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            table, view = SIGNATURES, self.scene.view
            for guard in guards:
                table = mutate(guard, patch)
                view = VIEWS[guard](view) if guard in VIEWS else view
            found = find_agents(self.scene.table, self.scene.owners, view, table, AgentNames())
        matcher.cache_clear()
        panes = {pane: name for name, pane in self.panes.items()}
        return {panes[agent.pane.pane] for agent in found}


@pytest.fixture(scope="module")
def zoo() -> Iterator[AgentZoo]:
    with own_sockets() as (sockets, _), closing(Scene(sockets.parent, sockets)) as scene:
        made = AgentZoo(scene)
        made.start()
        yield made


def test_no_decoy_is_ever_called_an_agent(zoo: AgentZoo) -> None:
    assert zoo.red() == set()
    assert len(zoo.panes) == len(DECOYS)


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_exactly_its_decoys_turn_red(zoo: AgentZoo, guard: str) -> None:
    own = {each.name for each in DECOYS if guard in each.guards}
    assert own
    assert zoo.red(guard) == own
