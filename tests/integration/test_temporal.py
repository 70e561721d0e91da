"""The activities of deploy/temporal/ are operations in /metrics, run by Temporal's own development server.

`make check` installs it before (tests/support/programs/fresh_agents.py); a registry that is away skips this.
"""

import os
import re
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter
from tests.support.processes.run_text import run_text
from tests.support.programs.fresh_program import fresh_program
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children.prometheus import free_port

ROOT = Path(__file__).parents[2]


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_activities_of_a_workflow_are_operations(
    tmp_path: Path, start_exporter: StartExporter, socket_dir: Path
) -> None:
    python = fresh_program("temporal") / "bin" / "python"
    server = fresh_program("temporal-server") / "bin" / "temporal"
    exporter, port = start_exporter(), free_port(0)
    words = (server, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port))
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "TMUX_TMPDIR": str(socket_dir.parent),
        "XDG_RUNTIME_DIR": str(exporter.runtime),
    }
    with (tmp_path / "temporal.log").open("wb") as log:
        process = subprocess.Popen(words, env=environ, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(port), "the server of Temporal listens", 120)
        example = (python, ROOT / "deploy" / "temporal" / "activities.py", f"127.0.0.1:{port}")
        run_text(example, env=environ, timeout=120, check=True)
        wanted = {"duration_seconds_count": 2, "errors_total": 1, "retries_total": 1}

        def counted() -> dict[str, int]:
            sample = r'^tmux_operation_(\w+)\{(?:.*,)?operation="recovery"[^}]*\} (\S+)'
            found = Counter[str]()
            for name, value in re.findall(sample, exporter.metrics(), re.MULTILINE):
                found[name] += int(float(value))
            return {name: found[name] for name in wanted}

        wait_for(lambda: counted() == wanted, f"{wanted} in /metrics", 60)
    finally:
        process.terminate()
        process.wait(60)
        run_text(("tmux", "kill-server"), env=environ)
