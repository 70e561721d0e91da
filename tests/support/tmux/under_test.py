"""A real tmux server of a given program, on an own socket, and what is done to it and seen of it."""

import contextlib
import errno
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.processes.started import end_process, is_gone
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.parse_listing import parse
from tmux_exporter.sources.tmux.protocol import Conversation, request
from tmux_exporter.sources.tmux.request_check import check_request

Argument = str | bytes


class TmuxUnderTest:
    """One server; made by `tmux_under_test`, which ends it."""

    def __init__(self, program: Path, path: Path) -> None:
        self.program = program
        self.path = path
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "TMUX_PANE")}
        self._environment = {**environment, "SHELL": "/bin/sh"}
        self.ok("-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", "80", "-y", "24", "sleep 3600")
        self.pid = int(self.value("#{pid}"))
        self.version = self.value("#{version}").decode()

    def run(self, *arguments: Argument) -> subprocess.CompletedProcess[bytes]:
        """Run the server's own client, as a UTF-8 one."""
        return subprocess.run(
            [self.program, "-u", "-S", self.path, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=20,
        )

    def ok(self, *arguments: Argument) -> bytes:
        """Run a command that must succeed; gives its output without the last newline."""
        result = self.run(*arguments)
        assert result.returncode == 0, (arguments, result.stderr)
        return result.stdout.removesuffix(b"\n")

    def value(self, template: str, target: str | None = None) -> bytes:
        """What one format expands to, with a target of the test's own making."""
        return self.ok("display-message", "-p", *(["-t", target] if target else []), template)

    def question(self, version: str | None = None) -> Question:
        return Question(socket=str(self.path), version=version)

    def ask(self, version: str | None = None, transport: str = "socket", timeout: float = 10.0) -> Answer:
        """Ask this server alone."""
        return ask_all(
            [self.question(version)],
            uid=os.getuid(),
            timeout=timeout,
            transport=transport,
            clock=SystemClock(),
        )[0]

    def listing(self, version: str | None = None, transport: str = "socket") -> Listing:
        """Ask and parse."""
        answer = self.ask(version, transport)
        assert answer.failure is None, answer
        assert answer.peer == self.pid
        return parse(answer, ProcessId(self.pid, 1))

    def talk(self, arguments: Sequence[str]) -> Conversation:
        """Put any harmless question over the socket, one blocking message after the other."""
        talk = Conversation(os.getpid())
        stream = request(arguments, os.getpid())
        check_request(stream)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.path))
            connection.sendall(stream)
            while not talk.done:
                data = connection.recv(65536)
                connection.sendall(talk.feed(data)) if data else talk.end()
        return talk

    @property
    def alive(self) -> bool:
        return not is_gone(self.pid)

    def descriptors(self) -> int:
        """How many files the server holds open once every client's connection is closed."""
        wait_for(lambda: self._open_files()[1] == 1, "the server holds no socket but the one it listens on")
        return self._open_files()[0]

    def _open_files(self) -> tuple[int, int]:
        """All open files, and the sockets among them."""
        folder = Path(f"/proc/{self.pid}/fd")
        files = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                files.append(os.readlink(folder / name))
        return len(files), sum(file.startswith("socket:") for file in files)

    def end(self) -> None:
        """End it, stopped or not."""
        if self.alive:
            self.run("kill-server")
        end_process(self.pid)
        # A killed server is a zombie while the kernel still takes connections for it.
        wait_for(self._refuses, "the ended server's socket refuses")

    def _refuses(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self.path)) in (errno.ECONNREFUSED, errno.ENOENT)


@contextlib.contextmanager
def tmux_under_test(program: Path, path: Path) -> Iterator[TmuxUnderTest]:
    """A server with one session `main` and one pane, no configuration file."""
    server = TmuxUnderTest(program, path)
    try:
        wait_for(lambda: server.alive, "the server runs")
        yield server
    finally:
        server.end()
