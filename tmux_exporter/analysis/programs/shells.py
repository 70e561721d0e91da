"""Whether a pane is back at its shell's prompt."""

import posixpath
import re
from collections.abc import Iterable

from tmux_exporter.facts.process import Process
from tmux_exporter.facts.shells import PROMPT_SHELLS

_FLAG = re.compile(r"[-+][a-zA-Z]+|--[a-z-]+")
_VALUE_FLAGS = frozenset({"--rcfile", "--init-file", "-o", "+o", "-O", "+O"})


def is_prompt_shell(process: Process) -> bool:
    """Whether a process is a shell that reads commands from its terminal: neither a script nor a `-c`."""
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
    """Whether a pane's own process is a shell that waits for a command: it alone is in the foreground."""
    return (
        is_prompt_shell(root)
        and root.pgid == root.foreground_pgid
        and not any(each.pgid == root.pgid and each is not root and each.alive for each in members)
    )


def _runs_code(flag: str) -> bool:
    # Of bundled short flags `c` runs the next word (`bash -lc`); long ones never do in these shells.
    return not flag.startswith("--") and "c" in flag
