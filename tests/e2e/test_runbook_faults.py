"""The runbooks on the fault itself: what Diagnosis shows of it, and that Mend mends it.

A stopped exporter, a tmux server that hangs, a file system that is full, hundreds of processes: each command
as it stands on its page, run as in a shell over ssh.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.alerts.files import RUNBOOKS
from tests.support.isolation.mounted import mount
from tests.support.isolation.namespace import in_namespace
from tests.support.pages.runbook_pages import commands
from tests.support.processes.started import end_process
from tests.support.programs.exporter import Exporter
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for

MANY = 250


def typed(alert: str, begins: str, home: Path, **places: str) -> subprocess.CompletedProcess[str]:
    """Run the one command of a page that begins so, with its places filled in."""
    (command,) = {each for each in commands(RUNBOOKS / f"{alert}.md") if each.startswith(begins)}
    for place, value in places.items():
        command = command.replace(place, value)
    environ = {**os.environ, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # Not pipes: a client of tmux gives what it writes to on to its server, and one that hangs keeps it open.
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(["bash", "-c", command], stdout=out, text=True, check=False, env=environ)
        out.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), "")


def state_of(pid: int, listing: str) -> str:
    """The state in which `ps` shows a process."""
    (line,) = [line for line in listing.splitlines() if line.split()[0] == str(pid)]
    return line.split()[1]


def a_stopped_exporter(home: Path) -> None:
    program = (str(Path(sys.executable).with_name("tmux-exporter")),)
    exporter = Exporter(home, home, program=program)
    try:
        pid = exporter.process.pid
        os.kill(pid, signal.SIGSTOP)
        assert state_of(pid, typed("TmuxExporterDown", "ps ", home).stdout) == "T"
        assert typed("TmuxExporterDown", "kill -CONT", home, PID=str(pid)).returncode == 0
        wait_for(lambda: exporter.get("/-/healthy") == "healthy\n", "it answers again")
    finally:
        os.kill(exporter.process.pid, signal.SIGCONT)
        exporter.end()


def a_server_that_hangs(home: Path, scene: Scene) -> None:
    server = scene.start("hangs").pid
    os.kill(server, signal.SIGSTOP)
    try:
        alert = "TmuxServerNotAnswering"
        assert state_of(server, typed(alert, "ps ", home).stdout) == "T"
        assert typed(alert, "timeout 5", home, SERVER="hangs").returncode == 124
        assert typed(alert, "kill -CONT", home, PID=str(server)).returncode == 0
        assert "main" in typed(alert, "timeout 5", home, SERVER="hangs").stdout
    finally:
        os.kill(server, signal.SIGCONT)
        end_process(server)


def a_full_disk(home: Path) -> None:
    disk = home / "disk"
    (disk / "worktrees").mkdir(parents=True)
    mount(b"none", os.fsencode(disk), b"tmpfs", b"size=4m")
    (disk / "worktrees").mkdir()
    with pytest.raises(OSError, match="No space left"):
        (disk / "worktrees" / "filler").write_bytes(b"x" * 2**23)
    shown = typed("TmuxHostDiskFull", "df -h", home).stdout
    assert re.search(rf"100% {re.escape(str(disk))}$", shown, re.MULTILINE), shown
    largest = typed("TmuxHostDiskFull", "du -xh -d2 ~", disk).stdout.splitlines()
    assert ["4.0M", f"{disk}/worktrees"] in [each.split() for each in largest[-2:]], largest
    typed("TmuxHostDiskFull", "df -i", home).check_returncode()
    # A deleted file that is open takes its space still.
    with (disk / "worktrees" / "filler").open("rb"):
        (disk / "worktrees" / "filler").unlink()
        assert "filler (deleted)" in typed("TmuxHostDiskFull", "ls -l /proc", home).stdout


def many_processes(home: Path, scene: Scene) -> None:
    scene.start("crowd")
    loop = f"for each in $(seq {MANY}); do sleep 31313 & done; wait"
    scene.tmux("new-window", "-d", "-t", "main:", loop, server="crowd")

    def last() -> list[str]:
        return typed("TmuxHostNearLimit", "ps xo args", home).stdout.splitlines()[-1].split()

    wait_for(lambda: last() == [str(MANY), "sleep", "31313"], f"the crowd comes last: {last()}")
    pid = subprocess.run(["pgrep", "-nx", "sleep"], capture_output=True, text=True, check=True).stdout.strip()
    explained = typed("TmuxHostNearLimit", "tmux-exporter explain", home, PID=pid).stdout
    assert "main" in explained and "crowd" in explained, explained
    scene.tmux("kill-server", server="crowd")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_runbooks_find_and_mend_the_fault(socket_dir: Path) -> None:
    home = socket_dir.parent / "home"
    home.mkdir(mode=0o700)

    def work() -> None:
        scene = Scene(socket_dir.parent, socket_dir)
        a_stopped_exporter(home)
        a_server_that_hangs(home, scene)
        a_full_disk(home)
        many_processes(home, scene)

    assert in_namespace(work), "the kernel gives no namespace"
