"""`tmux-exporter run`: what a command and all that it started cost, and the pipelines that are shipped.

The shell of each pipeline is run as its runner runs it: from a file or stdin, without terminal and HOME.
"""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.isolation.leftovers import end_carrying
from tests.support.wait import wait_for

REPOSITORY = Path(__file__).parents[2]
CI = REPOSITORY / "deploy" / "ci"
COMMAND = (sys.executable, "-m", "tmux_exporter", "run")
HOLD = "import time; held = b'x' * 150_000_000; time.sleep(2)"
BURN = "import time\nwhile time.process_time() < 1: pass"


def run(tmp_path: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the data and what is said."""
    data = tmp_path / "cost.json"
    done = subprocess.run(
        (*COMMAND, "--json", str(data), *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(data.read_text()) if data.exists() else {}, done.stderr


@pytest.mark.long
def test_what_leaves_the_tree_counts(tmp_path: Path) -> None:
    """A daemon without environment, session and parent, and the CPU of one that has ended."""
    done, leave = [tmp_path / "held", tmp_path / "burnt"], []
    for file, code in zip(done, (HOLD, BURN), strict=True):
        program = tmp_path / f"{file.name}.py"
        program.write_text(f"{code}\nopen('{file}', 'w').close()\n")
        leave.append(f"(env -i setsid {sys.executable} {program} &)")
    wait = f"until [ -e {done[0]} ] && [ -e {done[1]} ]; do sleep 0.1; done"
    status, cost, _ = run(tmp_path, "--", "sh", "-c", "; ".join((*leave, wait)))
    assert (status, cost["leaks"]) == (0, [])
    assert 150e6 < cost["peak_memory_bytes"] < 250e6
    assert 1.0 <= cost["cpu_seconds"] < 3.0


@pytest.mark.long
def test_budgets_break_only_what_succeeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_OF", str(tmp_path))
    leave = "setsid sleep 4321 >/dev/null 2>&1 & exit"
    try:
        status, cost, said = run(tmp_path, "--max-leaks", "0", "--", "sh", "-c", f"{leave} 0")
        assert (status, cost["exceeded"]) == (1, ["left over"])
        assert "left over 1: sleep" in said
        assert [each["name"] for each in cost["leaks"]] == ["sleep"]
        status, _, _ = run(tmp_path, "--max-leaks", "0", "--", "sh", "-c", f"{leave} 7")
        assert status == 7
        status, cost, _ = run(tmp_path, "--max-leaks", "1", "--", "sh", "-c", f"{leave} 0")
        assert (status, cost["exceeded"]) == (0, [])
    finally:
        end_carrying("RUN_OF", str(tmp_path))


def test_exit_codes_are_those_of_the_command(tmp_path: Path) -> None:
    status, _, said = run(tmp_path, "--", "/nowhere/command")
    assert status == 127 and "tmux-exporter run: cannot run '/nowhere/command'" in said
    assert run(tmp_path, "--max-memory", "much", "--", "true")[0] == 2
    assert run(tmp_path, "--junit", "/nowhere/cost.xml", "--", "touch", str(tmp_path / "began"))[0] == 2
    assert not (tmp_path / "began").exists()


@pytest.mark.long
def test_signals_reach_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 9' TERM; touch {ready}; while :; do sleep 0.1; done"
    process = subprocess.Popen((*COMMAND, "--", "sh", "-c", script))
    wait_for(ready.exists, "it runs")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 9


def github() -> tuple[list[str], str]:
    steps = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]["agents"]["steps"]
    (text,) = [step["run"] for step in steps if step.get("name") == "Agents"]
    # What the runner calls where a workflow names no shell.
    return ["bash", "-e"], text


def gitlab() -> tuple[list[str], str]:
    lines = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["agents"]["script"]
    return ["sh", "-e"], "\n".join(lines)


def jenkins() -> tuple[list[str], str]:
    (text,) = re.findall(r"sh '''\n(.*?)'''", (CI / "Jenkinsfile").read_text(), re.DOTALL)
    # In a Groovy string of three quotes a backslash at the end of a line joins it with the next.
    return ["sh", "-xe"], text.replace("\\\n", "")


AGENT = """#!/bin/sh
echo "$1 $2" >>"$CI_NOTES/asked"
{behaviour}
"""
BEHAVIOURS = {
    "within its budget": ("exec sleep 0.5", 0),
    "budget passed": ("setsid sleep 4322 >/dev/null 2>&1 & sleep 0.5", 1),
    "command failed": ("setsid sleep 4322 >/dev/null 2>&1 & exit 3", 3),
}


@pytest.mark.long
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("pipeline", [github, gitlab, jenkins])
def test_a_shipped_pipeline_runs_as_its_runner_runs_it(pipeline: Any, behaviour: str, tmp_path: Path) -> None:
    shell, text = pipeline()
    script, agent = tmp_path / "script.sh", tmp_path / "bin" / "claude"
    script.write_text(text)
    agent.parent.mkdir()
    does, expected = BEHAVIOURS[behaviour]
    agent.write_text(AGENT.format(behaviour=does))
    agent.chmod(0o755)
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    environ = {
        "PATH": f"{agent.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "CI_NOTES": str(tmp_path),
    }
    try:
        done = subprocess.run(
            (*shell, str(script)), cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False, start_new_session=True,
        )  # fmt: skip
        assert done.returncode == expected, done
        asked = (tmp_path / "asked").read_text()
        assert "-p review the last commit" in asked
        report = ET.parse(tmp_path / "agents.xml").getroot()
        failed = [each.attrib["name"] for each in report if each.find("failure") is not None]
        assert ("command" in failed) is (behaviour == "command failed")
        assert ("left over" in failed) is (behaviour != "within its budget"), done.stderr
        if pipeline is github:
            assert "| left over |" in (tmp_path / "summary.md").read_text()
    finally:
        end_carrying("CI_NOTES", str(tmp_path))
