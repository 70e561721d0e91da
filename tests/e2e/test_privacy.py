"""No word of an agent leaves the process: planted in all that agents say, looked for in all that we tell."""

import json
import os
import re
import secrets
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.gates.leaking import LEAKS, VARIABLE
from tests.support.processes.run_text import run_text
from tests.support.programs.exporter import Exporter
from tests.support.tmux.played_agent import PlayedAgents
from tests.support.wait import wait_for

TAG = secrets.token_hex(4)
"""Of this process: other tests' exporters and agents run beside."""

NAME = f"planted-agent-{TAG}"
DRAWS = f"planted-screen-{TAG}"
"""An agent that nothing but its screen tells of."""
SECRET = f"hunter2-{TAG}"
SOURCES = ("argv", "folder", "title", "text", "session", "hook", "environ", "prompt", "screen")
LOOKS = ("--log.level", "debug", "--config")


def planted(where: str) -> str:
    return f"{SECRET}-{where}"


def found_in(told: Mapping[str, str]) -> set[tuple[str, str]]:
    """Every secret by the output in which it stands; each output has to be there."""
    assert {name for name, text in told.items() if not text} == set()
    return {(name, where) for name, text in told.items() for where in SOURCES if planted(where) in text}


def details(exporter: Exporter) -> str:
    """All that can be opened on the page."""
    report = json.loads(exporter.get("/api/v1/report"))
    names = [{"server": each["server"]} for each in report["servers"]]
    names += [
        {name: each[name] for name in ("server", "session", "agent") if name in each}
        for each in (*report["sessions"], *report["agents"])
    ]
    names += [{"pid": each["pid"]} for each in (*report["schedulers"], *report["leaks"])]
    found = []
    for each in names:
        # What others run may end meanwhile.
        with suppress(HTTPError):
            found.append(exporter.get(f"/api/v1/detail?{urlencode(each)}"))
    assert any('"processes":[{' in each for each in found)
    return "".join(found)


def outputs(exporter: Exporter) -> dict[str, str]:
    """All that an exporter tells by itself."""
    return {
        "metrics": exporter.metrics(),
        "report": exporter.get("/api/v1/report"),
        "page": exporter.get("/"),
        "history": exporter.get("/api/v1/history"),
        "details": details(exporter),
        "events": first_event(exporter),
        "log": exporter.log.read_text(),
        "state": wait_for(
            lambda: "".join(
                each.read_text() for each in exporter.log.parent.glob("tmux-exporter/agents.json")
            ),
            "the state file is written",
            60.0,
        ),
    }


def wait_until_it_tells(exporter: Exporter, name: str) -> None:
    """Until the agent of that name waits for a permission."""
    waits = re.compile(rf'^tmux_agent_waiting_since\S*agent="{name}".*reason="permission"', re.MULTILINE)
    wait_for(lambda: waits.search(exporter.metrics()), f"{name} is heard", 60.0)


@pytest.fixture
def agents(tmux_server: StartTmux, socket_dir: Path) -> PlayedAgents:
    agents = PlayedAgents(socket_dir.parent, tmux_server("default"))
    asks = f"printf '△ Permission required\\n  {planted('screen')}\\n\\n  Allow once   enter confirm\\n'"
    agents.start(DRAWS, f"{asks}; sleep 3600; :", "opencode")
    return agents


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Everything that may be read is read by default."""
    file = tmp_path / "config.yml"
    file.write_text("agents: {}\n")
    return file


@pytest.mark.timeout(300)  # four commands that look twice, on a machine that may be busy
def test_nothing_of_what_agents_say_is_told(
    start_exporter: StartExporter, agents: PlayedAgents, socket_dir: Path, config: Path
) -> None:
    exporter = start_exporter(*LOOKS, str(config))
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
    for name in (NAME, DRAWS):
        wait_until_it_tells(exporter, name)
    shown = agents.server.cmd("list-panes", "-a", "-F", "#{pane_title}").stdout
    for name in (NAME, DRAWS):
        shown += agents.server.cmd("capture-pane", "-p", "-t", f"main:{name}").stdout
    assert all(any(planted(where) in line for line in shown) for where in ("title", "text", "screen"))
    # Wide: what `top` must not show it shall not only have no room for.
    environ = {
        **os.environ,
        "XDG_STATE_HOME": str(exporter.log.parent),
        "XDG_RUNTIME_DIR": str(runtime),
        "COLUMNS": "300",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "tmux_exporter", *arguments, "--config", str(config)]
        done = run_text(command, env=environ)
        assert NAME in done.stdout or DRAWS in done.stdout, done
        return done.stdout + done.stderr

    told = {
        **outputs(exporter),
        "once": run("once", "--format", "json"),
        "openmetrics": run("once", "--format", "openmetrics"),
        "explain": run("explain", NAME),
        "explain as JSON": run("explain", NAME, "--json"),
        "explain a screen": run("explain", DRAWS),
        "top": run("top", "--once"),
    }
    assert found_in(told) == set()
    assert "its session file has no status that is known" in told["explain"]
    assert "pane_text: its text says waiting (permission)" in told["explain a screen"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_into_any_output_is_found(
    kind: str, start_exporter: StartExporter, agents: PlayedAgents, config: Path
) -> None:
    leaking = (sys.executable, "-m", "tests.support.gates.leaking")
    environ = {VARIABLE: kind, "PYTHONPATH": str(Path(__file__).parents[2])}
    exporter = start_exporter(*LOOKS, str(config), program=leaking, environ=environ)
    wait_until_it_tells(exporter, DRAWS)
    expected = {(output, "screen") for output in LEAKS[kind][1]}
    # What was told before the screen was read does not hold it.
    wait_for(lambda: found_in(outputs(exporter)) >= expected, f"the leak into {kind} is found", 90.0)
    assert found_in(outputs(exporter)) == expected


def first_event(exporter: Exporter) -> str:
    """What the live page is sent first, the whole of the first report in it."""
    with urllib.request.urlopen(f"{exporter.url}api/v1/events", timeout=60) as stream:
        lines: list[str] = []
        while line := stream.readline().decode():
            lines.append(line)
            if line.startswith("data:") and lines[-2:-1] == ["event: report\n"]:
                break
    return "".join(lines)
