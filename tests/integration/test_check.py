"""`tmux-exporter check` as monitors run it: a real fleet, its exit codes, its first line on stdout."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import server_pid
from tests.support.wait import wait_for
from tmux_exporter.cli.exporter import cli

COMMAND = (sys.executable, "-m", "tmux_exporter")


def check(home: Path, *words: str) -> tuple[int, str]:
    """The exit code and the first line on stdout; nothing that a monitor would not read."""
    environ = {**os.environ, **dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"), str(home))}
    done = run_text((*COMMAND, "check", *words), env=environ)
    assert done.stderr == "", done
    return done.returncode, done.stdout.splitlines()[0]


def test_every_wrong_use_is_unknown(capfd: pytest.CaptureFixture[str]) -> None:
    nowhere = ("--exporter", "127.0.0.1:1")
    for words in (
        (), ("nothing",), ("memory", "-w", "10:5"), ("memory", "--nothing"), ("memory", *nowhere),
        ("memory", "--config", "/nowhere.yml"), ("memory", "--exporter", "here"), ("cpu", "-t", "0"),
    ):  # fmt: skip
        status = cli.main(["check", *words], standalone_mode=False)
        line, complaints = capfd.readouterr()
        assert (status, line.count("\n"), complaints) == (3, 1, "")
        assert line.startswith("TMUX CHECK UNKNOWN - "), line
    assert cli.main(["check", "exporter", *nowhere], standalone_mode=False) == 2
    assert capfd.readouterr() == ("TMUX EXPORTER CRITICAL - nothing listens on 127.0.0.1:1\n", "")


@pytest.mark.long
def test_a_fleet_is_looked_at_without_an_exporter(tmp_path: Path, tmux_server: StartTmux) -> None:
    pid = server_pid(tmux_server("fleet"))
    alone = ("--server", "fleet", "--config", str(tmp_path / "free.yml"))
    (tmp_path / "free.yml").write_text("web: {listen_address: '127.0.0.1:0'}\n")
    status, line = check(tmp_path, "memory", "-t", "60", *alone)
    assert status == 0 and "'fleet:main'=" in line, line
    status, line = check(tmp_path, "memory", "-t", "60", "-c", "0", *alone)
    assert status == 2 and "fleet:main: " in line, line
    status, line = check(tmp_path, "cpu", "-t", "60", *alone)
    assert status == 0 and "'fleet:main'=0%;;;0" in line, line
    os.kill(pid, signal.SIGSTOP)
    try:
        status, line = check(tmp_path, "memory", "-t", "60", *alone)
        assert status == 3 and "tmux server fleet does not answer (hung)" in line, line
        status, line = check(tmp_path, "memory", "-t", "1", *alone)
        assert status == 3, line
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.long
def test_a_running_exporter_is_asked_and_counts_operations(
    tmp_path: Path, start_exporter: StartExporter
) -> None:
    exporter = start_exporter()
    at = ("--exporter", exporter.url.removeprefix("http://").rstrip("/"), "-t", "60")
    status, line = check(tmp_path, "exporter", *at)
    assert status == 0 and "'age'=" in line, line
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(exporter.runtime)}
    for code in (0, 1) * 5:
        op = (*COMMAND, "op", "deploy", "--", "sh", "-c", f"exit {code}")
        subprocess.run(op, env=environ, check=False, timeout=60)
    status, line = wait_for(
        lambda: found if (found := check(tmp_path, "operations", *at))[0] else None, "it is told", 30
    )
    assert status == 1 and "deploy failed: 5 of 10, 50.0% (warning at 2)" in line, line
    status, line = check(tmp_path, "operations", *at, "--operation", "never")
    assert status == 3 and "never: none of this name is seen" in line, line
    exporter.end()
    status, line = check(tmp_path, "operations", *at)
    assert (status, line[:18]) == (3, "TMUX CHECK UNKNOWN"), line
