"""No word of an agent leaves the process: planted in all that agents say, looked for in all that we tell."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import libtmux
import pytest

from tests.support.exporter import Exporter
from tests.support.played_agent import PlayedAgents
from tests.support.wait import wait_for

NAME = "planted-agent"
SECRET = "hunter2-opensesame"
SOURCES = ("argv", "folder", "title", "text", "session", "hook", "environ", "prompt")


def planted(where: str) -> str:
    return f"{SECRET}-{where}"


@pytest.mark.timeout(300)  # four commands that look twice, on a machine that may be busy
def test_nothing_of_what_agents_say_is_told(
    start_exporter: Callable[..., Exporter],
    tmux_server: Callable[[str], libtmux.Server],
    socket_dir: Path,
    tmp_path: Path,
) -> None:
    agents = PlayedAgents(socket_dir.parent, tmux_server("default"))
    exporter = start_exporter("--log.level", "debug")
    runtime = socket_dir.parent / "serve0"
    folder = agents.base / planted("folder")
    folder.mkdir()
    hook = f"{sys.executable} -m tmux_exporter hook waiting permission"
    pid = agents.start(
        NAME,
        f"cd {folder}\n"
        f"export XDG_RUNTIME_DIR={runtime} PYTHONPATH={Path(__file__).parents[2]}\n"
        f"printf '\\033]2;✳ {planted('title')}\\007'; echo {planted('text')}\n"
        f'echo \'{{"prompt": "{planted("prompt")}"}}\' | {hook}\n'
        f"PASSWORD={planted('environ')} {agents.bin}/claude -c 'sleep 3600; :' -p {planted('argv')}; :",
    )
    secret = planted("session")
    agents.session_file(pid, status=secret, cwd=str(folder), name=secret, waitingFor=secret)
    hooks = runtime / "tmux-exporter" / "hooks"
    wait_for(lambda: hooks.is_dir() and list(hooks.glob("[0-9]*")), "the hook has called", 30.0)
    (hooks / f"{pid}-{planted('hook')}").write_text(f"1 {planted('hook')} - - 1:1\n")
    waits = re.compile(rf'^tmux_agent_waiting_since\S*agent="{NAME}".*reason="permission"', re.MULTILINE)
    wait_for(lambda: waits.search(exporter.metrics()), "its hook is heard", 30.0)
    shown = agents.server.cmd("list-panes", "-a", "-F", "#{pane_title}").stdout
    shown += agents.server.cmd("capture-pane", "-p", "-t", f"main:{NAME}").stdout
    assert all(any(planted(where) in line for line in shown) for where in ("title", "text"))
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "tmux_exporter", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
        assert NAME in done.stdout, done
        return done.stdout + done.stderr

    told = {
        "metrics": exporter.metrics(),
        "report": exporter.get("/api/v1/report"),
        "page": exporter.get("/"),
        "events": first_event(exporter),
        "log": exporter.log.read_text(),
        "once": run("once", "--format", "json"),
        "openmetrics": run("once", "--format", "openmetrics"),
        "explain": run("explain", NAME),
        "explain as JSON": run("explain", NAME, "--json"),
        "state": wait_for(
            lambda: "".join(each.read_text() for each in tmp_path.glob("*/tmux-exporter/agents.json")),
            "the state file is written",
            30.0,
        ),
    }
    assert {name for name, text in told.items() if not text} == set()
    found = {(name, where) for name, text in told.items() for where in SOURCES if planted(where) in text}
    assert found == set()
    assert "its session file has no status that is known" in told["explain"]


def first_event(exporter: Exporter) -> str:
    """What the live page is sent first."""
    with urllib.request.urlopen(f"{exporter.url}api/v1/events", timeout=60) as stream:
        lines = []
        while line := stream.readline().decode():
            lines.append(line)
            if line.startswith("data:"):
                break
    return "".join(lines)
