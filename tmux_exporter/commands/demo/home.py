"""The demo's folder, and the environment variable that marks every process of the demo."""

import fcntl
import os
import select
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import demo_folder

MARK = "TMUX_EXPORTER_DEMO"
"""Its value is the demo's folder, which is one user's alone."""

SERVER = "demo"
"""Name of the socket, and so the label `server` of the demo's tmux server."""

_SOCKET_BYTES = 107
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The places of one user's demo. `folder` is there only while a demo runs, and holds nothing to keep."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The tmux server's socket, where tmux itself would put it."""
        return self.folder / f"tmux-{os.getuid()}" / SERVER

    @property
    def programs(self) -> Path:
        """The names under which the played agents run."""
        return self.folder / "bin"

    @property
    def ready(self) -> Path:
        """A file that exists once the fleet is complete."""
        return self.folder / "ready"

    @property
    def lock(self) -> Path:
        """Held by the keeper. Beside the folder: it must not go with it."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of the demo's processes: nothing of the user's but where programs are."""
        return {
            "PATH": environ.get("PATH", os.defpath),
            MARK: str(self.folder),
            "TMUX_TMPDIR": str(self.folder),
            "HOME": str(self.folder),
            "SHELL": "/bin/sh",
            "TERM": "screen-256color",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        }


def home_of(environ: Mapping[str, str]) -> Home:
    """The demo's places for the user who runs us. Raises CannotSeeError where no socket can be made there."""
    home = Home(folder=Path(os.path.realpath(demo_folder(environ, os.getuid()))))
    if len(os.fsencode(home.socket)) > _SOCKET_BYTES:
        raise CannotSeeError(
            f"{home.socket} is too long for a socket; set XDG_RUNTIME_DIR to a shorter folder of yours"
        )
    return home


def marked_home(environ: Mapping[str, str]) -> Home:
    """The home of the demo that this process belongs to."""
    return Home(folder=Path(environ[MARK]))


def wipe(home: Home) -> None:
    """Remove the folder and all that is in it; links in it are not followed."""
    shutil.rmtree(home.folder, ignore_errors=True)


class Lock:
    """The keeper's lock: the kernel frees it when its holder ends, however that ends."""

    def __init__(self, home: Home) -> None:
        self._file: BinaryIO = home.lock.open("ab")

    def take(self) -> bool:
        """Take it if it is free."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, seconds: float, clock: Clock) -> bool:
        """Take it, waiting for its holder to end."""
        deadline = clock.monotonic() + seconds
        while not self.take():
            if clock.monotonic() > deadline:
                return False
            pause(_POLL_SECONDS)
        return True


def pause(seconds: float) -> None:
    """Sleep; for polling what the kernel sends no event for."""
    select.select((), (), (), seconds)


def say(text: str) -> None:
    """Write a line to stdout: a pane, or the keeper's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
