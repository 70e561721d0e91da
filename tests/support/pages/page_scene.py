"""A machine of its own for what a page tells a reader to type: own processes, own ports, own folders.

Inside a namespace, so that 127.0.0.1:10077, the default tmux socket, /etc and /usr/local are nobody else's.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.alerts.watched import agent_command
from tests.support.isolation.namespace import private_copies
from tests.support.pages.markdown import REPOSITORY
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for

SCRIPTS = ("send-claude-message.sh", "schedule_with_note.sh", "restart-agent.sh", "serve")
"""A user's own scripts, which pages call."""

POLICIES = """\
apiVersion: tmux-exporter/v1
kind: RemediationPolicies
defaults: {mode: recommend, warmup: 0s}
policies:
  - name: orphans
    match: {kind: scheduler, state: [dangling]}
    for: 5m
    actions:
      - {do: warn}
      - {do: stop, after: 5m, method: scheduler_pair, approvals: {required: 1}}
    verify: {gone_within: 5s}
"""
"""What a reader has made of deploy/policies.yml: a person has to agree."""

ORPHAN = (
    "nohup bash -c \"sleep 3000 && tmux send-keys -t gone:0 'Time for a check!' Enter\" >/dev/null 2>&1 &"
)


class Answer(NamedTuple):
    """What a command did."""

    status: int
    output: str
    errors: str


class PageScene:
    """A reader's machine: two tmux sessions, an agent, an orphaned scheduler, own scripts."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home, self.scripts = base / "home", base / "scripts"
        programs, private = base / "bin", base / "private"
        for folder in (self.home, self.scripts, programs, private, base / "tmux", base / "run"):
            folder.mkdir(mode=0o700)
        private_copies(private, "/etc", "/usr/local", "/var/lib")
        for kind in ("datasources", "dashboards"):
            Path("/etc/grafana/provisioning", kind).mkdir(parents=True)
        # Here everybody is root already.
        (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        for name in SCRIPTS:
            self.write_script(name, "exit 0")
        self.policies = self.home / "policies.yml"
        self.policies.write_text(POLICIES)
        self.policies.chmod(0o600)
        (self.home / "exporter.yml").write_text("limits: {agent_memory: 2GiB}\n")
        (self.home / ".curlrc").write_text("fail\n")
        self.environ = {
            **{name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ},
            "HOME": str(self.home),
            "USER": "me",
            "PATH": f"{Path(sys.executable).parent}:{programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "SHELL": "/bin/sh",
            "TERM": "xterm",
            "TMUX_TMPDIR": str(base / "tmux"),
            "XDG_RUNTIME_DIR": str(base / "run"),
            **{name: value for name, value in os.environ.items() if name.startswith("TMUX_EXPORTER_TEST")},
        }
        self._build()

    def write_script(self, name: str, body: str) -> None:
        script = self.scripts / name
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(0o755)

    def _build(self) -> None:
        command, _ = agent_command(self.home)
        size = ("-x", "120", "-y", "30")
        self.tmux("new-session", "-d", "-s", "work", "-n", "lead", *size, f"echo ready; {command}")
        self.tmux("new-session", "-d", "-s", "shop", *size, "exec cat")
        for name in ("notes", "backend"):
            self.tmux("new-window", "-d", "-t", "shop:", "-n", name, "exec cat")
        self.tmux(
            "new-window", "-d", "-t", "work:", "-n", "cron",
            f"{ORPHAN}\necho $! >{self.base}/orphan; exec cat",
        )  # fmt: skip
        wait_for(
            lambda: (self.base / "orphan").exists() and (self.base / "orphan").read_text(), "a scheduler"
        )
        self.orphan = int((self.base / "orphan").read_text())
        assert "%3" in self.tmux("list-panes", "-a", "-F", "#{pane_id}").split()

    def tmux(self, *words: str) -> str:
        return run_text(("tmux", *words), env=self.environ, check=True).stdout.strip()

    def read(self, name: str) -> str:
        """What a script has written into a file of the scene; empty before."""
        path = self.base / name
        return path.read_text().strip() if path.exists() else ""

    def folder_of(self, command: str) -> Path:
        """Where a reader types it: at home what exports files, beside the scripts, in the checkout."""
        if re.search(r"\btmux-exporter export |\s(?:boards|units)/", command):
            return self.home
        return self.scripts if re.search(r"(^|\s)\./", command) else REPOSITORY

    def run(self, command: str, *, timeout: float = 120) -> Answer:
        """Run it to its end, as it is typed; of a pipe each part has to do well."""
        # Into files: what goes on in the background would hold a pipe open.
        output, errors = self.base / "output", self.base / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            status = subprocess.call(
                ("bash", "-o", "pipefail", "-c", command), env=self.environ, cwd=self.folder_of(command),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout,
            )  # fmt: skip
        return Answer(status, output.read_text(), errors.read_text())

    @contextlib.contextmanager
    def running(self, command: str) -> Iterator["Running"]:
        """Run it until the block ends, then as Ctrl-C ends it."""
        running = Running(self, command)
        try:
            yield running
        finally:
            running.end()


class Running:
    """A command in the foreground of a terminal of its own."""

    def __init__(self, scene: PageScene, command: str) -> None:
        self.command = command
        self._log = scene.base / "running.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                # On a terminal: what is told to a person is told at once, and `top` draws.
                ("script", "-qefc", command, "/dev/null"),
                env=scene.environ,
                cwd=scene.folder_of(command),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace").replace("\r\n", "\n")

    def until(self, says: Callable[[str], object], what: str, patience: float = 120) -> None:
        def said() -> object:
            text = self.text
            if not says(text) and self.process.poll() is not None:
                raise AssertionError(f"{self.command} ended before: {what}\n{self.text}")
            return says(text)

        try:
            wait_for(said, what, patience)
        except AssertionError as error:
            raise AssertionError(f"{self.command}: {error}\n{self.text}") from None

    def end(self) -> None:
        """Ctrl-C, as the terminal sends it to all that run in its foreground."""
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.write(b"\x03")
            self.process.stdin.flush()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
                raise AssertionError(f"Ctrl-C does not end {self.command}\n{self.text}") from None
        assert "Traceback" not in self.text, self.text
