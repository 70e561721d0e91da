"""`tmux-remediator` behind a fence: it cannot signal a process that is not of this test.

For machines whose kernel gives a test no pid namespace. What is of this test has its TMUX_TMPDIR.
"""

import os
import signal
from pathlib import Path

from tests.support.processes.started import is_gone

_send = signal.pidfd_send_signal


def _is_ours(pid: int) -> bool:
    mark = f"TMUX_TMPDIR={os.environ['TMUX_TMPDIR']}".encode()
    return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def _pid(descriptor: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


def send(descriptor: int, number: int, *_: object) -> None:
    """As signal.pidfd_send_signal; PermissionError for a process of anybody else."""
    pid = _pid(descriptor)
    if is_gone(pid):
        raise ProcessLookupError
    if not _is_ours(pid):
        raise PermissionError(f"{pid} is not of this test")
    _send(descriptor, number)


if __name__ == "__main__":
    signal.pidfd_send_signal = send
    from tmux_exporter.cli.remediator import main

    main()
