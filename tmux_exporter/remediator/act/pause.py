"""Pause of processes for a lease: started by this remediator, ended by a keeper that outlives it."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.act import lease_keeper
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.sources.processes.parse import parse_stat

SECONDS = 10.0
"""For how long a keeper is waited for: a busy machine starts a program slowly."""


@dataclass(slots=True, kw_only=True)
class Pause:
    """A keeper with its processes, the first to stop first; `held` are pidfds of our own."""

    keeper: ProcessId
    members: tuple[ProcessId, ...]
    held: tuple[int, ...]
    _control: socket.socket
    _child: "subprocess.Popen[bytes]" = field(repr=False)

    def begin(self) -> None:
        """Let the keeper stop them. Raises OSError where it did not say so in time."""
        self._control.send(lease_keeper.GO)
        if _said(self._control) != lease_keeper.STOPPED:
            raise OSError("the keeper of the lease ended, or did not answer")

    @property
    def lives(self) -> bool:
        """Whether the keeper still watches: it ends with its lease."""
        return self._child.poll() is None

    def end(self) -> None:
        """End the lease now; whatever became of the keeper, its processes run afterwards."""
        self._control.close()
        try:
            self._child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for each in reversed(self.held):
            lease_keeper.send(each, signal.SIGCONT)
            os.close(each)


def start(members: Sequence[tuple[ProcessId, int]], seconds: float) -> Pause:
    """Start the keeper of a lease for processes with their pidfds; it signals nothing yet.

    Raises OSError where it cannot be started.
    """
    ours, theirs = socket.socketpair()
    held = [os.dup(descriptor) for _, descriptor in members]
    try:
        with theirs:
            command = (sys.executable, "-I", "-S", os.path.abspath(lease_keeper.__file__))
            child = subprocess.Popen(
                (*command, str(theirs.fileno()), str(seconds), *map(str, held)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *held),
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                cwd="/",
            )
        made = Pause(
            keeper=process_of(child.pid),
            members=tuple(each for each, _ in members),
            held=tuple(held),
            _control=ours,
            _child=child,
        )
    except (OSError, ValueError):
        ours.close()
        for each in held:
            os.close(each)
        raise
    if _said(ours) != lease_keeper.READY:
        made.end()
        raise OSError("the keeper of the lease did not start")
    return made


def let_go(processes: Iterable[ProcessId]) -> int:
    """Continue those of these processes that are stopped; how many that were."""
    found = 0
    for each in processes:
        with contextlib.suppress(OSError, ValueError):
            descriptor = os.pidfd_open(each.pid)
            try:
                if process_of(each.pid) == each and is_stopped(each.pid):
                    lease_keeper.send(descriptor, signal.SIGCONT)
                    found += 1
            finally:
                os.close(descriptor)
    return found


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal. Raises OSError or ValueError where it is gone."""
    with open(f"/proc/{pid}/stat", "rb") as stream:
        return parse_stat(stream.read()).state in ("T", "t")


def _said(control: socket.socket) -> bytes:
    """The next byte of a keeper; empty where it ended or is late."""
    waiting = select.poll()
    waiting.register(control, select.POLLIN)
    try:
        return control.recv(1) if waiting.poll(round(SECONDS * 1000)) else b""
    except ConnectionError:
        return b""
