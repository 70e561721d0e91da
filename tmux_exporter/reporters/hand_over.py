"""Files that reporters leave in the runtime folder, one for each process of an agent: whole and private."""

from __future__ import annotations

import os
import stat

_MOST_FILES = 64
_PLAIN = os.O_NOFOLLOW | os.O_CLOEXEC


class HandOverError(Exception):
    """Why a file could not be written, and how to fix it."""


def process(pid: int) -> tuple[int, int, str] | None:
    """The parent, the start ticks and the name of a process."""
    try:
        handle = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(handle, 4096)
    except OSError:
        return None
    finally:
        os.close(handle)
    head, _, rest = line.rpartition(b")")
    fields = rest.split()
    if len(fields) < 20:
        return None
    return int(fields[1]), int(fields[19]), head.partition(b"(")[2].decode("utf-8", "replace")


def open_folder(base: str, name: str) -> int:
    """Open a folder of files below the runtime folder; creates both, private to us."""
    above = _own_folder(base, None)
    try:
        return _own_folder(name, above)
    finally:
        os.close(above)


def _own_folder(name: str, above: int | None) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        pass
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _PLAIN, dir_fd=above)
    found = os.fstat(folder)
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        os.close(folder)
        raise HandOverError("the runtime folder is not ours alone; tmux-exporter doctor says what to do")
    return folder


def read(name: str, folder: int, largest: int) -> tuple[bytes, int] | None:
    """The content of a file and when it was written (ns); None without a plain one."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _PLAIN, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        return (os.read(handle, largest), found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
    except OSError:
        return None
    finally:
        os.close(handle)


def write(name: str, content: bytes, folder: int) -> None:
    """Write a file whole: a reader never sees half of it, and of two writers at once the last one wins."""
    draft = f".{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o600, dir_fd=folder)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)


def sweep(folder: int) -> None:
    """Remove files of ended processes, once there are many files."""
    names = os.listdir(folder)
    if len(names) < _MOST_FILES:
        return
    for name in names:
        # A draft is called `.PID`, without a start time.
        pid, _, start = name.removeprefix(".").partition("-")
        known = process(int(pid)) if pid.isdigit() else None
        if known is None or (start and str(known[1]) != start):
            remove(name, folder)


def remove(name: str, folder: int) -> None:
    """Remove a file; one that is gone is as good."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
