"""Run a command on a machine that is in use: `python -m tests.support.isolation.machine_in_use COMMAND ...`.

Beside it run, in the same namespaces and where a user has them by default: tmux servers with agents, pending
and orphaned schedulers, a server that hangs, `tmux-exporter serve` on its usual port and `tmux-remediator
run`. The exit status is that of the command, or 1 where one of these did not outlive it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.isolation import namespace
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for

_INSIDE = "--inside"
_PAGE = "http://127.0.0.1:10077/api/v1/report"
_SCHEDULERS = {
    "pending": "sleep 86400 && tmux send-keys -t work:0 'Any news?' Enter",
    "orphaned": "sleep 86401 && tmux send-keys -t gone:0 'Any news?' Enter",
    "orphaned too": "sleep 86402 && tmux send-keys -t gone:1 'Any news?' Enter",
}


def main(arguments: list[str]) -> int:
    """Enter namespaces, set the machine up, run the command."""
    if arguments[:1] != [_INSIDE]:
        return namespace.main(["-m", "tests.support.isolation.machine_in_use", _INSIDE, *arguments])
    if namespace.IS_PRIVATE not in os.environ:
        sys.stderr.write("machine_in_use: this machine lets us make no namespaces to use\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="tx-use-", dir="/tmp") as folder:
        return _run(Path(folder), arguments[1:])


def _run(folder: Path, command: list[str]) -> int:
    home, temporary = folder / "home", folder / "tmp"
    for each in (home, temporary):
        each.mkdir(mode=0o700)
    environ = {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "TMUX_TMPDIR": str(temporary),
    }
    with contextlib.ExitStack() as held:
        planted = [*_tmux(folder, environ, held), *_watchers(environ, held)]
        status = subprocess.run(
            command, check=False, env={**os.environ, "TMUX_TMPDIR": str(temporary)}
        ).returncode
        ended = [what for what, process in planted if not process.is_same()]
    for what in ended:
        sys.stderr.write(f"machine_in_use: {what} did not outlive the command\n")
    return status or int(bool(ended))


class Planted:
    """A process by its pid and its start."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._start = self._start_ticks()

    def is_same(self) -> bool:
        """Whether that very process is still there."""
        return self._start is not None and self._start_ticks() == self._start

    def _start_ticks(self) -> str | None:
        try:
            words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if words[0] == "Z" else words[19]


def _tmux(
    folder: Path, environ: Mapping[str, str], held: contextlib.ExitStack
) -> Iterator[tuple[str, Planted]]:
    agent = folder / "claude"
    shutil.copy("/bin/sh", agent)
    for socket in ("default", "second", "hangs"):
        _do(environ, socket, "new-session", "-d", "-s", "work", f"{agent} -c 'sleep 86400; :'")
        _do(environ, socket, "new-session", "-d", "-s", "other", "sleep 86400")
        pid = int(_do(environ, socket, "display-message", "-p", "#{pid}"))
        held.callback(os.kill, pid, signal.SIGKILL)
        yield f"the tmux server {socket}", Planted(pid)
        for pane in _do(environ, socket, "list-panes", "-a", "-F", "#{pane_pid}").split():
            yield f"a pane of the tmux server {socket}", Planted(int(pane))
        if socket == "hangs":
            os.kill(pid, signal.SIGSTOP)
    for what, script in _SCHEDULERS.items():
        process = subprocess.Popen(["bash", "-c", script], env=dict(environ), start_new_session=True)
        held.callback(process.wait)
        held.callback(process.kill)
        yield f"the {what} scheduler", Planted(process.pid)


def _watchers(environ: Mapping[str, str], held: contextlib.ExitStack) -> Iterator[tuple[str, Planted]]:
    for what, words in {
        "the exporter": ["tmux_exporter", "serve"],
        "the remediator": ["tmux_exporter.cli.remediator", "run"],
    }.items():
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        held.callback(process.wait)
        held.callback(process.terminate)
        yield what, Planted(process.pid)
    wait_for(_sees_all_of_it, "the exporter sees the machine", 60)


def _sees_all_of_it() -> bool:
    try:
        with urllib.request.urlopen(_PAGE, timeout=5) as answer:
            report: bytes = answer.read()
    except OSError:
        return False
    return report.count(b'"dangling"') == len(_SCHEDULERS) - 1


def _do(environ: Mapping[str, str], socket: str, *words: str) -> str:
    command = ["tmux", "-f", "/dev/null", "-L", socket, *words]
    return run_text(command, env=dict(environ), check=True, timeout=30).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
