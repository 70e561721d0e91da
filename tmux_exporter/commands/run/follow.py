"""Run a command as the reaper of all that it starts, and add up what that costs.

As a subreaper this process inherits what its descendants leave behind, tmux servers and daemons too, so that
its tree is all of the pipeline, whatever its environment or its sessions are.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Mapping
from threading import Event

from tmux_exporter.analysis.memory.shared_memory import SharedMemory
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.commands.run.cost import Cost, Left
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.tmux import SERVER_COMM
from tmux_exporter.instrument import Operation
from tmux_exporter.reporters.op import Run
from tmux_exporter.reporters.op_arguments import OpRequest
from tmux_exporter.sources.processes.open import open_processes
from tmux_exporter.sources.processes.smaps_rollup import RollupReader

_PR_SET_CHILD_SUBREAPER = 36
_FIRST_SECONDS = 0.02
_TICK_SECONDS = 0.25
_SETTLE_SECONDS = 3.0
"""What is only ending has this long to be gone: a tmux server that was told to end, say."""


class FollowedRun(Run):
    """The command, looked at until it ends and once after."""

    program = "run"

    def __init__(self, command: tuple[str, ...], proc_root: str) -> None:
        self._clock = SystemClock()
        self._reader = open_processes(proc_root, uid=os.getuid(), clock=self._clock)
        self._proportions = RollupReader(clock=self._clock, proc_root=proc_root)
        self._shared = SharedMemory()
        self._peak_memory: int | None = None
        self._peak_processes = 0
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise CannotSeeError(
                f"this kernel lets no process reap others ({os.strerror(ctypes.get_errno())})"
            )
        request = OpRequest()
        request.name, request.command = "run", command
        super().__init__(request)

    def cost(self) -> Cost:
        """Run the command to its end."""
        began = self._clock.monotonic()
        self.attempts(Operation("run", memory=False))
        seconds = self._clock.monotonic() - began
        cpu_seconds, living = self._settled()
        left = [each for each in living.values() if not _is_of_a_server(each, living)]
        memory = self._shared.figures()
        return Cost(
            command=self._request.command,
            exit_code=128 + self.signal if self.signal else self.status,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            peak_memory_bytes=self._peak_memory,
            peak_processes=self._peak_processes,
            tmux_servers_left=sum(map(_is_server, living.values())),
            leaks=tuple(
                Left(pid=each.id.pid, name=each.comm, memory_bytes=memory.memory_bytes(each)) for each in left
            ),
        )

    def next_signal(self, wanted: frozenset[int], seconds: float | None) -> signal.struct_siginfo | None:
        """Look at the tree while none comes."""
        patience = _FIRST_SECONDS if not self._peak_processes else _TICK_SECONDS
        while (got := signal.sigtimedwait(wanted, patience)) is None and seconds is None:
            self._look()
            patience = _TICK_SECONDS
        return got

    def _look(self) -> tuple[dict[int, Process], dict[int, Process]]:
        """All processes of the tree, without this one, and those of them that live."""
        table = self._reader.read()
        tree = _below(os.getpid(), table)
        living = {pid: each for pid, each in tree.items() if each.alive}
        if asked := self._shared.plan(table, frozenset(each.id for each in living.values())):
            self._shared.learn(self._proportions.read(asked))
        figures = self._shared.figures()
        known = [memory for each in living.values() if (memory := figures.memory_bytes(each)) is not None]
        if known:
            self._peak_memory = max(self._peak_memory or 0, sum(known))
        self._peak_processes = max(self._peak_processes, len(living))
        return tree, living

    def _settled(self) -> tuple[float, dict[int, Process]]:
        """All CPU seconds, and what still lives a while after the end."""
        deadline = self._clock.monotonic() + _SETTLE_SECONDS
        while True:
            _reap()
            # Between here and the look nothing of ours is reaped: each process counts exactly once.
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            tree, living = self._look()
            if all(map(_is_server, living.values())) or self._clock.monotonic() > deadline:
                ticks = sum(each.cpu_ticks + each.children_cpu_ticks for each in tree.values())
                return ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK"), living
            Event().wait(_TICK_SECONDS)


def _below(root: int, table: ProcessTable) -> dict[int, Process]:
    """All descendants of a process."""
    children: dict[int, list[int]] = {}
    for each in table.processes.values():
        children.setdefault(each.ppid, []).append(each.id.pid)
    found: dict[int, Process] = {}
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found[pid] = table.processes[pid]
        waiting += children.get(pid, ())
    return found


def _is_server(process: Process) -> bool:
    return process.comm == SERVER_COMM


def _is_of_a_server(process: Process, living: Mapping[int, Process]) -> bool:
    """Whether it is a tmux server, or in a pane of one."""
    above: Process | None = process
    while above is not None and not _is_server(above):
        above = living.get(above.ppid)
    return above is not None


def _reap() -> None:
    """Take the state of what has ended, so that the kernel adds its CPU to ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return
