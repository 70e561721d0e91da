"""In which folders the sessions worked: the last word on whose a leaked process is of which no pane was seen.

A folder never makes a leak of anything: editors and servers that somebody started by hand are in the same
ones. It only names the session of what is known as leaked by stronger evidence, where one session and no
other worked in that folder. Paths stay in here.
"""

import posixpath
from collections.abc import Callable, Mapping

from tmux_exporter.analysis.leaks.origins import SessionKey
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView

_MOST = 2_000
"""Panes whose folder is kept; beyond, those that were seen first are forgotten."""

_PARENTS_OF_HOMES = frozenset({"/", "/home", "/Users", "/var/home"})


def pane_processes(table: ProcessTable, view: TmuxView) -> dict[PaneKey, ProcessId]:
    """The process of every pane that tmux listed and that is the child of its server."""
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
    """Remembers the last working folder of every pane, whatever becomes of the pane."""

    def __init__(self) -> None:
        self._folders: dict[PaneKey, str] = {}

    def observe(self, folders: Mapping[PaneKey, str]) -> None:
        """Take in the folders of one sample; a pane whose folder was not seen keeps the one it had."""
        self._folders |= folders
        for key in list(self._folders)[: max(0, len(self._folders) - _MOST)]:
            del self._folders[key]

    def session_of(
        self, folder: str, server: str, place_of: Callable[[PaneKey], SessionKey | None]
    ) -> SessionKey:
        """The one session that worked in `folder` or above it; nothing where there is none or several.

        `server` is the label of the server that the process is known to come from, empty where it is not.
        """
        places = {
            place
            for key, worked in self._folders.items()
            if _is_inside(folder, worked) and not _is_everybodys(worked)
            if (place := place_of(key)) is not None and place[1]
        }
        if len(places) != 1:
            return server, ""
        (place,) = places
        return place if server in ("", place[0]) else (server, "")


def _is_inside(folder: str, worked: str) -> bool:
    return folder == worked or folder.startswith(f"{worked}/")


def _is_everybodys(folder: str) -> bool:
    """The root, what lies in it, and a user's home hold what any session does."""
    parent = posixpath.dirname(folder)
    return parent in _PARENTS_OF_HOMES or posixpath.dirname(parent) == parent
