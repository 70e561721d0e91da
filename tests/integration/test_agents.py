"""Agents among real processes in real panes: programs of the right shape, and decoys that only look like one.

The programs are copies and links of ordinary ones under an agent's name: what counts is how the kernel and
tmux show them.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.literals.agents import find_agents
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.facts.agents import Agent
from tmux_exporter.sources.tmux import socket_files


class Fleet:
    """A server with panes, and the agents that are seen in them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.names = AgentNames()
        self.bin = scene.base / "bin"
        self.bin.mkdir()
        scene.start()

    def program(self, path: str, of: str) -> Path:
        """A copy of a program under another path."""
        place = self.scene.base / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(of, place)
        return place

    def agents(self) -> list[Agent]:
        """The agents of the next sample."""
        self.scene.look()
        scene = self.scene
        return list(find_agents(scene.table, scene.owners, scene.view, SIGNATURES, self.names))

    def wait_for(self, *programs: str) -> list[Agent]:
        """Samples until exactly these programs are seen, in the order of their starts."""

        def found() -> list[Agent] | None:
            agents = self.agents()
            return agents if [agent.program for agent in agents] == list(programs) else None

        agents = wait_for(found, f"agents {programs}")
        assert agents is not None
        return agents

    def command(self, agent: Agent) -> list[str]:
        """The first words of the command lines of an agent's members, sorted."""
        by_id = {process.id: process for process in self.scene.table.processes.values()}
        return sorted(Path((by_id[member].argv or ("",))[0]).name for member in agent.members)


@pytest.fixture
def fleet(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    base = socket_dir.parent
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(base / "none"))
    scene = Scene(base, socket_dir)
    yield Fleet(scene)
    scene.close()


def test_a_native_program_by_its_link_and_by_its_versioned_path(fleet: Fleet) -> None:
    file = fleet.program("share/claude/versions/2.1.197", "/bin/sleep")
    (fleet.bin / "claude").symlink_to(file)
    by_link = fleet.scene.shell(f"{fleet.bin}/claude 3600", "-n", "Claude-Agent")
    (agent,) = fleet.wait_for("claude")
    assert (agent.name, agent.pane.pane, agent.version) == ("Claude-Agent", by_link, "2.1.197")
    by_path = fleet.scene.shell(f"{file} 3600")
    _, agent = fleet.wait_for("claude", "claude")
    assert fleet.scene.process(agent.process.pid).comm == "2.1.197"
    assert (agent.pane.pane, agent.version) == (by_path, "2.1.197")
    # An update deletes the file of a running program.
    file.unlink()
    assert [each.version for each in fleet.agents()] == ["2.1.197", "2.1.197"]


def test_a_script_that_starts_itself_again_is_one_agent(fleet: Fleet) -> None:
    script = fleet.bin / "gemini"
    script.write_text(
        "import subprocess, sys, time\n"
        "if len(sys.argv) == 1: subprocess.run([sys.executable, '-u', '-B', sys.argv[0], 'again'])\n"
        "else: time.sleep(3600)\n"
    )
    (fleet.bin / "node").symlink_to(sys.executable)
    fleet.scene.shell(f"PATH={fleet.bin}:$PATH; node {script}")

    def both() -> bool:
        return any(len(agent.members) == 2 for agent in fleet.agents())

    wait_for(both, "it has started itself again")
    (agent,) = fleet.wait_for("gemini")
    argv = fleet.scene.process(agent.process.pid).argv
    assert argv is not None and argv[0] == "node"


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("claude", "env -i PATH=/bin {bin}/claude 3600"),
        ("claude", "timeout 3600 {bin}/claude 3600"),
        ("codex", "{bin}/bwrap -c '{bin}/codex 3600; :'"),
        ("codex", "{bin}/npx -c 'sh -c \"{bin}/codex 3600; :\"; :'"),
        ("aider", "{bin}/uvx -c 'python3 {bin}/aider; :' aider"),
        ("aider", "python3 -m aider"),
    ],
)
def test_whatever_starts_an_agent_is_none_itself(fleet: Fleet, program: str, command: str) -> None:
    for name in ("claude", "codex"):
        fleet.program(f"bin/{name}", "/bin/sleep")
    for name in ("bwrap", "npx", "uvx"):
        fleet.program(f"bin/{name}", "/bin/sh")
    (fleet.bin / "aider").write_text("import time; time.sleep(3600)\n")
    (fleet.bin / "aider.py").symlink_to("aider")
    (fleet.bin / "python3").symlink_to(sys.executable)
    pane = fleet.scene.shell(
        f"export PYTHONPATH={fleet.bin} PATH={fleet.bin}:$PATH; {command.format(bin=fleet.bin)}", "-n", "one"
    )
    (agent,) = fleet.wait_for(program)
    assert (agent.name, agent.pane.pane) == ("one", pane)
    assert len(agent.members) == 1


def test_a_team_on_a_hidden_server_is_seen_and_is_not_its_leaders(fleet: Fleet) -> None:
    fleet.program("bin/claude", "/bin/sh")
    hidden = fleet.scene.base / f"tmux-{os.getuid()}" / "claude-swarm-4711"
    team = f"tmux -f /dev/null -S {hidden} new-session -d -s claude-swarm -n swarm-view {fleet.bin}/claude"
    leader = fleet.scene.script(f"CLAUDECODE=1 {team}\nsleep 3600; :")
    fleet.scene.shell(f"{fleet.bin}/claude {leader.removeprefix('sh ')}", "-n", "lead")
    first, second = fleet.wait_for("claude", "claude")
    labels = {view.process: view.label for view in fleet.scene.view.servers}
    assert [(labels[each.pane.server], each.name) for each in (first, second)] == [
        ("default", "lead"),
        ("claude-swarm-1", "swarm-view"),
    ]
    assert not first.members & second.members


def test_what_an_agents_tool_leaves_behind_is_still_its_own(fleet: Fleet) -> None:
    shell = fleet.program("bin/claude", "/bin/sh")
    tool = "CLAUDECODE=1 nohup sh -c 'sleep 3600; :' >/dev/null 2>&1 & CLAUDECODE=1 setsid sleep 3600 &"
    launcher = fleet.scene.script(f"({tool})\nsleep 3600; :")
    fleet.scene.shell(f"sleep 3600 & {shell} {launcher.removeprefix('sh ')}")

    def whole() -> bool:
        commands = [fleet.command(agent) for agent in fleet.agents()]
        return commands == [["claude", "sh", "sleep", "sleep", "sleep"]]

    wait_for(whole, "the agent has its child and its orphans")
    (agent,) = fleet.wait_for("claude")
    orphans = [
        fleet.scene.process(member.pid)
        for member in agent.members
        if fleet.scene.process(member.pid).ppid != agent.process.pid
    ]
    assert len(orphans) == 4


def test_two_programs_in_one_pane_and_an_option_that_names_them(fleet: Fleet) -> None:
    for name in ("codex", "aider"):
        fleet.program(f"bin/{name}", "/bin/sleep")
    pane = fleet.scene.shell(f"{fleet.bin}/codex 3600 &\n{fleet.bin}/aider 3600")
    names = [agent.name for agent in fleet.wait_for("codex", "aider")]
    assert sorted(names) == ["main:1", "main:1#2"], "the first one seen has the plain name"
    fleet.scene.tmux("rename-session", "-t", "main:", "renamed")
    assert [agent.name for agent in fleet.agents()] == names
    fleet.scene.tmux("set-option", "-p", "-t", pane, "@agent", "pair\nwork")
    fleet.scene.tmux("set-option", "-p", "-t", pane, "@role", "engineer")
    agents = fleet.agents()
    assert sorted(agent.name for agent in agents) == ["pair\\012work", "pair\\012work#2"]
    assert {agent.role for agent in agents} == {"engineer"}


def test_an_option_declares_an_agent_of_a_program_nobody_knows(fleet: Fleet) -> None:
    pane = fleet.scene.shell("sleep 3600; :")
    assert fleet.agents() == []
    fleet.scene.tmux("set-option", "-p", "-t", pane, "@agent", "bot")
    (agent,) = fleet.wait_for("other")
    assert (agent.name, agent.process.pid) == ("bot", fleet.scene.root(pane))
    wait_for(lambda: fleet.agents() and len(fleet.agents()[0].members) == 2, "its child is its own")


def test_decoys_are_no_agents(fleet: Fleet) -> None:
    scene = fleet.scene
    shell = fleet.program("bin/vim", "/bin/sh")
    for name in ("claude.md", "claude@host", "codex"):
        (scene.base / name).write_text("sleep 3600; :\n")
    folder = scene.base / "claude"
    folder.mkdir()
    (folder / "server.py").write_text("import time; time.sleep(3600)\n")
    fleet.program("bin/claude-desktop", "/bin/sleep")
    daemon = fleet.program("bin/codex", "/bin/sh")
    (scene.base / "app-server").write_text("sleep 3600; :\n")
    decoys = [
        "tail -f claude", "tail -f /dev/null claude", "tail -f /dev/null | grep claude", f"{shell} claude.md",
        f"{shell} claude@host", "sh codex", f"{sys.executable} claude/server.py claude",
        f"{sys.executable} -c 'import time; time.sleep(3600)' claude", f"{fleet.bin}/claude-desktop 3600",
        f"{daemon} app-server", "env CLAUDECODE=1 sleep 3600",
        "tmux -S $TMUX_TMPDIR/inner -f /dev/null new-session -d -s claude 'sleep 3600'; sleep 3600",
    ]  # fmt: skip
    scene.tmux("rename-session", "-t", "main:", "claude")
    panes = [
        scene.tmux(
            "new-window", "-d", "-P", "-F", "#{pane_id}", "-n", "claude",
            f"cd {scene.base}; {decoy}; sleep 1d",
        )
        for decoy in decoys
    ]  # fmt: skip
    wanted = {Path(decoy.split()[0]).name for decoy in decoys[:-1]} - {"env"} | {"grep"}

    def running() -> bool:
        scene.look()
        return wanted <= {Path(each.argv[0]).name for each in scene.table.processes.values() if each.argv}

    wait_for(running, "all decoys run")
    assert len(panes) == len(decoys)
    assert [agent.reason for agent in fleet.agents()] == []
