"""The targets of the plays in `cases`: real agents, leaked processes, schedulers and panes."""

import hashlib
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.remediator.cases import HELD, Play, Target
from tests.support.remediator.remediation import CHECK_IN, FLEET, OTHER, Fleet
from tests.support.remediator.text import FILE, policy
from tests.support.wait import wait_for
from tmux_exporter.facts.remediation import TargetKind

CALM_AGENT = "$B/bin/claude -c 'sleep 20000; :'"
DEAF_AGENT = "$B/bin/claude -c 'trap \"\" TERM; sleep 20000; sleep 20000'"
LEAKED = "$B/bin/helper 20000"
DEAF_LEAKED = f"sh $B/deaf.sh {LEAKED}"
ORPHAN = f'nohup bash -c "{CHECK_IN}"'
DEAF_ORPHAN = "sh $B/deaf.sh bash -c 'sleep 20000; tmux send-keys -t {target} now Enter'"

# 0x4206 is PTRACE_SEIZE, 0x40 PTRACE_O_TRACEEXIT: it stops before it ends, until it is let go on.
HELD_AT_ITS_END = (
    "import ctypes, signal, subprocess, sys\n"
    "agent = subprocess.Popen([sys.argv[1], '-c', 'sleep 20000; :'])\n"
    "assert ctypes.CDLL(None).ptrace(0x4206, agent.pid, None, ctypes.c_void_p(0x40)) == 0\n"
    "open(sys.argv[2], 'w').write(str(agent.pid))\n"
    "signal.pause()\n"
)
"""Starts an agent that no signal ends as long as this lives."""

FEW_FILES = 256

CROWD = 12
"""Panes: more than get a message in one cycle."""


class Stage:
    """The targets of plays, in sessions that are called as the plays are; `pids` are theirs, by play."""

    def __init__(self, fleet: Fleet, plays: Sequence[Play]) -> None:
        self.fleet = fleet
        self.plays = plays
        self.base = fleet.scene.base
        self.pids: dict[str, int] = {}
        make_programs(self.base)

    def plant(self) -> None:
        """Start everything, and wait until it is what it is to be."""
        if any(play.target is Target.SHARED for play in self.plays):
            self._share()
        for play in self.plays:
            if play.target not in (Target.SHARED, Target.HUNG):
                self.fleet.tmux("new-session", "-d", "-s", play.name, "sleep 3600")
                self.pids[play.name] = self._start(play.kind, play.target, play.name)
                if play.kind in HELD:
                    _limit(self.pids[play.name])

    def _share(self) -> None:
        """One thing of each kind."""
        self.fleet.tmux("new-session", "-d", "-s", Target.SHARED, "sleep 3600")
        for kind in (TargetKind.SCHEDULER, TargetKind.AGENT, TargetKind.LEAKED_PROCESS):
            _limit(self._start(kind, Target.CALM, Target.SHARED))
        self.fleet.tmux("set-option", "-g", "remain-on-exit", "on")
        self.fleet.tmux("new-window", "-d", "-t", f"{Target.SHARED}:", "true")

    def file(self) -> str:
        """The policies of all plays."""
        return FILE + "".join(policy(play, self.match(play)) for play in self.plays)

    def match(self, play: Play) -> str:
        """What narrows a play besides its kind."""
        session = f"sessions: [{play.session}]"
        match play.kind:
            case TargetKind.SCHEDULER:
                return f"state: [dangling], {session}"
            case TargetKind.AGENT:
                return f"program: [claude], {session}"
            case TargetKind.LEAKED_PROCESS:
                return f"cmdline_sha256: [{self._leaked_sha256()}], {session}"
            case TargetKind.PANE if play.target is Target.HUNG:
                return f"servers: [{OTHER}], sessions: [far]"
            case TargetKind.PANE:
                return f"{session}, dead: true" if play.target is Target.SHARED else session
            case TargetKind.SERVER:
                return f"servers: [{FLEET}]"

    def _leaked_sha256(self) -> str:
        words = LEAKED.replace("$B", str(self.base)).split()
        return hashlib.sha256(b"".join(word.encode() + b"\0" for word in words)).hexdigest()

    def _start(self, kind: TargetKind, target: Target, session: str) -> int:
        fleet, deaf = self.fleet, target is Target.DEAF
        if target is Target.CROWD:
            for _ in range(CROWD):
                fleet.tmux("new-window", "-d", "-t", f"{session}:", "sleep 3600")
            return 0
        if kind is TargetKind.PANE:
            pane = fleet.tmux("list-panes", "-t", f"={session}:", "-F", "#{pane_id}").strip()
            return fleet.scene.root(pane, server=FLEET)
        if target is Target.STUCK:
            command = f"{sys.executable} $B/holder.py $B/bin/claude $B/{session}.pid"
            fleet.schedule(command, "holder", session=session)
            return fleet.scene.pid(f"{session}.pid")
        if kind is TargetKind.LEAKED_PROCESS:
            return fleet.scene.pid(fleet.leave_behind(DEAF_LEAKED if deaf else LEAKED, session=session))
        if kind is TargetKind.SCHEDULER:
            command = (DEAF_ORPHAN if deaf else ORPHAN).format(target=f"{target_of(session)}:0")
            shell = fleet.schedule(command, session, session=session)
            fleet.sleep_of(shell)
            return shell
        agent = fleet.schedule(DEAF_AGENT if deaf else CALM_AGENT, session, session=session)
        wait_for(lambda: fleet.children(agent), "it has a child")
        return agent


def _limit(pid: int) -> None:
    """Let it have few open files, so that it may have more."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, hard))


def make_programs(base: Path) -> None:
    """Write what the commands of the targets run."""
    for name, program in (("claude", "bash"), ("helper", "sleep")):
        shutil.copy(shutil.which(program) or "", base / "bin" / name)
    # What is ignored stays ignored over an exec.
    (base / "deaf.sh").write_text("trap '' TERM\nexec \"$@\"\n")
    (base / "holder.py").write_text(HELD_AT_ITS_END)


def target_of(session: str) -> str:
    """The session, never there, that the scheduler of a session aims at."""
    return f"{session}-gone"
