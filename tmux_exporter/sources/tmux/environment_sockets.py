"""Find the tmux sockets that processes name in TMUX and TMUX_TMPDIR, and which of them are ours."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.sources.tmux.socket_files import (
    MAX_ENTRIES,
    MAX_FOLDERS,
    canonical,
    default_base,
    own_folder,
)


class SocketVariables(NamedTuple):
    """The socket in TMUX, and TMUX_TMPDIR, of a process; empty if unset."""

    socket: str
    base: str


class EnvironmentSockets:
    """The sockets and folders that processes of this uid name, updated with each table."""

    def __init__(self, uid: int) -> None:
        self._uid = uid
        self._named = PerProcess(self._names)
        self._places: tuple[SocketVariables, ...] = ()

    def update(self, table: ProcessTable) -> None:
        """Update from this table."""
        if self._named.update(table):
            self._places = tuple(dict.fromkeys(self._named.found.values()))

    def folders(self) -> tuple[str, ...]:
        """The folders that their TMUX_TMPDIR means."""
        bases = (named.base for named in self._places)
        return tuple(dict.fromkeys(own_folder(base, self._uid) for base in bases if os.path.isabs(base)))

    def own(self) -> dict[str, str]:
        """Folders and sockets that they name, at which only servers of this uid can listen.

        By the name in TMUX or TMUX_TMPDIR (the default for a process with neither), its canonical path.
        Includes paths that do not exist: nobody listens there.
        """
        bases = (default_base(), *(named.base for named in self._places if named.base))
        places: dict[str, str] = {}
        for name in _absolute(f"{base}/tmux-{self._uid}" for base in bases)[:MAX_FOLDERS]:
            _add_own(places, name, os.path.realpath(name), self._uid)
        for name in _absolute(named.socket for named in self._places)[:MAX_ENTRIES]:
            folder = os.path.dirname(name)
            if folder not in places and not _add_own(places, folder, os.path.realpath(folder), self._uid):
                _add_own(places, name, canonical(name), self._uid)
        return places

    def _names(self, process: Process) -> SocketVariables | None:
        if process.uid != self._uid or not process.environ:
            return None
        socket, base = process.environ.get("TMUX", ""), process.environ.get("TMUX_TMPDIR", "")
        return SocketVariables(socket.split(",")[0], base) if socket or base else None


def _absolute(names: Iterable[str]) -> list[str]:
    return [os.path.normpath(name) for name in dict.fromkeys(names) if os.path.isabs(name)]


def _add_own(places: dict[str, str], name: str, path: str, uid: int) -> bool:
    """Add a path unless it belongs to another user or cannot be read."""
    try:
        own = os.lstat(path).st_uid == uid
    except (FileNotFoundError, NotADirectoryError):
        own = True
    except (OSError, ValueError):
        own = False
    if own:
        places[name] = path
    return own
