"""`tmux-exporter serve` with a clock at each stage: `stages.py OUT serve …`; SIGUSR1 writes, and begins anew.

CPU of the thread in nanoseconds by stage, without the stages inside it; `process` is the CPU of the whole
process meanwhile. What no stage has is HTTP, the event loop, waking up.
"""

import gc
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

SOURCES = "tmux_exporter.sources."
ANALYSIS = "tmux_exporter.analysis."
STAGES = (
    ("sample, the rest", "tmux_exporter.sampling.sampler", "Sampler.sample"),
    ("processes: clocks", SOURCES + "processes.kernel", "ProcKernel.compare"),
    ("processes: cursor", SOURCES + "processes.new_pids", "Cursor.advance"),
    ("processes: lines of stat in turn", SOURCES + "processes.kernel", "ProcKernel.mark"),
    ("processes: read one", SOURCES + "processes.process", "ProcessReader.read"),
    ("processes: the rest", SOURCES + "processes.fast_reader", "FastReader.read"),
    ("tmux: find sockets", SOURCES + "tmux.listeners", "ListenerFinder.find"),
    ("tmux: find sockets", SOURCES + "tmux.socket_files", "find_sockets"),
    ("tmux: find sockets", SOURCES + "tmux.socket_files", "EnvironmentSockets.update"),
    ("tmux: ask", SOURCES + "tmux.ask", "ask_all"),
    ("tmux: parse", SOURCES + "tmux.parse_listing", "parse"),
    ("tmux: believe", SOURCES + "tmux.pane_pids", "believe"),
    ("tmux: the rest", SOURCES + "tmux.source", "TmuxSource.read"),
    ("changes", "tmux_exporter.facts.changes", "ChangeTracker.observe"),
    ("ownership", "tmux_exporter.sampling.stages.ownership", "OwnershipStage.observe"),
    ("ledgers", "tmux_exporter.sampling.stages.ledgers", "LedgerStage.observe"),
    ("agents", "tmux_exporter.sampling.stages.agents", "AgentStage.observe"),
    ("agents: state file", "tmux_exporter.sampling.state_file", "StateFile.keep"),
    ("schedulers", "tmux_exporter.sampling.stages.schedulers", "SchedulerStage.observe"),
    ("schedulers", "tmux_exporter.sampling.stages.schedulers", "SchedulerStage.count"),
    ("leaks", "tmux_exporter.sampling.stages.leaks", "LeakStage.observe"),
    ("leaks", "tmux_exporter.sampling.stages.leaks", "LeakStage.remembered"),
    ("shared memory", "tmux_exporter.sampling.stages.memory", "MemoryStage.observe"),
    ("shared memory: smaps_rollup", SOURCES + "processes.smaps_rollup", "RollupReader.read"),
    ("host", SOURCES + "host.host", "HostReader.read"),
    ("host: inotify", SOURCES + "host.inotify", "InotifyReader.read"),
    ("remediator file", SOURCES + "own.remediator_status", "RemediatorFile.read"),
    ("memory limits", SOURCES + "host.memory_limits", "LimitReader.read"),
    ("counters: the rest", "tmux_exporter.sampling.stages.counters", "CounterStage.observe"),
    ("counters: keys", ANALYSIS + "report.counter_keys", "KeyTracker.observe"),
    ("counters: accounting", ANALYSIS + "cpu.counters", "GroupCounters.observe"),
    ("operations", "tmux_exporter.sampling.stages.operations", "OperationStage.operations"),
    ("operations", "tmux_exporter.sampling.stages.operations", "OperationStage.commands"),
    ("spending", "tmux_exporter.sampling.stages.spending", "SpendingStage.look"),
    ("spending", "tmux_exporter.sampling.stages.spending", "SpendingStage.count"),
    ("lineage", "tmux_exporter.sampling.stages.lineage", "LineageStage.observe"),
    ("workspaces", "tmux_exporter.sampling.stages.workspaces", "WorkspaceStage.observe"),
    ("report", "tmux_exporter.sampling.sampler", "Sampler._summary"),
    ("families", "tmux_exporter.metrics.collectors", "collect_all"),
    ("lines", "tmux_exporter.metrics.render", "Renderer.render"),
    ("gzip", "tmux_exporter.metrics.render", "compress"),
    ("publish", "tmux_exporter.commands.publisher", "Publisher._publish"),
)

_local = threading.local()
_spent: dict[str, int] = {}


def _enter() -> list[int]:
    stack = _local.__dict__.setdefault("stack", [])
    frame = [time.thread_time_ns(), 0]
    stack.append(frame)
    return frame


def _leave(label: str, frame: list[int]) -> None:
    took = time.thread_time_ns() - frame[0]
    stack = _local.stack
    stack.pop()
    if stack:
        stack[-1][1] += took
    _spent[label] = _spent.get(label, 0) + took - frame[1]


def _timed(label: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def run(*arguments: Any, **named: Any) -> Any:
        frame = _enter()
        try:
            return work(*arguments, **named)
        finally:
            _leave(label, frame)

    return run


def found(module: str, name: str) -> tuple[Any, str, Callable[..., Any]]:
    """What holds a function, its name there, and itself. Raises AttributeError where there is none."""
    owner: Any = import_module(module)
    *holders, last = name.split(".")
    for each in holders:
        owner = getattr(owner, each)
    return owner, last, getattr(owner, last)


def _patch(label: str, module: str, name: str) -> None:
    owner, last, old = found(module, name)
    new = _timed(label, old)
    if "." in name:
        setattr(owner, last, new)
        return
    for other in list(sys.modules.values()):
        for key, value in list(getattr(other, "__dict__", {}).items()):
            if value is old:
                setattr(other, key, new)


def _collected(phase: str, _: dict[str, int]) -> None:
    if phase == "start":
        _enter()
    else:
        _leave("garbage collection", _local.stack[-1])


def main() -> None:
    """Serve."""
    out = Path(sys.argv[1])
    import tmux_exporter.commands.publisher  # noqa: PLC0415
    import tmux_exporter.sampling.open  # noqa: F401,PLC0415
    from tmux_exporter.cli.main import main as run  # noqa: PLC0415

    for each in STAGES:
        _patch(*each)
    gc.callbacks.append(_collected)
    begun = time.process_time_ns()

    def write(_: int, __: FrameType | None) -> None:
        nonlocal begun
        before, begun = begun, time.process_time_ns()
        spent = {"process": begun - before, "stages": dict(_spent)}
        _spent.clear()
        out.write_text(json.dumps(spent))

    signal.signal(signal.SIGUSR1, write)
    sys.argv = ["tmux-exporter", *sys.argv[2:]]
    run()


if __name__ == "__main__":
    main()
