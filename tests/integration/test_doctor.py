"""`doctor` against real tmux servers: what it says of them, and that it changes nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import libtmux
import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import server_pid
from tests.support.wait import wait_for

Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def doctor(socket_dir: Path, tmp_path: Path) -> Doctor:
    def run(*arguments: str, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        places = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_RUNTIME_DIR": str(home)}
        environ = {**os.environ, **places, "LC_ALL": "C.UTF-8", **environ}
        return run_text([sys.executable, "-m", "tmux_exporter", "doctor", *arguments], env=environ)

    return run


def findings(result: subprocess.CompletedProcess[str], subject: str) -> list[tuple[str, str, str]]:
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    assert answer["version"] == 1
    return [
        (each["level"], each["text"], each["mend"])
        for each in answer["findings"]
        if each["subject"] == subject
    ]


def options_of(server: libtmux.Server) -> list[str]:
    return [line for scope in ("-s", "-g", "-gw") for line in server.cmd("show-options", scope).stdout]


def test_the_options_of_a_server_are_compared_and_left_alone(doctor: Doctor, tmux_server: StartTmux) -> None:
    server = tmux_server("tuned")
    server.cmd("set-option", "-g", "history-limit", "500000")
    server.cmd("set-option", "-s", "escape-time", "50")
    before = options_of(server)
    told = findings(doctor("--json"), "server tuned")
    assert [level for level, _, _ in told] == ["hint", "fine"]
    assert told[0][1].startswith("history-limit is 500000")
    assert told[0][2].startswith("set-option -g history-limit 10000")
    assert options_of(server) == before


def test_a_hung_server_is_a_problem_by_the_exit_code(doctor: Doctor, tmux_server: StartTmux) -> None:
    pid = server_pid(tmux_server("stuck"))
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(
            lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it stops"
        )
        result = doctor("--json")
    finally:
        os.kill(pid, signal.SIGCONT)
    ((level, text, mend),) = findings(result, "server stuck")
    assert (level, result.returncode) == ("problem", 1)
    assert "does not answer" in text
    assert "kill -CONT" in mend


def test_folders_that_cannot_be_used_are_told_and_none_is_made(doctor: Doctor, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "tmux-exporter").write_text("")
    told = findings(doctor("--json", environ={"XDG_STATE_HOME": str(taken)}), "folders")
    assert [level for level, _, _ in told] == ["problem", "fine"]
    assert not (tmp_path / "home" / "tmux-exporter").exists()


def test_text_has_a_mend_below_what_is_amiss(doctor: Doctor) -> None:
    result = doctor(environ={"LC_ALL": "C", "PYTHONUTF8": "1"})
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    (place,) = (place for place, line in enumerate(lines) if line.startswith("! locale"))
    assert "→ export LC_ALL=C.UTF-8" in "".join(lines[place : place + 3])
    assert "to mend" in lines[-1]
