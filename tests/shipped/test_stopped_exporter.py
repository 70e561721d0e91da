"""The runbook of TmuxExporterDown on an exporter that is stopped: each command ends, and one shows why."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter
from tests.support.pages.markdown import REPOSITORY, blocks
from tests.support.processes.run_text import run_text
from tests.support.programs.exporter import Exporter

PAGE = Path("docs/runbooks/TmuxExporterDown.md")
PATIENCE = 30
"""How long somebody at 3 o'clock waits for one command."""


def shown(command: str, exporter: Exporter) -> tuple[int, str]:
    address = exporter.url.removeprefix("http://").rstrip("/")
    done = run_text(("sh", "-c", command.replace("127.0.0.1:10077", address)), timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
def test_the_runbook_finds_an_exporter_that_is_stopped(start_exporter: StartExporter) -> None:
    exporter = start_exporter(program=(str(Path(sys.executable).with_name("tmux-exporter")),))
    pid = exporter.process.pid
    commands = [each for block in blocks(PAGE) if block.language == "sh" for each in block.commands()]
    asked = [each for each in commands if each.startswith("curl ")]
    (listed,) = (each for each in commands if each.startswith("ps "))
    assert [shown(each, exporter)[0] for each in asked] == [0, 0]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert len(asked) == 2
        for each in asked:
            status, text = shown(each, exporter)
            assert status == 28, text
            assert "timed out" in text
        head, *rows = shown(listed, exporter)[1].splitlines()
        state = head.split().index("S")
        assert {row.split()[state] for row in rows if row.split()[0] == str(pid)} == {"T"}
        text = (REPOSITORY / PAGE).read_text()
        assert re.search(r"`T` in the\s+column S of `ps`", text)
    finally:
        # `kill -CONT PID`, as the page says.
        assert shown(f"kill -CONT {pid}", exporter)[0] == 0
    assert [shown(each, exporter)[0] for each in asked] == [0, 0]
