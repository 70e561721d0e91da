"""A fleet in which nearly everything is wrong at once: agents, schedulers, tmux servers, leaks."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.alert_faults.limits import soft_limit
from tests.support.alert_faults.programs import AGENT, HOLDS, STUTTERS
from tests.support.processes.started import end_process
from tests.support.remediator.remediation import FLEET, Fleet

PAUSED = ("sleep", "30303")
"""A leaked process that a remediator pauses."""

LIMIT = 64 * 2**20
"""Bytes that a session may use here, and an agent."""

IDLE = {"status": "idle"}

ROLES: Mapping[str, Mapping[str, Any]] = {
    "well": {"says": IDLE},
    "memory-warning": {"says": IDLE, "bytes": int(0.82 * LIMIT)},
    "memory-critical": {"says": IDLE, "bytes": int(0.925 * LIMIT)},
    "memory-emergency": {"says": IDLE, "bytes": int(0.98 * LIMIT)},
    "files-warning": {"says": IDLE, "of_files": 100, "files": 82},
    "files-critical": {"says": IDLE, "of_files": 100, "files": 93},
    "files-emergency": {"says": IDLE, "of_files": 100, "files": 98},
    "leaking": {"says": IDLE, "leaks_pieces": 3},
    "opening": {"says": IDLE, "leaks_files": 1},
    "asking": {"says": {"status": "waiting", "waitingFor": "permission prompt"}},
    "stuck": {"says": {"status": "busy"}},
    "burning": {"says": IDLE, "burns": 0.1, "sleeps": 0.05},
    "ending": {"says": IDLE},
}
"""Agents by their session, on the server FLEET: what each does."""

_LATER = "sleep 900 && tmux send-keys -t {target} hi"


class FaultyFleet:
    """`start` it before anybody looks; `break_it` once everything has been seen whole."""

    def __init__(self, base: Path, sockets: Path, home: Path) -> None:
        self.home = home
        self.fleet = Fleet(base, sockets, home / "tmux")
        self._roles = home / "roles"
        self._roles.mkdir()
        self._script = self._roles / "claude"
        self._script.write_text(AGENT)
        self._children: list[subprocess.Popen[bytes]] = []
        self._pids: dict[str, int] = {}

    def start(self) -> None:
        """Servers, and agents of which all but the growing ones are what they will be."""
        for server in ("hung", "slow", "crowded", "wordy", "leaky", "acted", "ended", "again", "back"):
            self._pids[server] = self.fleet.scene.start(server).pid
        for session, role in ROLES.items():
            self.say(session, role)
            ends = session == "ending"
            self._agent(FLEET, session, f"{self._command(session)}{'; exec sh' if ends else ''}")
        self.say("gone", {"says": {"status": "busy"}})
        self._agent("ended", "gone", self._command("gone"))
        self.say("short", {"says": IDLE, "lives": 1.5})
        self._agent(FLEET, "short", f"while :; do {self._command('short')}; sleep 1.5; done")
        self.say("late", {"says": IDLE, "lives": 3})
        self._agent("back", "late", f"while :; do {self._command('late')}; sleep 8; done")
        self.fleet.tmux("set-option", "-p", "-t", "late:0", "@agent", "late", server="back")

    def say(self, session: str, role: Mapping[str, Any]) -> None:
        """What an agent does from now on."""
        fresh = self._roles / "new"
        fresh.write_text(json.dumps(role))
        fresh.rename(self._roles / session)

    def _command(self, session: str) -> str:
        home = self._roles / f"home-{session}"
        home.mkdir(mode=0o700)
        return f"HOME={home} {sys.executable} -SP {self._script} {self._roles / session}"

    def _agent(self, server: str, session: str, command: str) -> None:
        size = ("-x", "80", "-y", "24")
        self.fleet.tmux("new-session", "-d", "-s", session, "-n", "lead", *size, command, server=server)

    def break_it(self) -> None:
        """All faults that need something that was whole before."""
        self.say("ending", {"says": IDLE, "lives": 0})
        self._break_check_ins()
        self._break_servers()
        self._leave_behind()

    def _break_check_ins(self) -> None:
        self.fleet.orphan()
        self.fleet.schedule(f'nohup bash -c "{_LATER.format(target="gone:0")}"', "acted", server="acted")
        self.fleet.schedule(f"bash -c '{_LATER.format(target='wor:0')}'", "misdirected")
        self.fleet.schedule("bash -c 'sleep 900 && tmux send-keys -t ending:0 hi'", "awaited")
        self.fleet.schedule("bash -c 'sleep infinity && tmux send-keys -t work:0 hi'", "immortal")
        for number in range(2):
            self.fleet.schedule("bash -c 'sleep 900 && tmux send-keys -t work:0 again'", f"twice{number}")
        overdue = self.fleet.schedule("bash -c 'sleep 20 && tmux send-keys -t work:0 hi'", "overdue")
        os.kill(self.fleet.sleep_of(overdue), signal.SIGSTOP)
        self.fleet.schedule("bash -c 'sleep 20 && tmux send-keys -t gone:0 hi'", "missed")
        for server in ("ended", "again"):
            command = f"nohup setsid bash -c '{_LATER.format(target='main:0')}'"
            self.fleet.schedule(command, f"of-{server}", server=server)

    def _break_servers(self) -> None:
        os.kill(self._pids["hung"], signal.SIGSTOP)
        self._run("sh", "-c", STUTTERS, str(self._pids["slow"]))
        self._crowd(self._pids["crowded"])
        self.fleet.tmux("set-option", "-g", "history-limit", "2000000", server="wordy")
        writes = "while :; do seq -f %0150g 30; sleep 0.1; done"
        self.fleet.tmux("new-window", "-d", "-t", "main:", writes, server="wordy")

    def end_servers(self) -> None:
        """One for good, one to be started again on the same socket."""
        for server in ("ended", "again"):
            end_process(self._pids[server])
        self.fleet.scene.start("again")

    def _crowd(self, server: int) -> None:
        """Panes until it has 29 descriptors open, and a limit that is hardly higher."""
        while (opened := len(os.listdir(f"/proc/{server}/fd"))) < 29:
            self.fleet.tmux("new-window", "-d", "-t", "main:", "exec sleep 3600", server="crowded")
        soft_limit(server, opened + 1)

    def _leave_behind(self) -> None:
        self.fleet.leave_behind(" ".join(PAUSED))
        quiet = ">/dev/null 2>&1 </dev/null"
        holds = f"setsid {sys.executable} -SPc {shlex.quote(HOLDS)} {quiet} & sleep 3"
        self.fleet.tmux("new-window", "-d", "-t", "main:", holds, server="leaky")
        client = f"tmux -f /dev/null -S {self.fleet.sockets / 'leaky'}"
        leaves = f"setsid sleep 3600 {quiet} & sleep 3"
        loop = f"while {client} new-window -d -t main: {shlex.quote(leaves)}; do sleep 3; done"
        self._run("sh", "-c", loop)

    def _run(self, *words: str) -> None:
        quiet = subprocess.DEVNULL
        self._children.append(subprocess.Popen(words, stdout=quiet, stderr=quiet))

    def mend(self) -> None:
        """Take away what can be taken away at once."""
        for session in ROLES:
            if session != "ending":
                self.say(session, {"says": IDLE, "calm": True})
        self._end_children()
        for server in ("hung", "slow"):
            os.kill(self._pids[server], signal.SIGCONT)

    def _end_children(self) -> None:
        while self._children:
            child = self._children.pop()
            child.kill()
            child.wait(10)

    def close(self) -> None:
        """End everything."""
        self._end_children()
        for server in ("hung", "slow"):
            os.kill(self._pids[server], signal.SIGCONT)
        self.fleet.close()
