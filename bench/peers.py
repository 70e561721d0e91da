"""The exporters that are measured side by side, each in its own process on a port of its own."""

import gzip
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.fleet import PROGRAMS
from bench.say import wait_for

REPOSITORY = Path(__file__).parents[1]
PROCESS_EXPORTER = ("prometheus-process-exporter", "process-exporter")
_LISTENING = re.compile(r"listening on (http://\S+?/)\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who runs a program: the uid, and the command that starts another one as that user; empty: as we are."""

    uid: int
    become: tuple[str, ...]

    @classmethod
    def named(cls, name: str | None) -> "User":
        """That user of this machine; None: who we are."""
        if name is None:
            return cls(uid=os.getuid(), become=())
        entry = pwd.getpwnam(name)
        ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups")
        return cls(uid=entry.pw_uid, become=("setpriv", *ids, "env", f"HOME={entry.pw_dir}"))


_CONNECTIONS: dict[str, HTTPConnection] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One that runs: what it is called in the results, its process, the page that a scraper asks for."""

    name: str
    pid: int
    url: str

    def page(self) -> str:
        """The page now, asked for as Prometheus does: compressed, over a connection that is kept."""
        place = urlsplit(self.url)
        connection = _CONNECTIONS.setdefault(place.netloc, HTTPConnection(place.netloc, timeout=300))
        target = urlunsplit(("", "", *place[2:]))
        try:
            answer, body = _ask(connection, target)
        except (HTTPException, ConnectionError):
            # It was closed meanwhile.
            connection.close()
            try:
                answer, body = _ask(connection, target)
            except HTTPException as error:
                raise OSError(f"{self.url}: {error}") from error
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{self.url}: {answer.status}")
        return (gzip.decompress(body) if answer.headers["content-encoding"] == "gzip" else body).decode()


def _ask(connection: HTTPConnection, target: str) -> tuple[HTTPResponse, bytes]:
    connection.request("GET", target, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    return answer, answer.read()


def process_exporter() -> str | None:
    """The program of Debian's prometheus-process-exporter; PROCESS_EXPORTER may name another place."""
    named = os.environ.get("PROCESS_EXPORTER")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, PROCESS_EXPORTER)), None)


def ticks(folder: Path, *, interval: float, idle: float) -> tuple[str, str]:
    """Arguments for samples at these times: while somebody reads, and while nobody does; in seconds."""
    config = folder / f"ticks-{interval:g}-{idle:g}.yml"
    config.write_text(f"sampling: {{interval: {interval:g}s, idle_interval: {idle:g}s}}\n")
    return "--config", str(config)


@contextmanager
def ours(
    name: str,
    folder: Path,
    *arguments: str,
    source: Path = REPOSITORY,
    user: User | None = None,
    program: Sequence[str] = ("-m", "tmux_exporter"),
) -> Iterator[Peer]:
    """`tmux-exporter serve` of the checkout at `source`, as `user` if one is given, else run by `program`."""
    home = folder / re.sub(r"\W+", "-", name)
    (home / "run").mkdir(parents=True, mode=0o700)
    if user:
        for each in (home, home / "run"):
            os.chown(each, user.uid, user.uid)
    command = [
        *(user.become if user else ()),
        sys.executable,
        *program,
        "serve",
        "--web.listen-address",
        "127.0.0.1:0",
        *arguments,
    ]
    environ = {
        "XDG_STATE_HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "TMUX_TMPDIR": str(home),
        # Before what is installed in the environment.
        "PYTHONPATH": str(source),
    }
    with _started(command, home / "log", environ, cwd=source) as (process, url):
        peer = Peer(name=name, pid=process.pid, url=f"{url}metrics")
        # Not by scrapes: it would expect more of them.
        ready = Peer(name=name, pid=process.pid, url=f"{url}-/ready")
        wait_for(lambda: _answers(ready), "a first sample is taken", 300)
        yield peer


@contextmanager
def process_exporter_by_pane(name: str, folder: Path, pattern: str, *arguments: str) -> Iterator[Peer]:
    """process-exporter with a group for each process whose command line is `pattern`, its children in it."""
    program = process_exporter()
    assert program is not None
    config = folder / f"{re.sub(r'[^a-z]+', '-', name)}.yml"
    config.write_text(f"process_names:\n  - name: 'pane-{{{{.PID}}}}'\n    cmdline: ['{pattern}']\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "-config.path", str(config), "-web.listen-address", f"127.0.0.1:{port}", *arguments]
    with (folder / "process-exporter.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    peer = Peer(name=name, pid=process.pid, url=f"http://127.0.0.1:{port}/metrics")
    try:
        wait_for(lambda: _answers(peer), "process-exporter answers", 600)
        yield peer
    finally:
        process.terminate()
        process.wait()


PANES = f"^/bin/bash {PROGRAMS}/pane"
LEAN = ("-threads=false", "-gather-smaps=false")


@contextmanager
def psutil_sampler(name: str, folder: Path, server: int) -> Iterator[Peer]:
    """A sampler with psutil that reads only the members of panes."""
    command = [sys.executable, "-m", "bench.programs.psutil_exporter", str(server)]
    with _started(command, folder / "psutil.log", {}, cwd=REPOSITORY) as (process, url):
        yield Peer(name=name, pid=process.pid, url=url)


@contextmanager
def _started(
    command: list[str], log: Path, environ: dict[str, str], *, cwd: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A program that says where it listens, and stays until the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=cwd, env={**os.environ, **environ})
    try:

        def said() -> str | None:
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended:\n{log.read_text()}")
            found = _LISTENING.search(log.read_text())
            return found[1] if found else None

        yield process, wait_for(said, f"{log.parent.name} listens", 300)
    finally:
        process.terminate()
        process.wait()


def _answers(peer: Peer) -> bool:
    try:
        peer.page()
    except OSError:
        return False
    return True
