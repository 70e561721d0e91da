"""Facts about ownership: the pane or tmux server that a process belongs to, and the evidence."""

from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class OwnerKind(StrEnum):
    """What a process belongs to."""

    PANE = "pane"
    SERVER = "server"
    LEAKED = "leaked"
    OTHER = "other"


class Evidence(StrEnum):
    """What ties a process to its owner (closed list), strongest first."""

    TREE = "tree"
    KERNEL_SESSION = "kernel_session"
    TTY = "tty"
    CGROUP = "cgroup"
    ENVIRONMENT = "environment"
    AGENT_MARKER = "agent_marker"
    FOLDER = "folder"
    MEMORY = "memory"
    LINEAGE = "lineage"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner of a process, with the evidence in words for `explain`.

    `pane` is set for PANE and, where it is known, for LEAKED; `server` for all kinds but OTHER.
    """

    kind: OwnerKind
    evidence: Evidence
    reason: str
    server: ProcessId | None = None
    pane: PaneKey | None = None
