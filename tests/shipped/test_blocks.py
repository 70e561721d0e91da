"""Every block of code on every page is loaded or run by its real program, as it stands there.

Here is what takes seconds: configurations and Python. What a reader types is run in test_commands.py and
tests/e2e/test_runbook_commands.py, which `make check` selects.
"""

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.sections import sessions
from tests.support.alerts.files import RULES
from tests.support.fixtures import StartExporter
from tests.support.isolation.namespace import in_namespace
from tests.support.pages.markdown import REPOSITORY, Block, all_blocks
from tests.support.pages.page_trials import CANNOT, Trial, is_listed, trial
from tests.support.processes.run_text import run_text
from tests.support.remediator.policies import HEAD, write
from tests.support.scenes.main_job import program
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_STATUS
from tmux_exporter.commands.up_children import prometheus

STEPS = """\
policies:
  - name: shown
    match: {kind: scheduler, state: [dangling]}
    for: 5m
"""
"""A policy for which a page shows steps only."""


def untried(block: Block) -> str:
    """What is wrong with a block that nothing tries; nothing is the empty text."""
    if is_listed(block.page, block.first) or trial(block):
        return ""
    return (
        f"{block}: nothing tries this block ({block.language or 'no language'}: {block.first!r}). "
        "Name its language (sh, console for what a command prints, yaml, promql, python), or list it with a "
        "reason in tests/support/pages/page_trials.py"
    )


def tried_by(*trials: Trial) -> list[Block]:
    return [
        block for block in all_blocks() if not is_listed(block.page, block.first) and trial(block) in trials
    ]


def test_every_block_is_tried_or_listed() -> None:
    assert len(all_blocks()) > 300
    problems = [problem for block in all_blocks() if (problem := untried(block))]
    assert not problems, "\n".join(problems)


def test_every_entry_of_the_list_is_on_its_page() -> None:
    there = [(str(block.page), text) for block in all_blocks() for text in (block.first, *block.commands())]
    matched = [
        (page, begins)
        for page, begins in CANNOT
        if any(page == where and line.startswith(begins) for where, line in there)
    ]
    assert matched == list(CANNOT)
    assert all(CANNOT.values())


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("", "make up"),
        ("bash", "make up"),
        ("text", "what is this"),
        ("console", "no prompt"),
        ("yaml", "colour: red"),
    ],
)
def test_a_planted_block_is_found(language: str, text: str) -> None:
    block = Block(page=Path("docs/new.md"), line=1, language=language, text=text)
    assert "docs/new.md:1: nothing tries this block" in untried(block)


@pytest.mark.parametrize("block", tried_by(Trial.PROMETHEUS), ids=str)
def test_prometheus_loads_it(block: Block, tmp_path: Path) -> None:
    assert prometheus_problem(block, tmp_path) == ""


def test_prometheus_refuses_what_is_planted(tmp_path: Path) -> None:
    glob = "rule_files: [/path/to/alerts/rules/*/*.yml]"
    planted = Block(page=Path("docs/new.md"), line=1, language="yaml", text=glob)
    assert "invalid rule file path" in prometheus_problem(planted, tmp_path)
    none = replace(planted, text="rule_files: [/path/to/alerts/*.yml]")
    assert "loads 0 of" in prometheus_problem(none, tmp_path)


def prometheus_problem(block: Block, folder: Path) -> str:
    """Why Prometheus does not do what a block promises."""
    file = folder / "prometheus.yml"
    file.write_text(block.text.replace("/path/to/", f"{REPOSITORY}/"))
    checked = run_text([program("promtool"), "check", "config", file])
    if checked.returncode:
        return checked.stdout + checked.stderr
    server = prometheus.start_prometheus(program("prometheus"), folder, file.read_text())
    try:
        wait_for(
            lambda: prometheus.fetch(f"{server.url}/-/ready"),
            f"Prometheus is ready: {prometheus.last_words(server)}",
        )
        rules = json.loads(prometheus.fetch(f"{server.url}/api/v1/rules") or b"{}")["data"]["groups"]
        files = {each["file"] for each in rules}
    finally:
        prometheus.stop([server])
    wanted = len(RULES) if "rule_files" in block.text else 0
    return "" if len(files) == wanted else f"loads {len(files)} of {wanted} files of rules"


@pytest.mark.parametrize("block", tried_by(Trial.SETTINGS), ids=str)
def test_the_exporter_runs_with_it(block: Block, tmp_path: Path, start_exporter: StartExporter) -> None:
    file = tmp_path / "tmux-exporter.yml"
    file.write_text(block.text)
    check_config("tmux_exporter", file)
    assert start_exporter("--config", str(file)).is_ready()


@pytest.mark.parametrize("block", tried_by(Trial.POLICIES, Trial.STEPS), ids=str)
def test_the_remediator_runs_with_it(block: Block, tmp_path: Path) -> None:
    steps = HEAD + STEPS + textwrap.indent(block.text, " " * 4)
    file = write(tmp_path, block.text if trial(block) is Trial.POLICIES else steps)
    check_config("tmux_exporter.cli.remediator", file)
    # It sees nothing of the machine's user.
    assert in_namespace(lambda: observe(file, tmp_path)), "the kernel gives no namespace"


def observe(policies: Path, home: Path) -> None:
    """Run the remediator for some cycles."""
    places = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"), str(home))
    words = ("run", "--policy", str(policies), "--interval", "500ms")
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "tmux_exporter.cli.remediator", *words),
            stderr=log,
            env={**os.environ, **places},
        )

    def last_cycle() -> float:
        assert process.poll() is None, (home / "log").read_text()
        status = home / "tmux-exporter" / REMEDIATOR_STATUS
        return float(json.loads(status.read_text())["cycle_at"]) if status.exists() else 0.0

    try:
        first = wait_for(last_cycle, "its first cycle")
        wait_for(lambda: last_cycle() > first + 1, "some more cycles")
    finally:
        process.terminate()
        status = process.wait(60)
    assert status == 0, (home / "log").read_text()


def check_config(module: str, file: Path) -> None:
    words = (sys.executable, "-m", module, "check-config", str(file))
    done = run_text(words)
    assert done.returncode == 0, done.stderr


def test_every_python_block_has_a_test_here() -> None:
    assert [str(block.page) for block in tried_by(Trial.PYTHON)] == [
        "dashboards/README.md",
        "docs/operations.md",
    ]


ORCHESTRATOR = """
import asyncio
agent, tried = "shop:0", []
restart = lambda agent: bool(tried.append(agent) or len(tried) > 2)
answers = lambda agent: False
{block}
send(agent, "news")
asyncio.run(look(agent))
print(len(tried))
"""
"""What the example leaves to its reader, around it."""


def test_the_operations_of_the_page_are_reported(start_exporter: StartExporter, tmp_path: Path) -> None:
    (block,) = (each for each in tried_by(Trial.PYTHON) if each.page.name == "operations.md")
    exporter = start_exporter()
    done = run_text(
        (sys.executable, "-c", ORCHESTRATOR.format(block=block.text)),
        env={**os.environ, "XDG_RUNTIME_DIR": str(exporter.runtime)},
    )
    assert done.returncode == 0, done.stderr
    told, tries = done.stdout.splitlines()
    assert re.fullmatch(r"[\d.e-]+ -?\d+ False", told)
    assert tries == "3"
    wanted = {
        'duration_seconds_count{operation="inter_agent_message"} 1.0',
        'duration_seconds_count{operation="status_check"} 1.0',
        'duration_seconds_count{operation="recovery"} 1.0',
        'retries_total{operation="recovery"} 2.0',
        'errors_total{operation="recovery",reason="refused"} 1.0',
    }
    wait_for(
        lambda: {line.removeprefix("tmux_operation_") for line in exporter.metrics().splitlines()} >= wanted,
        "the operations of the page are on /metrics",
    )


def test_the_panel_of_the_page_is_one() -> None:
    (block,) = (each for each in tried_by(Trial.PYTHON) if each.page.name == "README.md")
    names = dict(vars(sessions))
    exec(block.text, names)
    panel = names["_threads"]().build()
    assert (panel.title, panel.id_val) == ("Threads by session", 24)
