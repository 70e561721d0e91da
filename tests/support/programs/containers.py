"""podman with a store of its own: images are built and run as they are shipped, without a registry."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.isolation.namespace import IS_PRIVATE
from tests.support.pages.markdown import blocks
from tests.support.pages.page_trials import CONTAINERS
from tests.support.processes.run_text import run_text
from tests.support.programs.container_base import ROOT, base

BASE = "localhost/base"
# Here nothing runs systemd, and a test's namespace has loopback only: containers share it.
CONFIGURATION = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""


class Podman:
    """`folder` is an empty one. `environ` is what another program needs to use the same store."""

    def __init__(self, folder: Path) -> None:
        assert IS_PRIVATE in os.environ, "run it by python -m tests.support.isolation.namespace -m pytest"
        archive, self._wheels = base()
        self._store = (f"--root={folder / 'store'}", f"--runroot={folder / 'run'}")
        (folder / "containers.conf").write_text(CONFIGURATION)
        self.environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        # What starts podman by its name comes to this store.
        self._bin = folder / "bin"
        self._bin.mkdir()
        self.command("podman", f'exec {shutil.which("podman")} {" ".join(self._store)} "$@"')
        self.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
        self("import", "-q", archive, BASE)

    def command(self, name: str, line: str) -> None:
        """A program before all others of `environ`."""
        script = self._bin / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)

    def __call__(self, *words: str | Path, check: bool = True) -> str:
        """What podman prints; it fails with what it says on stderr."""
        done = self.run(*words)
        assert not check or done.returncode == 0, f"podman {' '.join(map(str, words))}: {done.stderr}"
        return done.stdout.strip()

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return run_text(("podman", *words), env=self.environ, timeout=300, cwd=ROOT)

    def build(self, *words: str | Path) -> None:
        """Build an image offline and whole; relative paths are those of the checkout."""
        offline = ("--build-arg", "PIP_NO_INDEX=1", "--build-arg", "PIP_FIND_LINKS=/wheels")
        wheels = ("--volume", f"{self._wheels}:/wheels:ro")
        whole = ("--no-cache", "--pull-never", "--timestamp", "0", "--build-arg", f"BASE={BASE}")
        self("build", "-q", *whole, *offline, *wheels, *words)

    def of_image(self, tag: str, what: str) -> str:
        return self("image", "inspect", "--format", f"{{{{.{what}}}}}", tag)

    def close(self) -> None:
        self("rm", "--all", "--force", "--time", "5", check=False)


def page(begins: str) -> str:
    """The block of docs/containers.md that begins so, on one line."""
    (block,) = (each for each in blocks(CONTAINERS) if each.text.startswith(begins))
    return block.text.replace("\\\n", " ")


@dataclass(frozen=True, kw_only=True)
class HostUser:
    """Somebody who is not root, with a tmux server; `sockets` is the folder where tmux makes its own."""

    uid: int
    sockets: Path


@contextmanager
def host_user() -> Iterator[HostUser]:
    """A user that nobody else is, with the session `shop` on the server `host`."""
    uid = 60_000 + secrets.randbelow(5000)
    sockets = Path(f"/tmp/tmux-{uid}")
    sockets.mkdir(mode=0o700)
    os.chown(sockets, uid, uid)
    tmux = ("tmux", "-f", "/dev/null", "-L", "host")
    environ = {"HOME": "/tmp", "PATH": os.environ["PATH"]}
    who: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": (), "env": environ}
    try:
        run_text((*tmux, "new-session", "-d", "-s", "shop", "exec sleep 3600"), check=True, **who)
        yield HostUser(uid=uid, sockets=sockets)
    finally:
        run_text((*tmux, "kill-server"), **who)
        shutil.rmtree(sockets)


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """Podman until the end of the block, after which nothing of it runs, and its store is gone."""
    one = Podman(folder)
    try:
        yield one
    finally:
        one.close()
        for each in ("store/overlay", "store/overlay-containers"):
            run_text(("umount", "--recursive", "--lazy", str(folder / each)))
        shutil.rmtree(folder, ignore_errors=True)
