"""Measure the disk space of folders as `du -x` does: slowly, on a thread of its own, never on half a walk.

The thread runs at the lowest priority and rests for most of the time, so that neither the disk nor a sample
waits for it. A dead network file system stops only this thread.
"""

import math
import os
import posixpath
import stat
import threading
from collections.abc import Collection, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.workspaces import Workspace
from tmux_exporter.sources.common.opened import opened

MOST_ENTRIES = 5_000_000
"""Beyond it a folder has no figure."""

_SLICE = 200
"""Entries between two rests."""

_SHARE = 0.02
"""Of the time of one processor, and of the disk's."""

_FRESH_SECONDS = 600.0
_REST_FACTOR = 10
"""A folder is walked again once this many times as long has passed as it took."""

_LOWEST = 19
_SECTOR = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WORKTREE = "/.git/worktrees/"


class _Known(NamedTuple):
    found: Workspace | None
    due: float


class WorkspaceReader:
    """Measures folders while they are asked for; `home` and what is above it is no workspace."""

    def __init__(self, *, clock: Clock, home: str) -> None:
        self._clock = clock
        self._home = home
        self._wake = threading.Condition()
        self._wanted: frozenset[str] = frozenset()
        self._known: dict[str, _Known] = {}
        self._thread: threading.Thread | None = None

    def read(self, folders: Collection[str]) -> Mapping[str, Workspace]:
        """Those of these folders that have been measured, within the last minutes. Waits for nothing.

        A folder stands for the whole git worktree that it is in. One that could not be walked wholly is
        missing. Without folders the thread ends.
        """
        with self._wake:
            if self._wanted != frozenset(folders):
                self._wanted = frozenset(folders)
                self._known = {each: known for each, known in self._known.items() if each in self._wanted}
                self._wake.notify()
            if self._wanted and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workspaces", daemon=True)
                self._thread.start()
            return {each: known.found for each, known in self._known.items() if known.found is not None}

    @property
    def is_running(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        while (folder := self._next()) is not None:
            began = self._clock.monotonic()
            found = self._measured(folder)
            now = self._clock.monotonic()
            with self._wake:
                if folder in self._wanted:
                    rest = max(_FRESH_SECONDS, _REST_FACTOR * (now - began))
                    self._known[folder] = _Known(found, now + rest)

    def _next(self) -> str | None:
        """The folder whose turn it is, once it is; None where none is wanted any more."""
        with self._wake:
            while self._wanted:
                now = self._clock.monotonic()
                due = {each: self._known[each].due if each in self._known else 0.0 for each in self._wanted}
                folder = min(sorted(due), key=due.__getitem__)
                if due[folder] <= now:
                    return folder
                self._wake.wait(due[folder] - now)
            self._thread = None
            return None

    def _measured(self, folder: str) -> Workspace | None:
        place = workspace_of(folder, self._home)
        if place is None:
            return None
        walk = disk_usage(place.folder)
        while True:
            began = self._clock.monotonic()
            try:
                next(walk)
            except StopIteration as ended:
                found: Workspace | None = ended.value
                return found and replace(found, worktree=place.worktree)
            rest = (self._clock.monotonic() - began) / _SHARE
            with self._wake:
                self._wake.wait_for(lambda: folder not in self._wanted, rest)
                if folder not in self._wanted:
                    return None


class Place(NamedTuple):
    """A folder to measure, and the name of the linked git worktree that it is, if it is one."""

    folder: str
    worktree: str = ""


def workspace_of(folder: str, home: str) -> Place | None:
    """The git worktree that a folder is in, else the folder; None for the home folder and all above it.

    A folder from `~/` on stands for itself.
    """
    if folder.startswith("~/"):
        return Place(os.path.realpath(home + folder[1:])) if home else None
    real = os.path.realpath(folder)
    current = real
    while current not in ("/", home):
        git = f"{current}/.git"
        if os.path.isdir(git):
            return Place(current)
        with suppress(OSError, ValueError), opened(git, _FILE) as descriptor:
            return Place(current, parse_worktree(os.read(descriptor, 4096)))
        current = posixpath.dirname(current)
    return None if f"{home}/".startswith(f"{real.rstrip('/')}/") else Place(real)


def parse_worktree(raw: bytes) -> str:
    """Parse the file `.git` of a linked worktree: its name; empty for that of a submodule.

    Raises ValueError for what is none.
    """
    label, _, path = os.fsdecode(raw).strip().partition(": ")
    if label != "gitdir" or not path:
        raise ValueError(".git: no gitdir")
    return posixpath.basename(path) if _WORKTREE in path else ""


def disk_usage(folder: str, most: int = MOST_ENTRIES) -> Generator[None, None, Workspace | None]:
    """What a folder and all below it on its file system takes on disk; yields now and then.

    A file with several names counts once, a link for itself. None where something cannot be read, or where
    there are more than `most` entries; what vanishes meanwhile does not count.
    """
    try:
        top = os.lstat(folder)
    except OSError:
        return None
    total, entries, oldest = top.st_blocks, 0, math.inf
    seen: set[int] = set()
    left = [folder]
    while left:
        path = left.pop()
        try:
            descriptor = os.open(path, _FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        try:
            for name in os.listdir(descriptor):
                entries += 1
                if entries > most:
                    return None
                if entries % _SLICE == 0:
                    yield
                with suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if found.st_dev != top.st_dev or found.st_ino in seen:
                        continue
                    total += found.st_blocks
                    if stat.S_ISDIR(found.st_mode):
                        left.append(f"{path}/{name}")
                        continue
                    oldest = min(oldest, found.st_mtime)
                    if found.st_nlink > 1:
                        seen.add(found.st_ino)
        except OSError:
            return None
        finally:
            os.close(descriptor)
    return Workspace(bytes=total * _SECTOR, oldest=None if oldest == math.inf else oldest)
