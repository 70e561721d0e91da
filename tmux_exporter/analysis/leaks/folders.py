"""Working folders of panes: they name the session of a leaked process when stronger evidence does not.

A folder alone never makes a process leaked: editors and servers started by hand work in the same folders. It
only names the session of a process that stronger evidence shows to be leaked, where exactly one session
worked in that folder. Paths never leave this module.
"""

import posixpath
from collections.abc import Callable, Mapping

from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView

_MOST = 2_000
"""Panes whose folder is kept; beyond this, the pane seen first is dropped."""

_PARENTS_OF_HOMES = frozenset({"/", "/home", "/Users", "/var/home"})


def pane_processes(table: ProcessTable, view: TmuxView) -> dict[PaneKey, ProcessId]:
    """The first process of every listed pane, where it is alive and a child of the pane's tmux server."""
    found = {}
    for server in view.servers:
        if server.listing is None:
            continue
        own = server.listing.server
        for pane in server.listing.panes:
            process = None if pane.pid is None else table.processes.get(pane.pid)
            if process is not None and process.ppid == own.pid and process.alive:
                found[PaneKey(own, pane.id)] = process.id
    return found


class PaneFolders:
    """Remembers the last working folder of every pane, also after the pane is gone."""

    def __init__(self) -> None:
        self._folders: dict[PaneKey, str] = {}

    def observe(self, folders: Mapping[PaneKey, str]) -> None:
        """Note the folders of one sample; a pane whose folder is not known now keeps its last one."""
        self._folders |= folders
        for key in list(self._folders)[: max(0, len(self._folders) - _MOST)]:
            del self._folders[key]

    def session_of(
        self, folder: str, server: str, place_of: Callable[[PaneKey], SessionKey | None]
    ) -> SessionKey:
        """Labels of the only session that worked in `folder` or above it; no session if none or several did.

        `server` is the label of the server that the process comes from, empty where it is not known.
        """
        origins = {
            origin
            for key, worked in self._folders.items()
            if _is_inside(folder, worked) and not _is_shared(worked)
            if (origin := place_of(key)) is not None and origin[1]
        }
        if len(origins) != 1:
            return server, ""
        (origin,) = origins
        return origin if server in ("", origin[0]) else (server, "")


def _is_inside(folder: str, worked: str) -> bool:
    return folder == worked or folder.startswith(f"{worked}/")


def _is_shared(folder: str) -> bool:
    """Whether any session may work there: the root, the folders in it, and home folders."""
    parent = posixpath.dirname(folder)
    return parent in _PARENTS_OF_HOMES or posixpath.dirname(parent) == parent
