"""A folder for tmux sockets that nobody else sees."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tmux_exporter.sources.tmux import socket_files


@contextmanager
def own_sockets() -> Iterator[tuple[Path, pytest.MonkeyPatch]]:
    """The folder `tmux-UID` of an own TMUX_TMPDIR, the only one looked into, and what patches for as long."""
    base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMUX_TMPDIR", str(base))
        patch.delenv("TMUX", raising=False)
        patch.delenv("TMUX_PANE", raising=False)
        patch.setattr(socket_files, "DEFAULT_BASE", str(base / "none"))
        sockets = base / f"tmux-{os.getuid()}"
        sockets.mkdir(mode=0o700)
        try:
            yield sockets, patch
        finally:
            shutil.rmtree(base, ignore_errors=True)
