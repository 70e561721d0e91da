"""A `tmux` that a test looks into: as a script it would be taken for what it is, no tmux."""

import shutil
from pathlib import Path


def make_tmux(folder: Path, send_keys: str) -> None:
    """A program `tmux` that runs this script for `send-keys`, as its only command.

    So it is a shell that has the names of tmux's commands in it, and a script of the one that it is given.
    """
    shell = Path(shutil.which("bash") or "").read_bytes()
    for name, content in (
        ("tmux", shell + b"\0send-keys\0capture-pane\0attach-session\0"),
        ("send-keys", f"#!/bin/sh\n{send_keys}\n".encode()),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o755)
