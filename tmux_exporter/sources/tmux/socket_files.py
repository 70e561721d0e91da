"""Find tmux socket files and check owner, type and folder of each, without connecting.

tmux keeps its sockets in `$TMUX_TMPDIR/tmux-UID`, else in `/tmp/tmux-UID`; `-S` puts one anywhere. Another
user who can put a socket there could fake a server, so a socket counts only if it and its folder belong to
this uid. That is not enough, because a folder can be replaced between check and connection: the client
checks the uid of the peer before it sends a byte. Processes name further sockets in TMUX and TMUX_TMPDIR.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from tmux_exporter.base.paths import demo_folder
from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Problem, Process, ProcessTable
from tmux_exporter.facts.tmux import QueryFailure

DEFAULT_BASE = "/tmp"  # noqa: S108 - tmux's own default; the folder below it is checked before use
MAX_FOLDERS = 64
MAX_ENTRIES = 1_000


class PathState(StrEnum):
    """The kind of file at a path."""

    SOCKET = "socket"
    PLAIN = "plain"
    MISSING = "missing"
    FOREIGN = "foreign"
    LINK = "link"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPath:
    """A path and the kind of file there; we connect only to a SOCKET.

    FOREIGN is a socket of another uid or in an untrusted folder; `detail` says which.
    `file` is the device and inode of a SOCKET: one socket may have two names.
    """

    path: str
    state: PathState
    detail: str = ""
    file: tuple[int, int] | None = None


def canonical(path: str) -> str:
    """The one name of a path: its folder without symbolic links, its last part as it is."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def folder_fault(mode: int, owner: int, uid: int) -> str:
    """Why the sockets in a folder are not trusted; empty if they are.

    Our own folder may be writable by its group, as with many umasks. A folder of root is trusted if no other
    user can replace our socket in it: sticky like /tmp, or writable by root only.
    """
    if stat.S_ISLNK(mode):
        return "its folder is a symbolic link"
    if not stat.S_ISDIR(mode):
        return "its folder is no folder"
    if owner not in (uid, 0):
        return f"its folder belongs to uid {owner}"
    others = stat.S_IWOTH if owner == uid else stat.S_IWOTH | stat.S_IWGRP
    return "others may write to its folder" if mode & others and not mode & stat.S_ISVTX else ""


def check_entry(path: str, entry: os.stat_result, uid: int) -> SocketPath | None:
    """The kind of an entry of a folder; None for a file that has nothing to do with tmux."""
    if stat.S_ISLNK(entry.st_mode):
        return SocketPath(path=path, state=PathState.LINK, detail="it is a symbolic link")
    if stat.S_ISREG(entry.st_mode):
        # `NAME.lock` is tmux's own: two clients that start one server meet there.
        return None if path.endswith(".lock") else SocketPath(path=path, state=PathState.PLAIN)
    if not stat.S_ISSOCK(entry.st_mode):
        return None
    if entry.st_uid != uid:
        return SocketPath(path=path, state=PathState.FOREIGN, detail=f"it belongs to uid {entry.st_uid}")
    return SocketPath(path=path, state=PathState.SOCKET, file=(entry.st_dev, entry.st_ino))


def check_path(path: str, uid: int) -> SocketPath:
    """Check one canonical path; never raises."""
    try:
        folder = os.lstat(os.path.dirname(path))
        entry = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return SocketPath(path=path, state=PathState.MISSING)
    except (OSError, ValueError) as error:
        return SocketPath(path=path, state=PathState.UNREADABLE, detail=_error_text(error))
    site = check_entry(path, entry, uid) or SocketPath(path=path, state=PathState.PLAIN)
    fault = folder_fault(folder.st_mode, folder.st_uid, uid)
    if fault and site.state is PathState.SOCKET:
        return SocketPath(path=path, state=PathState.FOREIGN, detail=fault)
    return site


def scan(folder: str, uid: int) -> tuple[list[SocketPath], list[Problem]]:
    """Every socket in one folder `tmux-UID`; a folder that does not exist has none."""
    try:
        own = os.lstat(folder)
        fault = folder_fault(own.st_mode, own.st_uid, uid)
        if not fault and own.st_uid != uid:
            fault = f"it belongs to uid {own.st_uid}"
        if fault:
            return [], [_problem(QueryFailure.UNTRUSTED, f"{folder}: not read: {fault}")]
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except (OSError, ValueError) as error:
        return [], [_problem(QueryFailure.DENIED, f"{folder}: {_error_text(error)}")]
    problems = []
    if len(names) > MAX_ENTRIES:
        problems.append(_problem(QueryFailure.PARTIAL, f"{folder}: {len(names)} entries, {MAX_ENTRIES} read"))
    sites = []
    for name in names[:MAX_ENTRIES]:
        path = os.path.join(folder, name)
        try:
            site = check_entry(path, os.lstat(path), uid)
        except FileNotFoundError:
            continue
        except OSError as error:
            site = SocketPath(path=path, state=PathState.UNREADABLE, detail=_error_text(error))
        if site is not None:
            sites.append(site)
    return sites, problems


def default_folders(uid: int, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The default folders of tmux for this uid, the preferred one first, and the folder of the demo."""
    bases = (environ.get("TMUX_TMPDIR", ""), DEFAULT_BASE, str(demo_folder(environ, uid)))
    return tuple(dict.fromkeys(own_folder(base, uid) for base in bases if base))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSockets:
    """Every checked path, by canonical path, and the problems."""

    sites: Mapping[str, SocketPath]
    problems: tuple[Problem, ...]


def find_sockets(folders: Iterable[str], paths: Iterable[str], uid: int) -> FoundSockets:
    """Scan the folders and check the single paths, each once."""
    sites: dict[str, SocketPath] = {}
    problems: list[Problem] = []
    folders = list(dict.fromkeys(folders))
    if len(folders) > MAX_FOLDERS:
        problems.append(_problem(QueryFailure.PARTIAL, f"{len(folders)} socket folders, {MAX_FOLDERS} read"))
    for folder in folders[:MAX_FOLDERS]:
        found, faults = scan(folder, uid)
        sites.update((site.path, site) for site in found)
        problems += faults
    for path in paths:
        if path not in sites:
            sites[path] = check_path(path, uid)
    return FoundSockets(sites=sites, problems=tuple(problems))


def own_folder(base: str, uid: int) -> str:
    """The folder of a uid's sockets below a TMUX_TMPDIR."""
    # As tmux does it: the base may be a symbolic link, the folder itself may not.
    return os.path.join(os.path.realpath(base), f"tmux-{uid}")


def _problem(reason: QueryFailure, detail: str) -> Problem:
    return Problem(source="tmux", reason=reason.value, detail=detail)


def _error_text(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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
        bases = (DEFAULT_BASE, *(named.base for named in self._places if named.base))
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
        return _variables(socket.split(",")[0], base) if socket or base else None


@lru_cache(maxsize=256)
def _variables(socket: str, base: str) -> SocketVariables:
    """One object for all processes of a pane."""
    return SocketVariables(socket, base)


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
