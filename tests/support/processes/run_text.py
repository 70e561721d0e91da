"""Run a program to its end and read what it printed."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_text(
    command: Sequence[str | Path], *, check: bool = False, timeout: float = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` that captures both streams as text and waits for at most `timeout` seconds."""
    return subprocess.run(command, check=check, timeout=timeout, capture_output=True, text=True, **options)
