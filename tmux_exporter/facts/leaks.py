"""Facts about leaked processes: kinds and what is known of each."""

from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class LeakKind(StrEnum):
    """What a process is that outlived its pane (closed list, a label)."""

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

    `server` and `session` are finished labels of the pane that left it, as they were when that was last seen;
    empty where that is not known. `by_marker` says that only the marker of an agent tied it to that pane,
    `by_folder` that only its working folder names the session.
    """

    process: ProcessId
    kind: LeakKind
    reason: str
    server: str
    session: str
    pane: PaneKey | None
    by_marker: bool = False
    by_folder: bool = False
