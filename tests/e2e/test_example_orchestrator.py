"""The orchestrator of `examples/`: what the exporter tells of it equals what was measured outside of it."""

import os
import shlex
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.analysis.operations.tmux_commands import Client, read_client
from tmux_exporter.wire.operation_line import CLASSES

ROUNDS = 3
ORCHESTRATOR = Path(__file__).parents[2] / "examples" / "orchestrator" / "orchestrator.py"
SHIM = """\
#!/bin/bash
printf '%s\\n' "$1 $2" >>{log}
exec -a tmux {tmux} "$@"
"""
"""Stands before tmux, and notes what it is asked to do. The process is the same one all the time."""


@pytest.fixture
def environ(tmp_path: Path, socket_dir: Path) -> dict[str, str]:
    """Where the orchestrator finds the exporter, its tmux (with our log before it), and our programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tmux = shutil.which("tmux")
    assert tmux is not None
    shim = folder / "tmux"
    shim.write_text(SHIM.format(log=shlex.quote(str(tmp_path / "tmux.log")), tmux=tmux))
    shim.chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "XDG_RUNTIME_DIR": str(socket_dir.parent / "serve0")}


def commands(log: Path) -> Counter[str]:
    """What tmux was asked to do, by the names of the exporter."""
    found: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        client = read_client(["tmux", *line.split()], lambda: {}, 0)
        # Of a new session only its first two words are in the log.
        found[client.command if isinstance(client, Client) else "new-session"] += 1
    return found


def by(page: str, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of one name by the values of these labels."""
    return {
        tuple(each.labels[label] for label in labels): each.value
        for family in text_string_to_metric_families(page)
        for each in family.samples
        if each.name == name
    }


@pytest.mark.first_namespaces
def test_the_example_is_told_as_it_was(
    start_exporter: StartExporter, tmux_server: StartTmux, environ: dict[str, str], tmp_path: Path
) -> None:
    tmux_server("default")
    config = tmp_path / "config.yml"
    config.write_text("operations:\n  watch_commands: true\n")
    exporter = start_exporter("--config", str(config))

    done = run_text([sys.executable, str(ORCHESTRATOR), "--rounds", str(ROUNDS)], env=environ, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    outside: dict[str, list[float]] = defaultdict(list)
    failed: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        name, result, seconds = line.split()
        outside[name].append(float(seconds))
        failed[name] += result == "failed"
    assert outside.keys() == set(CLASSES)
    assert failed == {**dict.fromkeys(CLASSES, 0), "status_check": 1}

    counts = {name: len(each) for name, each in outside.items()}
    wait_for(
        lambda: (
            by(exporter.metrics(), "tmux_operation_duration_seconds_count", "operation")
            == {(name,): count for name, count in counts.items()}
        ),
        "every operation is counted",
        timeout=30,
    )
    page = exporter.metrics()
    inside = by(page, "tmux_operation_duration_seconds_sum", "operation")
    for name, measured in outside.items():
        assert 0 < inside[name,] <= sum(measured)
    # The script itself waits so long between the words and Enter.
    assert inside["inter_agent_message",] >= 0.2 * ROUNDS
    errors = by(page, "tmux_operation_errors_total", "operation", "reason")
    assert {key: value for key, value in errors.items() if value} == {("status_check", "exception"): 1}
    assert set(by(page, "tmux_operations_in_flight", "operation").values()) == {0}
    assert set(by(page, "tmux_exporter_operations_lost_total", "reason").values()) == {0}

    if by(page, "tmux_exporter_collector_success", "collector")["commands",] == 0:
        pytest.skip("the kernel tells no process events here; what programs report was as it is to be")
    asked = commands(tmp_path / "tmux.log")

    def all_accounted_for() -> bool:
        page = exporter.metrics()
        seen = by(page, "tmux_command_duration_seconds_count", "server", "command")
        lost = sum(by(page, "tmux_exporter_commands_lost_total", "reason").values())
        told = {command: seen.get(("default", command), 0) for command in asked}
        assert all(told[command] <= count for command, count in asked.items()), (told, asked)
        return sum(told.values()) + lost >= asked.total()

    wait_for(all_accounted_for, "every tmux command was seen, or is said to be lost", timeout=60)
    assert "review task" not in exporter.metrics() + exporter.log.read_text()
