"""A fleet in which every command of the runbooks has something to show, and all that watches it.

Beside an agent there are one that is declared and absent, one that has ended in its pane, a scheduler without
a target, and a tmux server whose socket file is gone. Rules and routes are played in fast time, so that what
is recorded is soon there.
"""

import json
import os
import pwd
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.alerts.watched import Watched, agent_command
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process
from tests.support.remediator.policies import SHIPPED
from tests.support.remediator.policies import write as write_policies
from tests.support.remediator.remediation import FLEET, OTHER, Fleet
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus

SCALE = 1 / 30
REMEDIATOR_LOG = "remediator.log"
SETTINGS = f"""\
limits:
  agent_memory: 200MiB
agents:
  expected:
    - {{server: {FLEET}, session: work, agent: absent}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command did: its exit status, what it printed, what it complained of."""

    status: int
    output: str
    errors: str


class RunbookScene:
    """All of it; `filled` fills a command in, `run` runs it there."""

    def __init__(self, base: Path, sockets: Path, home: Path) -> None:
        self.home = home
        self.environ = self._environment()
        self.fleet = Fleet(base, sockets, home / "fleet")
        self.server = self.fleet.server.pid
        self.lost_socket = sockets / OTHER
        self.lost = self.fleet.other.pid
        self._planted: list[int] = []
        self.watched: Watched | None = None
        self.remediator: subprocess.Popen[bytes] | None = None
        try:
            self._plant()
            self.watched = Watched(home, SCALE, 1.0, SETTINGS)
            self.remediator = self.start_remediator()
            self.work()
            self._words = self._table(sockets)
        except BaseException:
            self.close()
            raise

    def _environment(self) -> dict[str, str]:
        # curl fails where the address is wrong, as it does for whoever reads what it prints.
        (self.home / ".curlrc").write_text("fail\n")
        # Where hooks are installed, claude has been started once.
        (self.home / ".claude").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TMUX_P", "XDG_"))}
        places = dict.fromkeys(("HOME", "CURL_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"), str(self.home))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**kept, **places, "PATH": path, "TERM": "xterm", "no_proxy": "127.0.0.1"}

    def _plant(self) -> None:
        command, _ = agent_command(self.home)
        self.pane = self._window("lead", f"echo ready; {command}")
        self.agent = self.fleet.scene.root(self.pane, server=FLEET)
        ended = self._window("ended", "exec cat")
        self.fleet.tmux("set-option", "-w", "-t", ended, "remain-on-exit", "on")
        self.fleet.tmux("set-option", "-p", "-t", ended, "@agent", "ended")
        self.fleet.tmux("send-keys", "-t", ended, "C-d")
        self.log = self._window("log", "seq 1000; exec sleep 3600")
        self.fleet.orphan()
        self.lost_socket.unlink()

    def _window(self, name: str, command: str) -> str:
        return self.fleet.tmux(
            "new-window", "-d", "-P", "-F", "#{pane_id}", "-n", name, "-t", "work:", command
        )

    def start_remediator(self, **places: str) -> subprocess.Popen[bytes]:
        """`tmux-remediator run`, which only observes."""
        environ = {**self.environ, **places}
        with (Path(environ["XDG_STATE_HOME"]) / REMEDIATOR_LOG).open("wb") as log:
            return subprocess.Popen(("tmux-remediator", "run"), stderr=log, env=environ)

    def work(self) -> None:
        """Operations that end well, and others that do not."""
        for command in ("true", "false") * 3:
            self.run(f"tmux-exporter op status_check -- {command}")

    def names(self) -> set[str]:
        """The names of all series in Prometheus."""
        assert self.watched
        body = prometheus.fetch(f"{self.watched.prometheus.url}/api/v1/label/__name__/values")
        return set(json.loads(body or b'{"data": []}')["data"])

    def _table(self, sockets: Path) -> dict[str, str]:
        watched = self.watched
        assert watched
        agents = json.loads(self.run("tmux-exporter once --format json").output)["agents"]
        (name,) = [each["agent"] for each in agents if each["pid"] == self.agent]
        return {
            "127.0.0.1:10077": f"127.0.0.1:{watched.port}",
            "127.0.0.1:9090": watched.prometheus.url.removeprefix("http://"),
            "127.0.0.1:9093": watched.alertmanager.url.removeprefix("http://"), "/tmp/tmux-UID": str(sockets),
            "SERVER": FLEET, "SESSION": "work", "AGENT": name, "PANE": self.pane, "PID": str(self.agent),
            "INSTANCE": f"127.0.0.1:{watched.port}", "OPERATION": "status_check", "SLO": "errors",
            "USER": pwd.getpwuid(os.getuid()).pw_name, "FILE": str(self.home / "exporter.yml"),
            "POLICIES": str(write_policies(self.home, SHIPPED.read_text())),
            "promtool check config FILE": f"promtool check config {self.home / 'prometheus.yml'}",
            # What others keep below /tmp may take minutes to add up.
            "MOUNTPOINT": str(self.home), "du -xh -d2 /tmp": f"du -xh -d2 {self.home}",
        }  # fmt: skip

    def filled(self, text: str, **words: str) -> str:
        """A command or a query with everything filled in that is left open."""
        words = {**self._words, **words}
        # Never the usual port: that may be somebody's.
        text = re.sub(r"^amtool (?!--alertmanager)", f"amtool --alertmanager.url={self.alertmanager} ", text)
        pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
        return re.sub(pattern, lambda match: words[match[0]], text)

    @property
    def alertmanager(self) -> str:
        """The address of its Alertmanager."""
        assert self.watched
        return self.watched.alertmanager.url

    def run(self, command: str) -> Answer:
        """Run a line of shell; every part of a pipe has to do well."""
        done = run_text(
            ("bash", "-o", "pipefail", "-c", command),
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
        )
        return Answer(status=done.returncode, output=done.stdout, errors=done.stderr)

    def plant(self) -> int:
        """A process that a command may do something to; ended with the scene. It may open 1000 files."""
        words = ("bash", "-c", "ulimit -Sn 1000 && exec sleep 3600")
        process = subprocess.Popen(words, env=self.environ)
        self._planted.append(process.pid)
        name = Path(f"/proc/{process.pid}/comm")
        wait_for(lambda: name.read_text() == "sleep\n", "it sleeps")
        return process.pid

    def close(self) -> None:
        """End everything that was started."""
        for pid in self._planted:
            end_process(pid)
        if self.remediator:
            self.remediator.terminate()
            self.remediator.wait(60)
        if self.watched:
            self.watched.close()
        self.fleet.close()
