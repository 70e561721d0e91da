"""The detail of one agent, written by hand."""

from tests.support.literals.report import NOW, example_report
from tmux_exporter.facts.agents import AgentState, StateSource
from tmux_exporter.facts.detail import Detail, DetailProcess
from tmux_exporter.facts.owner import Evidence
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import TreeProcess

_MIB = 2**20


def detail_process(pid: int, parent: int, name: str, mebibytes: int, evidence: Evidence) -> DetailProcess:
    return DetailProcess(
        figures=TreeProcess(
            process=ProcessId(pid, 7), parent=parent, name=name, memory_bytes=mebibytes * _MIB,
            resident_memory_bytes=mebibytes * _MIB, anonymous_memory_bytes=mebibytes * _MIB,
            swap_memory_bytes=0, cpu_seconds_total=1.5, threads=4, open_fds=30, fd_utilization_ratio=0.1,
            read_bytes_total=0, written_bytes_total=0,
        ),
        evidence=evidence,
        pane="%0",
        start_time_seconds=NOW - 300,
    )  # fmt: skip


DETAIL = Detail(
    processes=(
        detail_process(5001, 4000, "node", 420, Evidence.TREE),
        detail_process(5009, 1, "vite", 77, Evidence.ENVIRONMENT),
        detail_process(5010, 5001, "node", 60, Evidence.TREE),
        detail_process(5011, 5010, "python3", 40, Evidence.TREE),
    ),
    left_out=0,
    panes=example_report().panes[:2],
    clues=((StateSource.PANE_TEXT, AgentState.WORKING), (StateSource.WINDOW_ACTIVITY, None)),
)
"""A tree of three, and a process that only its environment ties to the pane."""
