"""Facts about leaked processes (orphans of a gone pane): their kinds, owners and evidence."""

from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class LeakKind(StrEnum):
    """The kind of a leaked process (closed list, a label)."""

    SCHEDULER = "scheduler"
    AGENT = "agent"
    AGENT_DAEMON = "agent_daemon"
    MCP_SERVER = "mcp_server"
    DEV_SERVER = "dev_server"
    SHELL_JOB = "shell_job"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A process that outlived what it was started for.

    `server` and `session` are labels of the pane that left it, from when the pane was last seen; empty where
    not known. `by_marker`: only an agent marker ties the process to that pane. `by_folder`: only its working
    folder names the session. `by_environment`: no sample has seen it in that pane by anything stronger than
    its environment. `by_lineage`: only the kernel's fork events tie it to that pane. `listens`: it, or what
    it has started, listens on a TCP port; `ports` are its own. `quiet_since` is the monotonic time since
    when no sample has seen a connection of these from outside; None where there is one, or where that is not
    known.
    """

    process: ProcessId
    kind: LeakKind
    reason: str
    server: str
    session: str
    pane: PaneKey | None
    by_marker: bool = False
    by_folder: bool = False
    by_environment: bool = False
    by_lineage: bool = False
    listens: bool | None = None
    ports: frozenset[int] = frozenset()
    quiet_since: float | None = None
