"""Which reader of processes this machine has."""

import os
import sys
from typing import TYPE_CHECKING

from tmux_exporter.clock import Clock
from tmux_exporter.errors import CannotSeeError
from tmux_exporter.sources.procfs import ProcReader

if TYPE_CHECKING:
    from tmux_exporter.sources.psutil_source import PsutilReader


def open_processes(
    root: str, *, uid: int, clock: Clock, linux: bool = sys.platform == "linux"
) -> "ProcReader | PsutilReader":
    """The reader of `/proc` where there is one at `root`, else psutil's.

    On Linux there is nothing but /proc: psutil reads it as well. Raises CannotSeeError where neither can see.
    """
    # No other system's /proc has this file.
    if os.path.exists(os.path.join(root, "stat")):
        return ProcReader(root, uid=uid, clock=clock)
    if linux:
        raise CannotSeeError(
            f"no proc file system at {root}; mount it there, or set processes.root to its place"
        )
    try:
        from tmux_exporter.sources.psutil_source import PsutilReader  # noqa: PLC0415 - optional, and heavy
    except ImportError as error:
        mend = "install it: pip install 'tmux-exporter[portable]'"
        raise CannotSeeError(f"this system has no {root}, and psutil is not installed; {mend}") from error
    return PsutilReader(uid=uid, clock=clock)
