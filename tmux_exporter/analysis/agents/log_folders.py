"""The folders to which agent programs write what they did, as their makers document them."""

import re
from collections.abc import Callable, Mapping

_NO_NAME = re.compile(r"[^A-Za-z0-9]")

_FOLDERS: Mapping[str, Callable[[str], str]] = {
    # One folder a project, named by its path.
    "claude": lambda folder: f".claude/projects/{_NO_NAME.sub('-', folder)}",
    "codex": lambda _: ".codex/sessions",
    "gemini": lambda _: ".gemini/tmp",
}


def log_folder(program: str, folder: str) -> str:
    """Where an agent of a program that works in a folder logs to, from `~/` on; empty where not known."""
    below_home = _FOLDERS.get(program)
    return f"~/{below_home(folder)}" if below_home is not None else ""
