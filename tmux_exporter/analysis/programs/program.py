"""The program of a process: its name, and the hash of its command line."""

import hashlib
import posixpath
from functools import lru_cache

from tmux_exporter.facts.process import Process

_DELETED = " (deleted)"


def program_of(process: Process) -> str:
    """The base name of its program file, or `comm` where the file cannot be read."""
    return process.comm if process.exe is None else _name_of(process.exe)


@lru_cache(maxsize=1024)
def _name_of(file: str) -> str:
    return posixpath.basename(file.removesuffix(_DELETED))


def argv_sha256(process: Process) -> str:
    """The result of `sha256sum /proc/PID/cmdline`; empty where the command line is not known as a whole.

    It identifies a command line without revealing it.
    """
    if not process.argv or not process.argv_complete:
        return ""
    raw = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in process.argv)
    return hashlib.sha256(raw).hexdigest()
