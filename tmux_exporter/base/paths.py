"""Private folders and file names (D13), shared by exporter, remediator, `op` and the library.

The runtime folder ends with the login session or the boot; the state folder survives both.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.wire.runtime_folder import NAME, runtime_folder

ALERTMANAGER_URL = "alertmanager.url"
"""In the state folder: where the Alertmanager of a running `up` answers."""

REMEDIATOR_STATUS = "remediator.json"
"""In the runtime folder: the status of the remediator, for the exporter."""

REMEDIATOR_LOCK = "remediator.lock"
"""Held (flock) by the one remediator that runs: in state folder (for the audit) and runtime folder."""

REMEDIATOR_OFF = "remediator.off"
"""In the state folder: while this file exists, the remediator signals nothing."""

REMEDIATOR_AUDIT = "remediator-audit.jsonl"
"""In the state folder: the actions of the remediator with their evidence."""

REMEDIATOR_HOLDS = "remediator-holds.json"
"""In the state folder: processes that a person holds, and until when."""

REMEDIATOR_LEASES = "remediator-leases.json"
"""In the state folder: what is throttled, by what means, and until when."""

REMEDIATOR_FD_LIMITS = "remediator-fd-limits.json"
"""What the limits of open files were before they were raised, in the state folder."""

REMEDIATOR_WAITS = "remediator-waits.json"
"""In the state folder: for how long each match has been waited for, for the next run of the remediator."""

REMEDIATOR_PLAN = "remediator-plan.json"
"""In the state folder: what the remediator would end if a person approves."""


def runtime_path(environ: Mapping[str, str], uid: int) -> Path:
    """The folder of sockets and runtime files; not created."""
    return Path(runtime_folder(environ, uid))


def demo_folder(environ: Mapping[str, str], uid: int) -> Path:
    """The folder of the demo's tmux server and programs; not created."""
    return runtime_path(environ, uid) / "demo"


def state_path(environ: Mapping[str, str]) -> Path:
    """The folder of files that must survive a logout; not created."""
    if base := _base(environ, "XDG_STATE_HOME"):
        return base / NAME
    return Path(environ.get("HOME", "/")) / ".local" / "state" / NAME


def _base(environ: Mapping[str, str], name: str) -> Path | None:
    """A base folder from the environment; a relative path is ignored, as the XDG specification says.

    It would mean another folder for each program, depending on its working folder.
    """
    base = Path(environ.get(name, ""))
    return base if base.is_absolute() else None


def private_folder(path: Path, uid: int) -> Path:
    """Create `path` for `uid` alone, or check that it already is: a real folder, its owner's, mode 0700.

    In a folder such as /tmp another user may have created the name first, so it is always checked.
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
