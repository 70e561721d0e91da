"""Become another command: the same process, with the environment that we were given."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def execute(command: tuple[str, ...], environment: dict[bytes, bytes]) -> NoReturn:
    """Replace this process by the command; a script without `#!` is run by sh, as every shell does."""
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - the user's own command, no shell between
    except OSError as error:
        if error.errno != 8:  # ENOEXEC
            raise
    os.execve("/bin/sh", ("sh", _found(command[0]), *command[1:]), environment)  # noqa: S606 - as above


def _found(program: str) -> str:
    if "/" in program:
        return program
    paths = [os.path.join(folder, program) for folder in os.get_exec_path()]
    return next((path for path in paths if os.access(path, os.X_OK)), program)


def environment() -> dict[bytes, bytes]:
    """The environment as we received it: Python changes LC_CTYPE in its copy for the C locale (PEP 538)."""
    given = dict(os.environb)
    if b"LC_CTYPE" in given:
        try:
            with open("/proc/self/environ", "rb") as stream:
                before = stream.read().split(b"\0")
        except OSError:
            return given
        if b"LC_CTYPE=" + given[b"LC_CTYPE"] not in before:
            del given[b"LC_CTYPE"]
            given.update(entry.partition(b"=")[::2] for entry in before if entry.startswith(b"LC_CTYPE="))
    return given
