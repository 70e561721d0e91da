"""Detects a pane that is back at its shell's prompt."""

import posixpath
import re
from collections.abc import Iterable

from tmux_exporter.facts.process import Process
from tmux_exporter.facts.shells import PROMPT_SHELLS

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
        elif word and (not _FLAG.fullmatch(word) or _runs_code(word)):
            return False
    return True


def at_prompt(root: Process, members: Iterable[Process]) -> bool:
    """Whether a pane's first process is a shell that waits for a command: it is alone in the foreground."""
    return (
        is_prompt_shell(root)
        and root.pgid == root.foreground_pgid
        and not any(each.pgid == root.pgid and each is not root and each.alive for each in members)
    )


def _runs_code(flag: str) -> bool:
    # In bundled short flags `c` runs the next word (`bash -lc`); long flags never do in these shells.
    return not flag.startswith("--") and "c" in flag
