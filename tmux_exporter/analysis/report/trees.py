"""The processes of each agent with their figures: what a remediator needs to find the one that holds one."""

import posixpath
from collections.abc import Mapping

from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.report import TreeProcess

_DELETED = " (deleted)"


def agent_trees(snapshot: Snapshot) -> Mapping[ProcessId, tuple[TreeProcess, ...]]:
    """The living processes of each running agent, by its root, in the order of their pids."""
    seen = snapshot.table.processes.get
    return {
        agent.process: tuple(
            _tree_process(process, snapshot)
            for member in sorted(agent.members)
            if (process := seen(member.pid)) is not None and process.id == member and process.alive
        )
        for agent in snapshot.agents
    }


def _tree_process(process: Process, snapshot: Snapshot) -> TreeProcess:
    ticks = process.cpu_ticks + process.children_cpu_ticks
    known = process.open_fds is not None and process.max_fds
    return TreeProcess(
        process=process.id,
        parent=process.ppid,
        name=label_text(posixpath.basename((process.exe or process.comm).removesuffix(_DELETED))),
        memory_bytes=snapshot.memory.memory_bytes(process),
        resident_memory_bytes=process.resident_bytes,
        anonymous_memory_bytes=process.anonymous_bytes,
        swap_memory_bytes=snapshot.memory.swap_bytes(process),
        cpu_seconds_total=ticks / snapshot.table.clock_ticks_per_second,
        threads=process.threads,
        open_fds=process.open_fds,
        fd_utilization_ratio=process.open_fds / process.max_fds
        if known and process.open_fds is not None and process.max_fds
        else None,
        read_bytes_total=process.read_bytes,
        written_bytes_total=process.written_bytes,
    )
