"""The private places of D13: one function each, so that exporter, remediator, `op` and the library agree.

The runtime folder dies with the login session or the boot; the state folder survives both.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.wire.runtime_folder import NAME, runtime_folder

REMEDIATOR_STATUS = "remediator.json"
"""In the runtime folder: what the remediator tells the exporter."""

REMEDIATOR_LOCK = "remediator.lock"
"""Held (flock) by the one remediator that runs: in state folder (for the audit) and runtime folder."""

REMEDIATOR_OFF = "remediator.off"
"""In the state folder: while a file of this name is there, the remediator signals nothing."""

REMEDIATOR_AUDIT = "remediator-audit.jsonl"
"""In the state folder: what the remediator did, and on what evidence."""

REMEDIATOR_HOLDS = "remediator-holds.json"
"""In the state folder: what people hold, and until when."""

REMEDIATOR_PLAN = "remediator-plan.json"
"""In the state folder: what the remediator would end if a person agreed."""


def runtime_path(environ: Mapping[str, str], uid: int) -> Path:
    """Where sockets and hand-over files go; not created."""
    return Path(runtime_folder(environ, uid))


def demo_folder(environ: Mapping[str, str], uid: int) -> Path:
    """Where the demo's tmux server and programs live while a demo runs; not created."""
    return runtime_path(environ, uid) / "demo"


def state_path(environ: Mapping[str, str]) -> Path:
    """Where what must survive a logout goes; not created."""
    if base := _base(environ, "XDG_STATE_HOME"):
        return base / NAME
    return Path(environ.get("HOME", "/")) / ".local" / "state" / NAME


def _base(environ: Mapping[str, str], name: str) -> Path | None:
    """A base folder that the user names; a relative one does not count, as its specification says.

    It would be another folder for each of our programs, depending on where that was started.
    """
    base = Path(environ.get(name, ""))
    return base if base.is_absolute() else None


def private_folder(path: Path, uid: int) -> Path:
    """Create `path` for `uid` alone, or check that it already is: a real folder, its owner's, mode 0700.

    In a folder such as /tmp anybody may have made that name first, so what is there is never trusted unseen.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        mend = "set XDG_STATE_HOME or XDG_RUNTIME_DIR to a folder of yours"
        raise CannotSeeError(f"cannot make {path}: {error.strerror}; {mend}") from error
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise CannotSeeError(f"{path} is not a folder of ours ({error.strerror}); remove it") from error
    try:
        found = os.fstat(handle)
        if found.st_uid != uid:
            raise CannotSeeError(f"{path} belongs to uid {found.st_uid}, not to {uid}; remove it")
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(handle, 0o700)
    finally:
        os.close(handle)
    return path
