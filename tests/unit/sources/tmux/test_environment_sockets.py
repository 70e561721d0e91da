"""The places of sockets that processes name."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.literals.facts import UID, process, table
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.sources.tmux import socket_files
from tmux_exporter.sources.tmux.socket_files import EnvironmentSockets


def named(seen: ProcessTable, uid: int = UID) -> EnvironmentSockets:
    places = EnvironmentSockets(uid)
    places.update(seen)
    return places


def test_folders_in_use_are_those_of_our_own_processes() -> None:
    seen = table(
        process(1, environ={"TMUX_TMPDIR": "/a"}),
        process(2, environ={"TMUX_TMPDIR": "/a"}),
        process(3, environ={"TMUX_TMPDIR": "/b"}, uid=1001),
        process(4, environ={"TMUX_TMPDIR": "relative"}),
        process(5, environ={"TMUX_TMPDIR": ""}),
        process(6, environ={}),
        process(7),
    )
    assert named(seen).folders() == (f"/a/tmux-{UID}",)


def test_own_places_are_where_only_ours_can_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid()
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(tmp_path / "none"))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = [
        f"{tmp_path}/real/s,1,0",
        f"{tmp_path}//link/s,1,0",
        f"{tmp_path}/gone/s,1,0",
        "relative/s,1,0",
        # Folders of root, or of whoever is not us.
        "/proc/s,1,0" if uid else "",
        "",
    ]
    seen = table(
        *(process(at, environ={"TMUX": name}, uid=uid) for at, name in enumerate(names, 1)),
        process(20, environ={"TMUX_TMPDIR": str(tmp_path / "link")}, uid=uid),
        process(21, environ={"TMUX": "/not/ours/s,1,0"}, uid=uid + 1),
        process(22, environ=None, uid=uid),
    )
    real = str(tmp_path / "real")
    assert named(seen, uid).own() == {
        f"{tmp_path}/none/tmux-{uid}": f"{tmp_path}/none/tmux-{uid}",
        real: real,
        f"{tmp_path}/link": real,
        f"{tmp_path}/gone": f"{tmp_path}/gone",
        f"{tmp_path}/link/tmux-{uid}": f"{real}/tmux-{uid}",
        # Nobody listens where nothing is.
        **({"/proc/s": "/proc/s"} if uid else {}),
    }


def test_in_a_folder_of_others_only_our_own_socket_is_our_place(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    seen = table(
        process(1, environ={"TMUX": f"{tmp_path}/mine,1,0"}, uid=UID),
        process(2, environ={"TMUX": f"{tmp_path}/missing,1,0"}, uid=UID),
    )
    # To another uid than the one that runs the test both the folder and the file are somebody else's.
    stranger = os.getuid() + 1
    processes = {pid: replace(each, uid=stranger) for pid, each in seen.processes.items()}
    assert named(replace(seen, processes=processes), stranger).own() == {
        f"/tmp/tmux-{stranger}": f"/tmp/tmux-{stranger}",
        f"{tmp_path}/missing": f"{tmp_path}/missing",
    }
