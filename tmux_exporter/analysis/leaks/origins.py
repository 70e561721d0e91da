"""Origin of leaked processes: labels and working folder of every pane, kept after the pane is gone.

A folder alone never makes a process leaked: editors and servers started by hand work in the same folders. It
only names the session of a process that stronger evidence shows to be leaked, where exactly one session
worked in that folder. Paths never leave this module.
"""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView

_MOST_GONE = 2_000
"""Gone panes that are kept; beyond this, the pane not asked for longest is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    server: str
    session_id: str
    session: str


class PaneOrigins:
    """Remembers server and session of every listed pane, also after its server has ended."""

    def __init__(self) -> None:
        self._panes: dict[PaneKey, _Known] = {}
        self._labels: Mapping[tuple[ProcessId, str], str] = {}
        self._servers: dict[ProcessId, str] = {}

    def observe(self, view: TmuxView, session_labels: Mapping[tuple[ProcessId, str], str]) -> None:
        """Note the panes of one sample."""
        self._labels = session_labels
        self._servers = {each.process: each.label for each in view.servers if each.process is not None}
        listed: set[PaneKey] = set()
        for each in view.servers:
            for pane in each.listing.panes if each.listing else ():
                key = PaneKey(each.listing.server, pane.id) if each.listing else None
                if key is None:
                    continue
                listed.add(key)
                known = self._panes.get(key)
                label = session_labels.get((key.server, pane.session_id), "")
                if known is None or (known.session_id, known.session) != (pane.session_id, label):
                    self._panes[key] = _Known(server=each.label, session_id=pane.session_id, session=label)
        if len(self._panes) > len(listed) + _MOST_GONE:
            gone = [key for key in self._panes if key not in listed]
            for key in gone[: len(gone) - _MOST_GONE]:
                del self._panes[key]

    def recall(self, key: PaneKey, origin: SessionKey) -> None:
        """Note where a pane was that is no longer listed; a listed pane keeps its listed session."""
        self._panes.setdefault(key, _Known(server=origin[0], session_id="", session=origin[1]))

    def of_pane(self, key: PaneKey) -> SessionKey | None:
        """The session of a pane, by its current label where the session still exists."""
        known = self._panes.get(key)
        if known is None:
            return None
        label = self._labels.get((key.server, known.session_id), known.session)
        known = known if label == known.session else replace(known, session=label)
        # Least recently used: the pane asked for last is dropped last.
        del self._panes[key]
        self._panes[key] = known
        return known.server, label

    def of_session(self, server: ProcessId | None, session_id: str | None) -> SessionKey:
        """The labels of an existing session."""
        if server is None:
            return "", ""
        label = self._labels.get((server, session_id), "") if session_id is not None else ""
        return self._servers.get(server, ""), label

    def of(self, owner: Owner | None, process: Process) -> SessionKey:
        """The labels of the session that left a process behind."""
        if owner is None or owner.server is None:
            return "", ""
        if owner.pane is not None and (origin := self.of_pane(owner.pane)) is not None:
            return origin
        return self._servers.get(owner.server, ""), self._first_session(owner.server, process)

    def _first_session(self, server: ProcessId, process: Process) -> str:
        """Label of the session in which the pane was created, by TMUX; the pane may have moved since."""
        socket_and_pid, comma, number = (process.environ or {}).get("TMUX", "").rpartition(",")
        if not comma or not socket_and_pid.endswith(f",{server.pid}") or not number.isdecimal():
            return ""
        return self._labels.get((server, f"${number}"), "")


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
