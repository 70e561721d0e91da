"""Facts about the folders that agents work in and log to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class WorkspaceKind(StrEnum):
    """What a folder is to an agent (closed list, a label)."""

    WORK = "work"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The disk space of one folder with all below it on the same file system, as `du -x` tells it.

    `worktree` is the name of the linked git worktree that it is, empty where it is none. `oldest`: the Unix
    time at which the file that was written longest ago was written last; None without files.
    """

    bytes: int
    worktree: str = ""
    oldest: float | None = None


Workspaces = Mapping[tuple[WorkspaceKind, str], Workspace]
"""By kind and worktree."""
