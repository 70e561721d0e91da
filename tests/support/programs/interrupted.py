"""A command of ours that gets a real SIGINT: from outside at a moment, or from inside at its N-th import."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import os, signal, sys
from tmux_exporter.cli import main as entry

class Watch:
    seen = 0
    def find_spec(self, name, path=None, target=None):
        self.seen += 1
        if self.seen == 1:
            os.write(FD, b".")
        if self.seen == AT_IMPORT:
            os.kill(os.getpid(), signal.SIGINT)

if sys.argv[1] == "up":
    from tmux_exporter.commands.up_children import prometheus as stack
    stack.PROMETHEUS_PORT = stack.ALERTMANAGER_PORT = 0
sys.meta_path.insert(0, Watch())
entry.START()
"""
"""Python's own start is not ours to mend, so a moment counts from the first import behind `entry`.

`up` takes free ports: somebody's Prometheus may look for its own at 9090.
"""

INTERRUPTED = frozenset({128 + signal.SIGINT, -signal.SIGINT})
"""130 for every shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


def interrupted(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    seconds: float | None = None,
    at_import: int = 0,
    cwd: Path | None = None,
) -> Ended:
    """Run a command of either program; interrupt it after so many seconds, or at an import."""
    start = "remediator" if command[0] == "tmux-remediator" else "main"
    reading, writing = os.pipe()
    text = _PROGRAM.replace("FD", str(writing)).replace("AT_IMPORT", str(at_import)).replace("START", start)
    process = subprocess.Popen(
        [sys.executable, "-c", text, *command[1:]], env={**os.environ, **environ}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, encoding="utf-8", pass_fds=(writing,), cwd=cwd,
    )  # fmt: skip
    os.close(writing)
    try:
        assert os.read(reading, 1) == b".", process.communicate(timeout=60)
        if seconds is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        os.close(reading)
        if process.poll() is None:
            process.kill()
            process.wait()
    return Ended(status=process.returncode, stdout=stdout, stderr=stderr)
