"""The program of a process: its name, the hash of its command line, and whether it is a prompt's shell."""

import hashlib
import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache

from tmux_exporter.facts.process import Process
from tmux_exporter.facts.shells import PROMPT_SHELLS

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


_FLAG = re.compile(r"[-+][a-zA-Z]+|--[a-z-]+")
_VALUE_FLAGS = frozenset({"--rcfile", "--init-file", "-o", "+o", "-O", "+O"})


def is_prompt_shell(process: Process) -> bool:
    """Whether a process is an interactive shell: it runs neither a script nor `-c`."""
    if not process.argv or posixpath.basename(process.argv[0]).removeprefix("-") not in PROMPT_SHELLS:
        return False
    words = iter(process.argv[1:])
    for word in words:
        if word in _VALUE_FLAGS:
            next(words, None)
        # In bundled short flags `c` runs the next word (`bash -lc`); long flags never do in these shells.
        elif word and (not _FLAG.fullmatch(word) or (not word.startswith("--") and "c" in word)):
            return False
    return True


def at_prompt(root: Process, members: Iterable[Process]) -> bool:
    """Whether a pane's first process is a shell that waits for a command: it is alone in the foreground."""
    return (
        is_prompt_shell(root)
        and root.pgid == root.foreground_pgid
        and not any(each.pgid == root.pgid and each is not root and each.alive for each in members)
    )
