"""The home of real agents in a test, and the exporter that watches its tmux server."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs.exporter import Exporter


@contextmanager
def short_home() -> Iterator[Path]:
    """A folder with a short path: it holds sockets."""
    with tempfile.TemporaryDirectory(prefix="agents", ignore_cleanup_errors=True) as folder:
        default_socket(Path(folder)).parent.mkdir(parents=True, mode=0o700)
        (Path(folder) / "run").mkdir(mode=0o700)
        yield Path(folder)


def default_socket(home: Path) -> Path:
    """That of the tmux server which the exporter of this home finds."""
    return home / "tmux" / f"tmux-{os.getuid()}" / "default"


@contextmanager
def exporter_of(home: Path, *arguments: str) -> Iterator[Exporter]:
    """`serve` with these arguments for what runs in this home."""
    environ = {"TMUX_TMPDIR": str(home / "tmux"), "HOME": str(home)}
    made = Exporter(home, home / "run", *arguments, environ=environ)
    try:
        yield made
    finally:
        made.end()
