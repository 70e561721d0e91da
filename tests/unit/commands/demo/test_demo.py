"""The demo's bounds: what it may cost, how long what is left of it may live, what it is told of the user."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.up import listening
from tests.support.wait import wait_for
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import runtime_path
from tmux_exporter.commands.demo import agent, fleet
from tmux_exporter.commands.demo.home import MARK, Home, home_of, marked_home
from tmux_exporter.commands.demo.work import environ_of_exporter
from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.agents.claude_sessions import parse


def steps(role: Iterator[float], count: int) -> None:
    for _ in range(count):
        assert 0 < next(role) <= 2


def test_the_leak_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(agent, "LEAK_MIB", 3)
    role: Any = agent.leaks()
    steps(role, 10)
    assert [len(each) for each in role.gi_frame.f_locals["kept"]] == [2**20] * 3
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert agent.LEAK_MIB * 2**20 <= 200 * 2**20


def test_every_role_of_the_fleet_can_be_played() -> None:
    parts = [part for parts in fleet.FLEET.values() for part in parts]
    played = {role for part in parts for role in (part.role, part.again) if role}
    assert played | set(fleet.LEFT.values()) == agent.ROLES.keys()


def test_one_agent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "UNTIL_IT_ENDS", 3)
    assert len(list(agent.ends())) == 3


def test_one_leaves_its_servers_which_no_hangup_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MARK, str(tmp_path))
    monkeypatch.setattr(agent, "UNTIL_IT_LEAVES", 3)
    (tmp_path / "bin").mkdir()
    left = tmp_path / "left"
    says = "signal.getsignal(signal.SIGHUP).name, sys.argv[1]"
    (tmp_path / "bin" / "vite").write_text(
        f"import signal, sys\nprint({says}, file=open({str(left)!r}, 'w'))\n"
    )
    assert len(list(agent.leaves("vite=listens"))) == 3
    assert wait_for(lambda: left.exists() and left.read_text(), "it runs") == "SIG_IGN listens\n"


def test_a_played_dev_server_listens_on_loopback_while_it_plays() -> None:
    role: Any = agent.listens()
    next(role)
    assert listening([os.getpid()]) == {"0100007F"}
    role.close()
    assert listening([os.getpid()]) == set()


def test_the_waiting_one_says_so_like_claude_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    own_identity = ProcessId(pid=os.getpid(), start_ticks=int(started))
    monkeypatch.setenv(MARK, str(tmp_path))
    monkeypatch.setattr(agent, "UNTIL_IT_WAITS", 2)
    file = tmp_path / ".claude" / "sessions" / f"{own_identity.pid}.json"
    role = agent.waits()
    next(role)
    assert parse(file.read_bytes(), own_identity).clue.state is AgentState.WORKING
    steps(role, 3)
    clue = parse(file.read_bytes(), own_identity).clue
    assert (clue.state, clue.reason) == (AgentState.WAITING, WaitingReason.PERMISSION)


@pytest.mark.parametrize("base", ["/run/user/7/tmux-exporter", "/tmp/tmux-exporter-7"])
def test_its_operations_go_to_the_exporter_beside_it(base: str) -> None:
    assert runtime_path(environ_of_exporter(Home(folder=Path(base) / "demo")), 7) == Path(base)


def test_no_scheduler_fires_in_a_demo_or_lasts_for_hours() -> None:
    seconds = sorted(int(each) for each in fleet.sleeps())
    assert len(seconds) == 4
    assert seconds[0] >= 45 * 60
    assert seconds[-1] <= 60 * 60


def test_the_killed_session_leads_to_no_other() -> None:
    # tmux takes a target that is not there as the beginning of another name.
    assert not any(name.startswith(fleet.GONE) for name in fleet.FLEET)


def test_its_processes_get_nothing_of_the_users_environment(tmp_path: Path) -> None:
    mine = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/opt/bin:/bin", "TMUX": "/x,1,0", "TOKEN": "secret"}
    home = home_of(mine)
    theirs = home.environ(mine)
    assert theirs[MARK] == str(home.folder) == f"{tmp_path}/tmux-exporter/demo"
    assert theirs["PATH"] == mine["PATH"]
    assert "secret" not in theirs.values()
    assert {"TMUX", "TMUX_PANE", "XDG_RUNTIME_DIR"}.isdisjoint(theirs)
    assert marked_home(theirs) == home


def test_a_folder_too_deep_for_a_socket_is_refused_with_the_mend(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    with pytest.raises(CannotSeeError, match=r"too long for a socket; set XDG_RUNTIME_DIR to a shorter"):
        home_of({"XDG_RUNTIME_DIR": str(deep)})
