"""The shipped line for cron and the shipped timer report operations, run as cron and systemd run them."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter
from tests.support.programs.exporter import Exporter
from tests.support.programs.units import verified
from tests.support.wait import wait_for

TIMERS = Path(__file__).parents[2] / "deploy" / "timers"
PROGRAM = Path(sys.executable).with_name("tmux-exporter")
FINISHED = re.compile(r'^tmux_operation_duration_seconds_count\{operation="status_check"\} 1', re.MULTILINE)


def await_one(exporter: Exporter) -> None:
    wait_for(lambda: FINISHED.search(exporter.metrics()), "the operation is counted", 60)


def script(home: Path) -> None:
    (home / "check-agents.sh").write_text('#!/bin/sh\ntest -n "$HOME"\n')
    (home / "check-agents.sh").chmod(0o755)


@pytest.mark.long
def test_the_line_for_cron_reports_to_the_exporter(tmp_path: Path, start_exporter: StartExporter) -> None:
    exporter = start_exporter()
    script(tmp_path)
    text = (TIMERS / "crontab").read_text()
    setting, line = [each for each in text.splitlines() if not each.startswith("#")]
    command = line.split(maxsplit=5)[5].replace("/usr/local/bin/tmux-exporter", str(PROGRAM))
    # The environment that cron(8) gives, and the settings of the crontab.
    environ = {"HOME": str(tmp_path), "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    name, _, _ = setting.partition("=")
    assert name == "XDG_RUNTIME_DIR"
    environ[name] = str(exporter.runtime)
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=environ, timeout=60, check=False)
    assert done.returncode == 0
    await_one(exporter)


@pytest.mark.long
def test_the_unit_of_the_timer_reports_to_the_exporter(tmp_path: Path, start_exporter: StartExporter) -> None:
    exporter = start_exporter()
    script(tmp_path)
    placed = []
    for unit in (TIMERS / "check-agents.service", TIMERS / "check-agents.timer"):
        text = unit.read_text().replace("/usr/local/bin/tmux-exporter", str(PROGRAM))
        placed.append(tmp_path / unit.name)
        placed[-1].write_text(text)
        assert verified(placed[-1], tmp_path) == []
    parser = configparser.RawConfigParser()
    parser.read(placed[0])
    words = [word.replace("%h", str(tmp_path)) for word in shlex.split(parser["Service"]["ExecStart"])]
    # What a manager of a user gives its services.
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(exporter.runtime)}
    assert subprocess.run(words, env={**environ, "USER": "me"}, timeout=60, check=False).returncode == 0
    await_one(exporter)
