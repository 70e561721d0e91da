"""The remediator needs no root, no capability and no network; its unit takes all of that away and more."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, is_gone
from tests.support.programs.units import REMEDIATOR, service_of
from tests.support.wait import wait_for

REPOSITORY = Path(__file__).parents[2]
EXPOSED_AT_MOST = 1.5
UID = 54_321
"""Somebody who is nobody here."""

ORPHAN = "nohup bash -c 'sleep 20000 && tmux send-keys -t gone:0 hi Enter' >/dev/null 2>&1 &"


def test_the_unit_leaves_it_next_to_nothing() -> None:
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing; install it: apt-get install systemd"
    done = run_text(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(REMEDIATOR)])
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found, done
    assert float(found[1]) <= EXPOSED_AT_MOST


@pytest.mark.parametrize(
    "blinding", ["PrivateTmp", "ProtectHome", "ProtectProc", "ProcSubset", "PrivateUsers", "DynamicUser"]
)
def test_the_unit_sets_nothing_that_makes_it_blind(blinding: str) -> None:
    service = service_of(REMEDIATOR)
    assert "NoNewPrivileges" in service
    assert blinding not in service
    assert service["ExecStart"].split()[1:] == ["run"], "observes unless somebody says otherwise"


class Confined:
    """A user without any power: runs commands with no capability and, where we are root, no network."""

    def __init__(self, base: Path) -> None:
        self.base = base
        root = os.getuid() == 0
        self.uid = UID if root else os.getuid()
        drop = (
            *("unshare", "--net"),
            *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"),
            *("--bounding-set=-all", "--inh-caps=-all"),
        )
        self._prefix = (*(drop if root else ("setpriv",)), "--no-new-privs")
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(base),
            "TMUX_TMPDIR": str(base),
            "XDG_RUNTIME_DIR": str(base / "run"),
            "XDG_STATE_HOME": str(base / "state"),
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{sysconfig.get_path('purelib')}",
        }
        if root:
            for folder in (base, base / "run", base / "state"):
                folder.mkdir(exist_ok=True)
                os.chown(folder, UID, UID)
        self.python = self._python()

    def _python(self) -> str:
        """An interpreter that this user can start: that of the tests may lie in somebody's home."""
        said = []
        for each in (sys.executable, "/usr/bin/python3"):
            tried = self.run(each, "-c", "import click, yaml, tmux_exporter.cli.remediator")
            if tried.returncode == 0:
                return each
            said.append(tried.stderr)
        raise AssertionError(f"no Python that uid {self.uid} can start has what it needs: {said}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return run_text((*self._prefix, *command), env=self.environ, cwd="/")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.base / "log").open("wb") as log:
            return subprocess.Popen((*self._prefix, *command), env=self.environ, cwd="/", stderr=log)


@pytest.fixture
def confined() -> Iterator[Confined]:
    base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
    base.chmod(0o755)
    try:
        yield Confined(base)
    finally:
        shutil.rmtree(base)


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_ends_an_orphan_without_root_capability_or_network(confined: Confined) -> None:
    name = f"confined{os.getpid()}"
    orphan = confined.base / "orphan.pid"
    pane = f"{ORPHAN} echo $! >{orphan}; exec sleep 3600"
    made = confined.run("tmux", "-f", "/dev/null", "-L", name, "new-session", "-d", "-s", "main", pane)
    assert made.returncode == 0, made
    server = int(confined.run("tmux", "-L", name, "display-message", "-p", "#{pid}").stdout)
    remediator = None
    try:
        wait_for(lambda: orphan.exists() and orphan.read_text().strip(), "it is scheduled")
        shell = int(orphan.read_text())
        assert status(shell)["Uid"].split()[0] == str(confined.uid)
        flags = ("--enforce", "--server", name, "--interval", "250ms", "--time-scale", "0.001")
        remediator = confined.start(confined.python, "-m", "tmux_exporter.cli.remediator", "run", *flags)
        wait_for(lambda: "started" in (confined.base / "log").read_text(), "it has started", 30)
        mine = status(remediator.pid)
        assert mine["NoNewPrivs"] == "1"
        assert {mine[each] for each in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        if os.getuid() == 0:
            assert (mine["CapBnd"], mine["Uid"].split()) == ("0" * 16, [str(UID)] * 4)
            devices = Path(f"/proc/{remediator.pid}/net/dev").read_text().splitlines()[2:]
            assert [line.split(":")[0].strip() for line in devices] == ["lo"]
        wait_for(lambda: is_gone(shell), f"it is ended: {(confined.base / 'log').read_text()}", 40)
        assert internet_sockets(remediator.pid) == []
        assert not is_gone(server)
        remediator.terminate()
        assert remediator.wait(20) == 0
        shown = confined.run(confined.python, "-m", "tmux_exporter.cli.remediator", "audit", "--replay")
        assert (shown.returncode, shown.stderr) == (0, ""), shown
    finally:
        if orphan.exists() and not is_gone(int(orphan.read_text())):
            end_process(int(orphan.read_text()))
        if remediator is not None and remediator.poll() is None:
            remediator.kill()
            remediator.wait(20)
        end_process(server)


def internet_sockets(pid: int) -> list[str]:
    """The sockets of a process that are no Unix sockets."""
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(each))
        except FileNotFoundError:
            continue
    mine = {link[8:-1] for link in links if link.startswith("socket:[")}
    unix = {line.split()[6] for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]}
    return sorted(mine - unix)
