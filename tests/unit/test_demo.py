"""The demo's bounds: what it may cost, how long what is left of it may live, what it is told of the user."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_exporter.demo import agent, fleet
from tmux_exporter.demo.home import MARK, home_of, marked_home
from tmux_exporter.errors import CannotSeeError


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
    assert {part.role for parts in fleet.FLEET.values() for part in parts} == agent.ROLES.keys()


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
