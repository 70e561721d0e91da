"""The off switch: while its file is in the state folder, nothing is signalled."""

import os
from collections.abc import Mapping
from pathlib import Path

from tmux_exporter.base.paths import REMEDIATOR_OFF, private_folder, state_path


def is_off(switch: Path) -> bool:
    """Whether the file exists; an error counts as off."""
    try:
        os.lstat(switch)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def turn_off(environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Put the file there, and the folder where there is none; its path, and whether it is new.

    Raises CannotSeeError or OSError where that fails.
    """
    switch = private_folder(state_path(environ), os.getuid()) / REMEDIATOR_OFF
    if is_off(switch):
        return switch, False
    os.close(os.open(switch, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    return switch, True


def turn_on(environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Take the file away; its path, and whether it was there. Raises OSError where that fails."""
    switch = state_path(environ) / REMEDIATOR_OFF
    try:
        switch.unlink()
    except FileNotFoundError:
        return switch, False
    return switch, True
