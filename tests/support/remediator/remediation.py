"""Real tmux servers with real schedulers in them, and a remediator for these servers alone.

Every scheduler of a test finds a `tmux` of the test first in its PATH, which notes each call before it runs
the real one: a witness for keys that nobody should have sent, beside the panes themselves.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.clock import ShiftedClock
from tests.support.processes.started import end_process, is_gone
from tests.support.scenes.own_sockets import own_sockets
from tests.support.scenes.scene import Scene
from tests.support.tmux.fake import make_tmux
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_OFF
from tmux_exporter.config import Config, ProcessSettings, SamplingSettings, TmuxSettings
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.remediation import Action, ActionOutcome, PolicyStatus
from tmux_exporter.facts.report import SchedulerReport
from tmux_exporter.remediator.act import live_view, terminate
from tmux_exporter.remediator.act.attempt import Tools
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.act.shared_view import SharedView
from tmux_exporter.remediator.loop import Remediator, Settings
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Policy, PolicySet
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.sources.processes.full_reader import ProcReader

INTERVAL = 5.0
QUERY_TIMEOUT = 1.0


class Bounds(NamedTuple):
    """What the last look before a signal may take, in seconds."""

    look_age: float
    evidence_age: float
    look_timeout: float


FLEET, OTHER = f"rx{os.getpid()}-fleet", f"rx{os.getpid()}-other"
"""Names that no server of anybody else has: a remediator of a test that enforces acts on these two alone."""

AS_SHIPPED = Bounds(terminate.LOOK_AGE, terminate.EVIDENCE_AGE, live_view.LOOK_TIMEOUT)

_READ = ProcReader.read

CHECK_IN = (
    "sleep 20000 && tmux send-keys -t {target} 'Time for check! cat note.txt && python3 claude_control.py' "
    "&& sleep 1 && tmux send-keys -t {target} Enter"
)
"""What Tmux-Orchestrator schedules, with a delay that no test waits for."""


class Fleet:
    """The two servers: a session `main` in each, a session `work` with a pane that echoes in the first."""

    def __init__(self, base: Path, sockets: Path, home: Path) -> None:
        self.scene = Scene(base, sockets)
        self.sockets = sockets
        self.home = home
        self.clock = ShiftedClock()
        self.state = home / "state" / "tmux-exporter"
        self.runtime = home / "run" / "tmux-exporter"
        for folder in (self.state, self.runtime):
            folder.mkdir(mode=0o700, parents=True)
        self._remediators: list[Remediator] = []
        self._audits: list[Audit] = []
        self._started: list[int] = []
        self._ended = 0
        self.act_audit = home / "audit.jsonl"
        self._witness = base / "fired"
        (base / "bin").mkdir()
        make_tmux(
            base / "bin", f'echo send-keys "$@" >>{self._witness}\nexec {shutil.which("tmux")} send-keys "$@"'
        )
        try:
            self.server = self.scene.start(FLEET)
            self.other = self.scene.start(OTHER)
            self.tmux("new-session", "-d", "-s", "work", "cat")
            self.tmux("new-session", "-d", "-s", "far", "cat", server=OTHER)
        except BaseException:
            self.scene.close()
            raise

    def tmux(self, *arguments: str, server: str = FLEET) -> str:
        return self.scene.tmux(*arguments, server=server)

    def schedule(self, command: str, name: str, *, server: str = FLEET, session: str = "main") -> int:
        """Run a command in the background of a pane of its own; the pid of what it started."""
        file = f"{name}{len(self._started)}.pid"
        self.scene.shell(
            f"PATH=$B/bin:$PATH; export PATH; {command} >/dev/null 2>&1 &\necho $! >$B/{file}",
            *("-t", f"{session}:"),
            server=server,
        )
        self._started.append(self.scene.pid(file))
        return self._started[-1]

    def in_pane(self, command: str, *, server: str = FLEET) -> int:
        """Run a command as what tmux starts in a pane of its own; its pid."""
        path = f"PATH={self.scene.base / 'bin'}:{os.environ['PATH']}"
        pane = self.tmux(
            *("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main:", "-e", path, f"exec {command}"),
            server=server,
        )
        self._started.append(self.scene.root(pane, server=server))
        return self._started[-1]

    def leave_behind(self, command: str, *, server: str = FLEET, session: str = "main") -> str:
        """Run a command in a kernel session of its own, in a pane that is gone then; the file of its pid."""
        file = f"left{len(self._started)}.pid"
        self._started.append(0)
        pane = self.scene.shell(
            f"B=$B setsid sh -c 'echo $$ >$0; exec {command}' $B/{file} >/dev/null 2>&1 </dev/null &",
            *("-t", f"{session}:"),
            server=server,
        )
        self._started[-1] = self.scene.pid(file)
        root = self.scene.root(pane, server=server)
        self.tmux("kill-pane", "-t", pane, server=server)
        wait_for(lambda: is_gone(root), "the pane is gone")
        return file

    def children(self, pid: int) -> list[int]:
        """The pids of the children of a process."""
        return _children(pid)

    def pane_of(self, pid: int, *, server: str = FLEET) -> str:
        """The pane whose own process is the parent of this one."""
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        rows = self.tmux("list-panes", "-a", "-F", "#{pane_pid} #{pane_id}", server=server).splitlines()
        return dict(row.split() for row in rows)[parent]

    def orphan(self, name: str = "orphan", *, shell: str = "bash", script: str = CHECK_IN) -> tuple[int, int]:
        """A scheduler for a session that was never there, made as Tmux-Orchestrator does: shell and sleep."""
        pid = self.schedule(f'nohup {shell} -c "{script.format(target="gone:0")}"', name)
        return pid, self.sleep_of(pid)

    def sleep_of(self, shell: int) -> int:
        """The sleep below a shell, once it is there."""
        return wait_for(lambda: _child(shell, "sleep"), f"{shell} sleeps")

    def remediator(
        self,
        *,
        enforce: bool,
        policy: Policy = ORPHANED_SCHEDULERS,
        servers: Iterable[str] = (FLEET, OTHER),
        root: str = "/proc",
        screen: bool = False,
    ) -> Remediator:
        """One in this process, at its start."""
        made = Remediator(
            Settings(
                config=replace(self.config(), processes=ProcessSettings(root=root)),
                policies=PolicySet(policies=(replace(policy, servers=tuple(servers)),)),
                enforce=enforce,
                screen=screen,
            ),
            os.environ,
            runtime=self.runtime,
            state=self.state,
            clock=self.clock,
        )
        self._remediators.append(made)
        return made

    def tools(self) -> Tools:
        """What an act needs, all of it real."""
        eyes = LiveView(self.config(), self.clock, os.environ)
        shared = SharedView(eyes, self.clock)
        self.act_audit = self.home / f"audit{len(self._audits)}.jsonl"
        audit = Audit(self.act_audit, uid=os.getuid(), clock=self.clock)
        self._audits.append(audit)
        return Tools(
            processes=shared.processes, around=eyes.around, look=shared.look, renew=shared.renew,
            own=eyes.own, audit=audit, clock=self.clock, uid=os.getuid(),
        )  # fmt: skip

    def scheduler(self, shell: int) -> SchedulerReport:
        """A scheduler as a sample shows it now."""
        report, _ = LiveView(self.config(), self.clock, os.environ).look()
        (found,) = [each for each in report.schedulers if each.process.pid == shell]
        return found

    def config(self) -> Config:
        return Config(
            sampling=SamplingSettings(interval=INTERVAL), tmux=TmuxSettings(query_timeout=QUERY_TIMEOUT)
        )

    def live(self, remediator: Remediator, seconds: float, *, step: float = 300.0) -> None:
        """Let `seconds` pass for a remediator, with a cycle after each step."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            remediator.cycle()

    def panes(self) -> dict[tuple[str, str], str]:
        """What stands in every pane of both servers."""
        return {
            (server, pane): self.tmux("capture-pane", "-p", "-S", "-", "-t", pane, server=server)
            for server in (FLEET, OTHER)
            for pane in self.tmux("list-panes", "-a", "-F", "#{pane_id}", server=server).split()
        }

    def fired(self) -> str:
        """What the schedulers of this test have sent."""
        return self._witness.read_text() if self._witness.exists() else ""

    @property
    def environ(self) -> dict[str, str]:
        """For programs that are to find the folders of this fleet."""
        return {
            **os.environ,
            "XDG_STATE_HOME": str(self.state.parent),
            "XDG_RUNTIME_DIR": str(self.runtime.parent),
        }

    @property
    def switch(self) -> Path:
        return self.state / REMEDIATOR_OFF

    @property
    def audit(self) -> Path:
        return self.state / REMEDIATOR_AUDIT

    def records(self) -> list[dict[str, Any]]:
        """The audit without its chain, and without the starts."""
        records = [json.loads(line) for line in self.audit.read_bytes().splitlines()]
        return [each for each in records if each["kind"] != "start"]

    def reset(self) -> None:
        """End what was scheduled so far, shells first, and forget what it sent."""
        for pid in self._started[self._ended :]:
            children = _children(pid)
            end_process(pid)
            for child in children:
                end_process(child)
        self._ended = len(self._started)
        self._witness.unlink(missing_ok=True)

    def close(self) -> None:
        for remediator in self._remediators:
            remediator.close()
        for audit in self._audits:
            audit.close()
        self.scene.close()


@contextmanager
def running_fleet() -> Iterator[Fleet]:
    """A fleet in folders of its own, for as many tests as leave its servers alone."""
    with own_sockets() as (sockets, patch):
        base, home = sockets.parent, sockets.parent / "home"
        patch.setattr(ProcReader, "read", _only_of(base))
        # The machine that runs the tests may be busy; a test of these two bounds sets them itself.
        patch.setattr(terminate, "LOOK_AGE", 10.0)
        patch.setattr(terminate, "EVIDENCE_AGE", 60.0)
        patch.setattr(live_view, "LOOK_TIMEOUT", QUERY_TIMEOUT)
        home.mkdir(mode=0o700)
        with closing(Fleet(base, sockets, home)) as fleet:
            yield fleet


def _only_of(base: Path) -> Callable[[ProcReader], ProcessTable]:
    """Reads all processes but the tmux servers of others and what runs in them."""

    def is_ours(process: Process) -> bool:
        folder = (process.environ or {}).get("TMUX_TMPDIR")
        return folder == str(base) or (folder is None and process.comm != "tmux: server")

    def of_ours(reader: ProcReader) -> ProcessTable:
        table = _READ(reader)
        return replace(table, processes={p: each for p, each in table.processes.items() if is_ours(each)})

    return of_ours


def _children(parent: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _child(parent: int, name: str) -> int | None:
    """The child of a process that runs this program."""
    for child in _children(parent):
        if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0] == name.encode():
            return child
    return None


def counted(remediator: Remediator) -> PolicyStatus:
    """What a remediator has counted of its one policy."""
    (status,) = remediator.status().policies
    return status


def stops(remediator: Remediator) -> dict[ActionOutcome, int]:
    """The stops of a remediator by outcome."""
    actions = counted(remediator).actions
    return {outcome: count for (action, outcome), count in actions.items() if action is Action.STOP}


def alive(*pids: int) -> bool:
    """True if none of them is gone."""
    return not any(is_gone(pid) for pid in pids)
