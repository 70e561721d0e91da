"""Choose the reader of processes for this machine: fast, full or psutil."""

import logging
import os
import sys
from typing import TYPE_CHECKING

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.log import log_fields
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.kernel import ProcKernel
from tmux_exporter.sources.processes.process import ProcessReader, own_namespaces, size_counts_fds
from tmux_exporter.sources.processes.self_test import finds_a_child, is_own_mount

if TYPE_CHECKING:
    from tmux_exporter.sources.processes.psutil_reader import PsutilReader

_log = logging.getLogger(__name__)


def _open_fast(root: str, *, uid: int, clock: Clock) -> FastReader | None:
    try:
        with open(os.path.join(root, "self", "status"), "rb") as status:
            own = is_own_mount(status.read())
    except OSError:
        own = False
    kernel = ProcKernel(root, ProcessReader(uid=uid, by_size=size_counts_fds(root)))
    if own and finds_a_child(kernel):
        return FastReader(
            kernel,
            uid=uid,
            clock=clock,
            ticks_per_second=os.sysconf("SC_CLK_TCK"),
            namespaces=own_namespaces(root),
        )
    reason = "it did not find a child of this process" if own else "it is not of this pid namespace"
    _log.warning("processes are read in full each time", extra=log_fields(root=root, reason=reason))
    return None


def open_processes(
    root: str, *, uid: int, clock: Clock, fast: bool = True, linux: bool = sys.platform == "linux"
) -> "FastReader | ProcReader | PsutilReader":
    """The reader of `/proc` if there is one at `root`, else the psutil reader.

    With `fast`, the fast reader if a self-test with a child process passes. On Linux psutil reads /proc
    too, so it is no alternative there. Raises CannotSeeError if neither can read processes.
    """
    # Only Linux has this file in /proc.
    if os.path.exists(os.path.join(root, "stat")):
        plain = ProcReader(root, uid=uid, clock=clock)
        return (_open_fast(root, uid=uid, clock=clock) if fast else None) or plain
    if linux:
        raise CannotSeeError(
            f"no proc file system at {root}; mount it there, or set processes.root to its place"
        )
    from tmux_exporter.sources.processes.psutil_reader import PsutilReader  # noqa: PLC0415 - heavy

    return PsutilReader(uid=uid, clock=clock)
