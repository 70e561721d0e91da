"""Agents that run as another user in panes of an ordinary user, who is not root."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.isolation.child import in_child
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import defaults
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.report import Report, Sum
from tmux_exporter.sampling.open import open_sampler

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else"),
]
ORDINARY = 4242
AGENT = """#!/usr/bin/perl
$0 = "claude"; my $x = "x" x (100 << 20); open(my $f, ">", $ARGV[0]); print $f $$; close $f; sleep 1000;
"""
# An ordinary user's sudo, su and runuser become root first; that is what the copy of setpriv is for here.
FORMS = {
    "setpriv": "{become} --reuid nobody --clear-groups {agent}",
    "sudo": "{become} --reuid 0 --regid 0 --clear-groups {sudo} -n -u nobody {agent}",
    "su": "{become} --reuid 0 --regid 0 --clear-groups {su} -s /bin/sh - nobody -c '{agent}'",
    "runuser": "{become} --reuid 0 --regid 0 --clear-groups {runuser} -u nobody -- {agent}",
}


@dataclass(frozen=True)
class Played:
    """What a sampler of the ordinary user says, and what the kernel says of each agent, in bytes."""

    report: Report
    truth: dict[str, int]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may use, with a program that becomes another user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    become = shutil.copy(shutil.which("setpriv") or "setpriv is missing", folder / "become")
    Path(become).chmod(0o4755)
    (folder / "agent").write_text(AGENT)
    (folder / "agent").chmod(0o755)
    (folder / "pids").mkdir()
    (folder / "pids").chmod(0o777)
    (folder / "home").mkdir(mode=0o700)
    os.chown(folder / "home", ORDINARY, ORDINARY)
    yield folder
    shutil.rmtree(folder)


def play(place: Path, *, first: bool) -> Played:
    """`first`: the agent, or what becomes its user, is the process of the pane; else a shell starts it."""
    home = str(place / "home")
    environ = {"PATH": os.environ["PATH"], "HOME": home, "TMUX_TMPDIR": home, "SHELL": "/bin/sh"}
    environ |= {"XDG_RUNTIME_DIR": f"{home}/run", "XDG_STATE_HOME": f"{home}/state", "LC_ALL": "C.UTF-8"}
    (place / "home" / "run").mkdir(mode=0o700)
    where = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in FORMS}
    try:
        for name, form in FORMS.items():
            command = form.format(
                become=place / "become", agent=f"{place}/agent {place}/pids/{name}", **where
            )
            if first:
                subprocess.run(
                    ["tmux", "new-session", "-d", "-s", name, f"exec {command}"], env=environ, check=True
                )
                continue
            subprocess.run(["tmux", "new-session", "-d", "-s", name], env=environ, check=True)
            subprocess.run(["tmux", "send-keys", "-t", name, command, "Enter"], env=environ, check=True)
        pids = {name: place / "pids" / name for name in FORMS}
        wait_for(lambda: all(each.exists() and each.read_text() for each in pids.values()), "agents run")
        sampler = open_sampler(defaults(), SystemClock(), environ)
        sampler.sample()
        report = sampler.sample()
        status = {name: Path("/proc", each.read_text(), "status").read_text() for name, each in pids.items()}
        truth = {name: int(re.findall(r"RssAnon:\s+(\d+)", text)[0]) << 10 for name, text in status.items()}
        return Played(report=report, truth=truth)
    finally:
        subprocess.run(["tmux", "kill-server"], env=environ, check=False)


@pytest.mark.parametrize("first", [False, True], ids=["from a shell", "as the pane's process"])
def test_agents_of_another_user_are_agents_with_state_and_memory_for_an_ordinary_user(
    place: Path, *, first: bool
) -> None:
    # The child can import nothing: this repository and its Python may be root's alone.
    open_sampler(defaults(), SystemClock(), {"TMUX_TMPDIR": str(place), "HOME": str(place)}).sample()
    played = in_child(lambda: play(place, first=first), uid=ORDINARY)
    agents = {each.session: each for each in played.report.agents}
    assert set(agents) == set(FORMS)
    for name, agent in agents.items():
        assert (agent.program, agent.up, agent.state is AgentState.UNKNOWN) == ("claude", True, False)
        assert agent.usage.memory_bytes == pytest.approx(played.truth[name], rel=0.01)
        assert (agent.usage.memory_bytes or 0) > 100 << 20
        assert Sum.IO in agent.usage.partial
        assert (agent.usage.fd_utilization_ratio or 0) > 0
    for session in played.report.sessions:
        assert session.usage.memory_bytes == pytest.approx(played.truth[session.session], rel=0.02)
        # Of the ordinary user nobody is left whose figures could be read.
        assert (session.usage.read_bytes_total is None) == first
        assert session.usage.partial == (Sum.IO,)
    assert sum(played.report.unreadable_processes.values()) >= len(FORMS)
